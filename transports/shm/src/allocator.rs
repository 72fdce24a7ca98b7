//! Which parts of the requests' memory are in use. The guest alone knows; its owner only reads
//! what it is pointed to.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Parts begin at multiples of this, and are of such lengths.
const STEP_BYTES: usize = 64;

/// Gives out parts of a range of bytes, the lowest that fits first.
#[derive(Debug)]
pub(crate) struct Allocator {
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Debug)]
struct State {
    /// Free parts: where each begins, and its length. No two of them touch.
    free: BTreeMap<usize, usize>,
    /// Threads that wait for a part: without any, nobody is told, which costs a system call.
    waiting: usize,
}

/// A part that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) at: usize,
    pub(crate) length: usize,
}

impl Allocator {
    /// All of `length` bytes are free.
    pub(crate) fn new(length: usize) -> Self {
        Allocator {
            state: Mutex::new(State {
                free: BTreeMap::from([(0, length / STEP_BYTES * STEP_BYTES)]),
                waiting: 0,
            }),
            given_back: Condvar::new(),
        }
    }

    /// Takes a part, if there is one.
    pub(crate) fn take(&self, length: usize) -> Option<Part> {
        take(&mut self.lock().free, length)
    }

    /// Takes a part; waits for it up to `timeout`.
    pub(crate) fn take_within(&self, length: usize, timeout: Duration) -> Option<Part> {
        let mut state = self.lock();
        state.waiting += 1;
        let mut taken = None;
        let waited = self.given_back.wait_timeout_while(state, timeout, |state| {
            taken = take(&mut state.free, length);
            taken.is_none()
        });
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        taken
    }

    /// Gives a part back.
    pub(crate) fn give_back(&self, part: Part) {
        let mut state = self.lock();
        let State { free, waiting } = &mut *state;
        let (mut at, mut length) = (part.at, part.length);
        if let Some((&before, &its)) = free.range(..at).next_back()
            && before + its == at
        {
            free.remove(&before);
            (at, length) = (before, its + length);
        }
        if let Some(its) = free.remove(&(at + length)) {
            length += its;
        }
        free.insert(at, length);
        let is_awaited = *waiting > 0;
        drop(state);
        if is_awaited {
            self.given_back.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(free: &mut BTreeMap<usize, usize>, length: usize) -> Option<Part> {
    let length = length.max(1).checked_next_multiple_of(STEP_BYTES)?;
    let (&at, &its) = free.iter().find(|(_, its)| **its >= length)?;
    free.remove(&at);
    if its > length {
        free.insert(at + length, its - length);
    }
    Some(Part { at, length })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_never_overlap_and_all_memory_comes_back(
            steps in proptest::collection::vec((any::<bool>(), 0..5_000_usize), 1..200),
        ) {
            const BYTES: usize = 64 << 10;
            let allocator = Allocator::new(BYTES);
            let mut used: Vec<Part> = Vec::new();
            for (takes, size) in steps {
                if takes || used.is_empty() {
                    if let Some(part) = allocator.take(size) {
                        prop_assert!(part.length >= size.max(1) && part.at + part.length <= BYTES);
                        let apart = |other: &Part| {
                            part.at + part.length <= other.at || other.at + other.length <= part.at
                        };
                        prop_assert!(used.iter().all(apart));
                        used.push(part);
                    }
                } else {
                    allocator.give_back(used.swap_remove(size % used.len()));
                }
            }
            used.into_iter().for_each(|part| allocator.give_back(part));
            prop_assert_eq!(allocator.take(BYTES), Some(Part { at: 0, length: BYTES }));
        }
    }

    #[test]
    fn who_waits_gets_what_is_given_back() {
        let allocator = Allocator::new(1_024);
        let all = allocator.take(1_024).unwrap();
        assert_eq!(allocator.take_within(64, Duration::from_millis(5)), None);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| allocator.take_within(1_024, Duration::from_secs(20)));
            std::thread::sleep(Duration::from_millis(20));
            allocator.give_back(all);
            assert_eq!(waiter.join().unwrap(), Some(all));
        });
    }
}
