//! When work that failed is tried again: later and later, as a disk that is full stays so for a
//! while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::io::Io;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// The kinds of work behind the writers' backs that may fail.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    pub(crate) drain: Retry,
    pub(crate) upkeep: Retry,
    pub(crate) compaction: Retry,
}

/// How long a kind of work that fails has to wait.
#[derive(Debug, Default)]
pub(crate) struct Retry(Mutex<Wait>);

#[derive(Debug, Default)]
struct Wait {
    /// How long it was put off the last time; zero while it does not fail.
    pause: Duration,
    until: Duration,
}

impl Retry {
    /// Whether it is too early to try again.
    pub(crate) fn is_waiting(&self, clock: &dyn Io) -> bool {
        let wait = self.lock();
        !wait.pause.is_zero() && clock.now() < wait.until
    }

    /// Notes whether the work failed: each failure in a row doubles the wait.
    pub(crate) fn note(&self, clock: &dyn Io, failed: bool) {
        let mut wait = self.lock();
        wait.pause = match failed {
            true => (wait.pause * 2).clamp(FIRST, LONGEST),
            false => Duration::ZERO,
        };
        if failed {
            wait.until = clock.now() + wait.pause;
        }
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
            retry.note(&clock, true);
            assert!(retry.is_waiting(&clock));
            pauses.push(retry.lock().pause);
        }
        assert_eq!(pauses[..2], [FIRST, FIRST * 2]);
        assert_eq!(pauses.last(), Some(&LONGEST));
        retry.note(&clock, false);
        assert!(!retry.is_waiting(&clock));
        retry.note(&clock, true);
        assert_eq!(retry.lock().pause, FIRST);
        retry.lock().until = Duration::ZERO;
        assert!(!retry.is_waiting(&clock));
    }
}
