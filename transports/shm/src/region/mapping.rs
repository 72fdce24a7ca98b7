//! The mapping itself: memory without a name, that nobody can shorten.

use std::ffi::c_void;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use nearfield_model::{Error, ErrorKind, Result};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::thread::futex;
use rustix::time::Timespec;

use crate::fork::generation;
use crate::layout::{OWNER_BYTES, REGION_BYTES};

/// What the memory has to be sealed against.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);
/// The file system that such memory lives in, when its pages are of the usual size. Large pages
/// come from a pool, and touching one that the pool does not have kills the process.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// A mapping of shared memory.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    generation: u64,
}

impl Mapping {
    /// Makes memory, seals it and maps it.
    pub(super) fn make() -> std::io::Result<(Mapping, OwnedFd)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create(c"nearfield", flags)?;
        check_size(REGION_BYTES as u64)?;
        rustix::fs::ftruncate(&memory, REGION_BYTES as u64)?;
        rustix::fs::fcntl_add_seals(&memory, SEALS)?;
        let mapping = Mapping::map(&memory, REGION_BYTES)?;
        Ok((mapping, memory))
    }

    /// Maps memory that came from elsewhere, after a look at what it is.
    ///
    /// # Errors
    /// As [`Region::open`](super::Region::open).
    pub(super) fn open(memory: &OwnedFd) -> Result<Mapping> {
        let refused = |what: &str| Error::invalid(format!("the shared memory is refused: {what}"));
        // The seals first: without them the size may change after it was looked at.
        let seals = rustix::fs::fcntl_get_seals(memory).map_err(|_| refused("it has no seals"))?;
        if !seals.contains(SEALS) {
            return Err(refused("it is not sealed"));
        }
        let kind = rustix::fs::fstatfs(memory).map_err(|_| refused("it cannot be looked at"))?;
        if u64::try_from(kind.f_type) != Ok(TMPFS_MAGIC) {
            return Err(refused("its pages are not of the usual kind"));
        }
        let found = rustix::fs::fstat(memory).map_err(|_| refused("it cannot be looked at"))?;
        if u64::try_from(found.st_size) != Ok(REGION_BYTES as u64) {
            return Err(refused("it is of another size"));
        }
        Mapping::map(memory, OWNER_BYTES).map_err(|error| {
            let what = format!("the shared memory cannot be mapped: {error}");
            Error::new(ErrorKind::OutOfMemory, what)
        })
    }

    /// Maps all of it, the first `writable` bytes for writing too.
    fn map(memory: impl AsFd, writable: usize) -> std::io::Result<Mapping> {
        // SAFETY: a new mapping at an address that the kernel chooses replaces nothing.
        let start = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                REGION_BYTES,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                memory,
                0,
            )?
        };
        let start = NonNull::new(start.cast::<u8>()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        let mapping = Mapping {
            start,
            generation: generation(),
        };
        // SAFETY: the range is the mapping that was just made, of which nothing is used yet.
        unsafe {
            if writable < REGION_BYTES {
                let rest = start.as_ptr().add(writable).cast::<c_void>();
                rustix::mm::mprotect(
                    rest,
                    REGION_BYTES - writable,
                    rustix::mm::MprotectFlags::READ,
                )?;
            }
            rustix::mm::madvise(start.as_ptr().cast(), REGION_BYTES, Advice::LinuxDontFork)?;
        }
        Ok(mapping)
    }

    /// Whether it is in this process.
    pub(super) fn is_ours(&self) -> bool {
        self.generation == generation()
    }

    /// The first byte.
    pub(super) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Gives whole pages back, whose content is not needed any more; they read as zeros then.
    pub(super) fn forget(&self, at: usize, length: usize) {
        if self.is_ours() && at.saturating_add(length) <= REGION_BYTES {
            // SAFETY: the range is within the mapping, and this changes no more than bytes, which any
            // holder of the memory may do. Where the kernel refuses, the pages stay.
            let _kept = unsafe {
                let start = self.start.as_ptr().add(at).cast();
                rustix::mm::madvise(start, length, Advice::LinuxRemove)
            };
        }
    }
}

/// Fails where the process may make no file of that size: memory counts as one, and trying ends the process
/// by a signal.
fn check_size(bytes: u64) -> std::io::Result<()> {
    let most = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    match most.is_some_and(|most| most < bytes) {
        true => Err(std::io::ErrorKind::FileTooLarge.into()),
        false => Ok(()),
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: the mapping was made by `map` and nothing of it is used after this; a forked
            // child has none. Where the kernel refuses, it stays.
            let _kept = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), REGION_BYTES) };
        }
    }
}

/// Sleeps at a word of the mapping until it is woken there, or at once if the word is not as expected.
pub(super) fn sleep(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(timespec);
    // Whoever slept looks again, however it ended.
    let _ = futex::wait(word, futex::Flags::empty(), expected, timeout.as_ref());
}

/// Wakes those who sleep at a word of the mapping, at most so many.
pub(super) fn wake(word: &AtomicU32, count: u32) {
    // It fails for no word of a mapping.
    let _ = futex::wake(word, futex::Flags::empty(), count);
}

/// A time as the operating system takes it.
fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_could_be_shortened_is_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create(c"test", flags).unwrap();
        rustix::fs::ftruncate(&memory, REGION_BYTES as u64).unwrap();
        assert!(Mapping::open(&memory).is_err());
        rustix::fs::fcntl_add_seals(&memory, SealFlags::GROW | SealFlags::SEAL).unwrap();
        let error = Mapping::open(&memory).unwrap_err();
        assert!(error.message().contains("sealed"), "{error}");
    }

    #[test]
    fn memory_of_another_size_and_other_files_are_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create(c"test", flags).unwrap();
        rustix::fs::ftruncate(&memory, REGION_BYTES as u64 - 4_096).unwrap();
        rustix::fs::fcntl_add_seals(&memory, SEALS).unwrap();
        assert!(Mapping::open(&memory).is_err());
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        rustix::fs::ftruncate(&file, REGION_BYTES as u64).unwrap();
        assert!(Mapping::open(&file).is_err());
    }

    #[test]
    fn a_sealed_memory_cannot_be_shortened_by_its_maker() {
        let (_mapping, memory) = Mapping::make().unwrap();
        assert!(rustix::fs::ftruncate(&memory, 4_096).is_err());
        assert!(rustix::fs::fcntl_add_seals(&memory, SealFlags::WRITE).is_err());
    }
}
