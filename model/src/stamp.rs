//! A point in time that the processes of one machine share.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970 by the machine's clock. Two processes of one machine tell each other by
/// it how long bytes were on their way; on two machines it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

impl Stamp {
    /// The present.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanoseconds = since.unwrap_or_default().as_nanos();
        Stamp(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// The stamp that [`Display`](fmt::Display) wrote; `None` of other text.
    pub fn read(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Stamp)
    }

    /// The time since then; nothing if that is yet to come.
    pub fn elapsed(self) -> Duration {
        Duration::from_nanos(Stamp::now().0.saturating_sub(self.0))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let stamp = Stamp::now();
        assert_eq!(Stamp::read(&stamp.to_string()), Some(stamp));
        assert!(stamp.elapsed() < Duration::from_secs(60));
        assert_eq!(Stamp(u64::MAX).elapsed(), Duration::ZERO);
        assert_eq!(Stamp::read("soon"), None);
    }
}
