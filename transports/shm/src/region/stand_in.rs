//! In place of a mapping, for Miri, which shares no memory between processes: both sides are in one
//! process there, and see one allocation.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use nearfield_model::{Error, Result};

use crate::layout::REGION_BYTES;

/// As aligned as a mapping is.
const LAYOUT: Layout = match Layout::from_size_align(REGION_BYTES, 4_096) {
    Ok(layout) => layout,
    Err(_) => panic!("the size is a constant"),
};

/// The memory that descriptors stand for.
static MADE: Mutex<BTreeMap<RawFd, Weak<Allocation>>> = Mutex::new(BTreeMap::new());

/// One side's view.
pub(super) struct Mapping(Arc<Allocation>);

struct Allocation(NonNull<u8>);

// SAFETY: it belongs to no thread; who touches its bytes takes care, as with a mapping.
unsafe impl Send for Allocation {}
// SAFETY: as above.
unsafe impl Sync for Allocation {}

impl Mapping {
    pub(super) fn make() -> std::io::Result<(Mapping, OwnedFd)> {
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(LAYOUT) });
        let allocation = Arc::new(Allocation(start.ok_or(std::io::ErrorKind::OutOfMemory)?));
        let descriptor = OwnedFd::from(File::open("/dev/null")?);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(descriptor.as_raw_fd(), Arc::downgrade(&allocation));
        Ok((Mapping(allocation), descriptor))
    }

    pub(super) fn open(memory: &OwnedFd) -> Result<Mapping> {
        let made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let allocation = made.get(&memory.as_raw_fd()).and_then(Weak::upgrade);
        allocation
            .map(Mapping)
            .ok_or_else(|| Error::invalid("the shared memory is refused: it was not made here"))
    }

    pub(super) fn is_ours(&self) -> bool {
        true
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.0.0.as_ptr()
    }

    pub(super) fn forget(&self, _: usize, _: usize) {}
}

/// Sleeps no longer than until another thread had a turn.
pub(super) fn sleep(_: &AtomicU32, _: u32, _: Option<Duration>) {
    std::thread::yield_now();
}

pub(super) fn wake(_: &AtomicU32, _: u32) {}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and nobody has it any more.
        unsafe { dealloc(self.0.as_ptr(), LAYOUT) };
    }
}
