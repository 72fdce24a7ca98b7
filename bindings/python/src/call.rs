//! One call: the interpreter is released, and an interrupt cancels it.

use nearfield::{Context, Database, ErrorKind, Verb};
use pyo3::prelude::*;

use crate::error::raise;
use crate::interrupt;

/// Sends the request that `make` makes. A call that may be `long` looks after its interrupts more
/// closely.
pub(crate) fn call<'a, V>(
    py: Python<'_>,
    database: &Database,
    long: bool,
    make: impl Fn() -> V + Sync,
) -> PyResult<V::Answer>
where
    V: Verb<'a>,
    V::Answer: Send,
{
    let mut context = Context::default();
    loop {
        interrupt::watch(py, &mut context, long)?;
        match py.detach(|| database.call_with(&mut context, make())) {
            Ok(answer) => return Ok(answer),
            // The handler of the signal may raise. If it does not, the call goes on under the
            // same request id, so a write that was applied is not applied again.
            Err(error)
                if error.kind() == ErrorKind::Cancelled && context.cancellation.is_some() =>
            {
                py.check_signals()?;
            }
            Err(error) => return Err(raise(py, error)),
        }
    }
}
