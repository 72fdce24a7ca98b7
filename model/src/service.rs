//! The one thing that every door calls and every engine answers.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::BATCH_BYTES_MAX;
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

    /// Memory for `components` components, all zero, from which this service takes the vectors
    /// of an upsert with the fewest copies. Any service takes them from there; memory of this
    /// process unless the service has better.
    ///
    /// # Errors
    /// `TooLarge` beyond [`BATCH_BYTES_MAX`](crate::limits::BATCH_BYTES_MAX), `Overloaded` while
    /// too much is reserved.
    fn reserve(&self, components: usize) -> Result<Box<dyn Reserved>> {
        check_reserved(components)?;
        Ok(Box::new(vec![0.0; components]))
    }
}

/// Memory that [`Service::reserve`] handed out; dropping it gives it back.
pub trait Reserved: Send + Sync {
    /// The components.
    fn values(&self) -> &[f32];

    /// The components, to be written.
    fn values_mut(&mut self) -> &mut [f32];
}

impl Reserved for Vec<f32> {
    fn values(&self) -> &[f32] {
        self
    }

    fn values_mut(&mut self) -> &mut [f32] {
        self
    }
}

/// Refuses reservations that no upsert could send.
///
/// # Errors
/// `TooLarge` beyond [`BATCH_BYTES_MAX`].
pub fn check_reserved(components: usize) -> Result<()> {
    if components > BATCH_BYTES_MAX / size_of::<f32>() {
        return Err(Error::too_large(format!(
            "{components} components are more than the {BATCH_BYTES_MAX} bytes of one upsert; \
             reserve fewer rows"
        )));
    }
    Ok(())
}
