//! The threads that sleep in shared memory, to be woken when nobody else will.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::layout::{SLOTS, Slot};
use crate::region::Region;
use crate::ring::Words as _;

/// A bit per slot whose response is waited for.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    slots: AtomicU32,
    region: OnceLock<Weak<Region>>,
}

impl Sleepers {
    /// Counts a thread in until what is returned is dropped.
    pub(super) fn add(&self, region: &Arc<Region>, slot: Slot) -> Sleeper<'_> {
        self.region.get_or_init(|| Arc::downgrade(region));
        self.slots.fetch_or(slot.bit(), Ordering::SeqCst);
        Sleeper(self, slot)
    }

    /// Wakes all of them; false if there are none.
    pub(super) fn wake(&self) -> bool {
        let slots = self.slots.load(Ordering::SeqCst);
        let region = self.region.get().and_then(Weak::upgrade);
        let Some(region) = region.filter(|_| slots != 0) else {
            return false;
        };
        for slot in (0..SLOTS as u32).map(Slot) {
            if slots & slot.bit() != 0 {
                region.wake(slot.answers(), u32::MAX >> 1);
            }
        }
        true
    }
}

/// A thread that waits.
pub(super) struct Sleeper<'s>(&'s Sleepers, Slot);

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.0.slots.fetch_and(!self.1.bit(), Ordering::SeqCst);
    }
}
