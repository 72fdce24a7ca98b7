//! How long a call may still take, as sockets need to know it.

use std::time::{Duration, Instant};

use nearfield_model::{Context, Result};

/// Waits on sockets are cut into stretches, so that one setting of the socket serves many calls.
const STRETCH: Duration = Duration::from_millis(500);
/// The same where the caller may cancel meanwhile.
const STRETCH_IF_CANCELLABLE: Duration = Duration::from_millis(20);
/// The shortest wait that a socket is set to; zero would mean for ever.
const SHORTEST: Duration = Duration::from_millis(1);

/// The end of a call's time, and who may end it sooner.
#[derive(Clone, Copy)]
pub(super) struct Patience<'c> {
    context: &'c Context,
    pub(super) deadline: Instant,
}

impl<'c> Patience<'c> {
    /// Lasts until the context's deadline, or for `timeout` if it has none.
    pub(super) fn new(context: &'c Context, timeout: Duration) -> Self {
        Patience {
            context,
            deadline: context.deadline.unwrap_or_else(|| Instant::now() + timeout),
        }
    }

    /// Fails once the time is over or the caller has cancelled.
    pub(super) fn check(&self) -> Result<()> {
        self.context.check()?;
        match self.left().is_zero() {
            true => Err(self.over()),
            false => Ok(()),
        }
    }

    /// What is left; zero if nothing is.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How long to wait before looking again.
    pub(super) fn stretch(&self) -> Duration {
        let stretch = match self.context.cancellation {
            Some(_) => STRETCH_IF_CANCELLABLE,
            None => STRETCH,
        };
        self.left().min(stretch).max(SHORTEST)
    }

    /// Sleeps, and fails if the time is over or the caller cancels before the end.
    pub(super) fn sleep(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(());
            }
            std::thread::sleep(rest.min(self.stretch()));
        }
    }

    fn over(&self) -> nearfield_model::Error {
        nearfield_model::Error::new(
            nearfield_model::ErrorKind::DeadlineExceeded,
            "the server did not answer in time; allow more time or ask for less per request",
        )
    }
}
