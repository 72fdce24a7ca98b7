//! One call: the interpreter is released, and an interrupt cancels it.

use nearfield::{Context, Database, ErrorKind, Result, Verb};
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
    until_done(py, long, |context| database.call_with(context, make()))
}

/// Calls `act` until an interrupt does not cancel it, always with the same context.
pub(crate) fn until_done<T: Send>(
    py: Python<'_>,
    long: bool,
    act: impl Fn(&mut Context) -> Result<T> + Sync,
) -> PyResult<T> {
    let mut context = Context::default();
    loop {
        interrupt::watch(py, &mut context, long)?;
        match py.detach(|| act(&mut context)) {
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
