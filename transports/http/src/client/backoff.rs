//! How long to wait between tries: longer each time, and never all clients at once.

use std::time::{Duration, Instant};

/// The first wait, at most.
const FIRST: Duration = Duration::from_millis(20);
/// A later wait, at most.
const LONGEST: Duration = Duration::from_millis(1_000);

/// The waits of one call.
pub(super) struct Backoff {
    next: Duration,
    time: Duration,
    /// When trying ends; known from the first wait on.
    end: Option<Instant>,
}

impl Backoff {
    /// Waits are over `time` after the first of them began.
    pub(super) fn new(time: Duration) -> Self {
        Backoff {
            next: FIRST,
            time,
            end: None,
        }
    }

    /// The next wait, at least as long as the server asked for; `None` if it would end too late.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let now = Instant::now();
        let end = *self.end.get_or_insert(now + self.time);
        let longest = self.next;
        self.next = (longest * 2).min(LONGEST);
        // Between a half and the whole, so that clients that were cut off together spread.
        let wait = asked.unwrap_or_default() + longest.mul_f64(0.5 + 0.5 * chance());
        (now + wait < end).then_some(wait)
    }
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    let random = getrandom::u32().unwrap_or_default();
    f64::from(random) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_differ_and_end() {
        let mut backoff = Backoff::new(Duration::from_secs(60));
        let waits: Vec<Duration> = (0..10).map(|_| backoff.next(None).unwrap()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2);
        assert!(waits[9] <= LONGEST && waits[9] >= LONGEST / 2);
        let other = Backoff::new(Duration::from_secs(60)).next(None).unwrap();
        assert_ne!(waits[0], other);
        let asked = Duration::from_secs(2);
        assert!(backoff.next(Some(asked)).unwrap() > asked);
        assert_eq!(Backoff::new(Duration::ZERO).next(None), None);
        assert_eq!(Backoff::new(Duration::from_secs(1)).next(Some(asked)), None);
    }
}
