//! Waiting that adapts. A core that sleeps takes long to wake, so what is about to come is worth
//! looking out for; where it does not come in time, or where the other side needs this core, looking
//! out only costs. So a waiter looks for a few microseconds, and only while that has paid
//! recently; then it sleeps.

use std::hint::spin_loop;

use crate::time::now_ns;

/// How long a waiter looks out, at most.
const LOOK_NS: u64 = 20_000;
/// Looks between two readings of the clock.
const LOOKS: u32 = 16;
/// After looking out in vain `n` times in a row, the next `2^n` waits sleep at once; `n` stays
/// below this.
const MISSES_MAX: u32 = 7;

/// What one waiter has learnt.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    misses: u32,
    /// Waits that sleep at once.
    rest: u32,
}

impl Lookout {
    /// Looks until `ready` gives something, for as long as it is worth.
    pub(crate) fn look<T>(&mut self, ready: impl FnMut() -> Option<T>) -> Option<T> {
        self.look_by(now_ns, ready)
    }

    /// The same, by a clock of the caller's.
    pub(crate) fn look_by<T>(
        &mut self,
        now_ns: impl Fn() -> u64,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if let Some(ready) = ready() {
            return Some(ready);
        }
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        let start = now_ns();
        while now_ns().saturating_sub(start) < LOOK_NS {
            for _ in 0..LOOKS {
                spin_loop();
                if let Some(ready) = ready() {
                    self.misses = 0;
                    return Some(ready);
                }
            }
        }
        self.misses = (self.misses + 1).min(MISSES_MAX);
        self.rest = 1 << self.misses;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is looked during one wait in vain.
    fn looks(lookout: &mut Lookout) -> u64 {
        let mut looks = 0;
        let seen = lookout.look(|| {
            looks += 1;
            None::<()>
        });
        assert!(seen.is_none());
        looks
    }

    #[test]
    fn who_looked_in_vain_sleeps_at_once_for_a_while() {
        let mut lookout = Lookout::default();
        assert!(looks(&mut lookout) > 1);
        assert_eq!(looks(&mut lookout), 1);
        assert_eq!(looks(&mut lookout), 1);
        assert!(looks(&mut lookout) > 1, "it tries again");
    }

    #[test]
    fn who_saw_something_looks_again() {
        let mut lookout = Lookout::default();
        for _ in 0..3 {
            let mut looks = 0;
            let seen = lookout.look(|| {
                looks += 1;
                (looks == 5).then_some(looks)
            });
            assert_eq!(seen, Some(5));
        }
        assert!(looks(&mut lookout) > 1);
    }
}
