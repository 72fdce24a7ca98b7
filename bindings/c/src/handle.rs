//! Handles: numbers that stand for what is open, checked at each use. A handle is a slot of a
//! table and how often that slot was given out before, so one that was freed is told apart from
//! all others, and is never dereferenced.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use client::{Error, Result};

use crate::status::{guard, nf_status};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("a handle has 64 bits");

/// What stands behind a kind of handle.
pub(crate) trait Open: Sized + Send + Sync + 'static {
    /// The top bits of the kind's handles; no address of a process has them.
    const KIND: u8;
    /// What errors call it.
    const NAME: &'static str;

    fn table() -> &'static Table<Self>;
}

/// What is open of one kind.
pub(crate) struct Table<T> {
    slots: boxcar::Vec<RwLock<Slot<T>>>,
    free: Mutex<Vec<u32>>,
}

struct Slot<T> {
    generation: u32,
    open: Option<Arc<T>>,
}

/// Generations that fit into a handle; a slot that has had them all is not used again.
const GENERATIONS: u32 = 1 << 24;

impl<T> Table<T> {
    pub(crate) const fn new() -> Table<T> {
        Table {
            slots: boxcar::Vec::new(),
            free: Mutex::new(Vec::new()),
        }
    }
}

/// Takes in what was opened; the handle is valid until [`close`].
pub(crate) fn open<T: Open>(value: T) -> *mut T {
    let table = T::table();
    let value = Some(Arc::new(value));
    let reused = lock(&table.free).pop();
    let (index, generation) = match reused.and_then(|index| Some((index, slot(index)?))) {
        Some((index, slot)) => {
            let mut slot = slot.write().unwrap_or_else(PoisonError::into_inner);
            slot.open = value;
            (index as usize, slot.generation)
        }
        None => {
            let slot = Slot {
                generation: 0,
                open: value,
            };
            (table.slots.push(RwLock::new(slot)), 0)
        }
    };
    std::ptr::without_provenance_mut(number::<T>(index, generation))
}

/// What a handle stands for.
pub(crate) fn find<T: Open>(handle: *mut T) -> Result<Arc<T>> {
    let found = place(handle).and_then(|(index, generation)| {
        let slot = slot::<T>(index)?;
        let slot = slot.read().unwrap_or_else(PoisonError::into_inner);
        let open = slot.open.as_ref()?;
        (slot.generation == generation).then(|| open.clone())
    });
    found.ok_or_else(|| stale(handle))
}

/// Gives a handle back; what it stands for goes once the calls that use it have ended.
pub(crate) fn close<T: Open>(handle: *mut T) -> Result<()> {
    let closed = place(handle).and_then(|(index, generation)| {
        let slot = slot::<T>(index)?;
        let mut slot = slot.write().unwrap_or_else(PoisonError::into_inner);
        if slot.generation != generation {
            return None;
        }
        let open = slot.open.take()?;
        slot.generation += 1;
        if slot.generation < GENERATIONS {
            lock(&T::table().free).push(index);
        }
        Some(open)
    });
    // It is dropped here, outside of the locks.
    closed.map(drop).ok_or_else(|| stale(handle))
}

/// The work of the functions that give handles back: NULL is fine.
pub(crate) fn free<T: Open>(handle: *mut T) -> nf_status {
    guard(|| match handle.is_null() {
        true => Ok(()),
        false => close(handle),
    })
}

fn slot<T: Open>(index: u32) -> Option<&'static RwLock<Slot<T>>> {
    T::table().slots.get(index as usize)
}

fn lock(free: &Mutex<Vec<u32>>) -> std::sync::MutexGuard<'_, Vec<u32>> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number<T: Open>(index: usize, generation: u32) -> usize {
    usize::from(T::KIND) << 56 | (generation as usize) << 32 | index
}

/// The slot and generation that a handle names, if it is of this kind.
fn place<T: Open>(handle: *mut T) -> Option<(u32, u32)> {
    let number = handle.addr();
    (number >> 56 == usize::from(T::KIND))
        .then_some((number as u32, (number >> 32) as u32 & (GENERATIONS - 1)))
}

#[cold]
fn stale<T: Open>(handle: *mut T) -> Error {
    let what = match handle.is_null() {
        true => "the handle is NULL",
        false => "the handle was freed, or is of another kind",
    };
    Error::invalid(format!("{what}; give one that is open")).in_field(T::NAME)
}

/// Declares what stands behind a handle.
macro_rules! opens {
    ($type:ty, $kind:literal, $name:literal) => {
        impl crate::handle::Open for $type {
            const KIND: u8 = $kind;
            const NAME: &'static str = $name;

            fn table() -> &'static crate::handle::Table<Self> {
                static TABLE: crate::handle::Table<$type> = crate::handle::Table::new();
                &TABLE
            }
        }
    };
}
pub(crate) use opens;
