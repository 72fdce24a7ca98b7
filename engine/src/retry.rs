//! When work that failed is tried again: later and later, as a disk that is full stays so for a
//! while. A panic in such work is a failure like others: its thread goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nearfield_model::{Error, Result};

use crate::io::Io;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// The kinds of work behind the writers' backs that may fail.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    pub(crate) drain: Retry,
    pub(crate) upkeep: Retry,
    pub(crate) compaction: Retry,
    pub(crate) codes: Retry,
    pub(crate) files: Retry,
    pub(crate) scrub: Retry,
    pub(crate) checkpoints: Retry,
}

impl Retries {
    /// Why some work failed when it was tried last, if any did.
    pub(crate) fn fault(&self) -> Option<Error> {
        let others = [
            &self.compaction,
            &self.codes,
            &self.files,
            &self.scrub,
            &self.checkpoints,
        ];
        let fault = || others.into_iter().find_map(Retry::fault);
        self.index_fault().or_else(fault)
    }

    /// Why work on the index failed when it was tried last, if it did.
    pub(crate) fn index_fault(&self) -> Option<Error> {
        self.drain.fault().or_else(|| self.upkeep.fault())
    }
}

/// Does work that may change what others see in whole steps only, so that they can go on after a
/// panic of it, which is handed back as an error.
pub(crate) fn guarded<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("it gave no reason");
        Err(Error::internal(format!(
            "{what} panicked, and is tried again after a while: {text}"
        )))
    })
}

/// How long a kind of work that fails has to wait.
#[derive(Debug, Default)]
pub(crate) struct Retry(Mutex<Wait>);

#[derive(Debug, Default)]
struct Wait {
    /// How long it was put off the last time; zero while it does not fail.
    pause: Duration,
    until: Duration,
    /// Why the work failed when it was tried last, if it did.
    fault: Option<Error>,
}

impl Retry {
    /// Whether it is too early to try again.
    pub(crate) fn is_waiting(&self, clock: &dyn Io) -> bool {
        let wait = self.lock();
        !wait.pause.is_zero() && clock.now() < wait.until
    }

    /// Notes that the work failed: each failure in a row doubles the wait.
    pub(crate) fn failed(&self, clock: &dyn Io, fault: Error) {
        let mut wait = self.lock();
        wait.pause = (wait.pause * 2).clamp(FIRST, LONGEST);
        wait.until = clock.now() + wait.pause;
        wait.fault = Some(fault);
    }

    fn fault(&self) -> Option<Error> {
        self.lock().fault.clone()
    }

    /// Notes that the work succeeded.
    pub(crate) fn succeeded(&self) {
        *self.lock() = Wait::default();
    }

    fn lock(&self) -> MutexGuard<'_, Wait> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::SimulatedIo;

    #[test]
    fn work_that_fails_waits_longer_each_time_until_it_succeeds() {
        let clock = SimulatedIo::new(1);
        let retry = Retry::default();
        assert!(!retry.is_waiting(&clock));
        let mut pauses = Vec::new();
        for _ in 0..12 {
            retry.failed(&clock, Error::internal("full"));
            assert!(retry.is_waiting(&clock));
            pauses.push(retry.lock().pause);
        }
        assert_eq!(pauses[..2], [FIRST, FIRST * 2]);
        assert_eq!(pauses.last(), Some(&LONGEST));
        retry.succeeded();
        assert!(!retry.is_waiting(&clock));
        retry.failed(&clock, Error::internal("full"));
        assert_eq!(retry.lock().pause, FIRST);
        retry.lock().until = Duration::ZERO;
        assert!(!retry.is_waiting(&clock));
    }
}
