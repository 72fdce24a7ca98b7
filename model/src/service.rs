//! The one thing that every door calls and every engine answers.

use crate::context::Context;
use crate::error::Result;
use crate::request::{Request, Response};

/// Answers requests. A door decodes, calls, and encodes; what stands behind it may be the
/// engine, another door's client, or a fake.
///
/// Implementations answer a request with the response of the same verb, and block the
/// calling thread until then.
pub trait Service: Send + Sync {
    /// Answers one request.
    ///
    /// # Errors
    /// Any [`ErrorKind`](crate::ErrorKind); a refused write changed nothing unless the kind
    /// says otherwise.
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response>;
}
