//! Memory that two processes share: made by the guest, sealed so that nobody can shorten it, and
//! mapped by both.
//!
//! The other process may change any byte at any time. So no slice or reference is ever made
//! over it here, with two exceptions: words are atomics, and a guest writes vectors into the part that
//! its owner only reads. Everything else is copied, out or in, by instructions that the compiler
//! takes for opaque, or through atomics.

#![allow(
    unsafe_code,
    reason = "memory is mapped, and copied while others may write to it"
)]

use std::ffi::c_void;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nearfield_model::{Error, ErrorKind, Result};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::thread::futex;

use crate::fork::generation;
use crate::layout::{OWNER_BYTES, REGION_BYTES};
use crate::ring::Words;
use crate::time::timespec;

/// What the memory has to be sealed against.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);
/// The file system that such memory lives in, when its pages are of the usual size. Large pages
/// come from a pool, and touching one that the pool does not have kills the process.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// A mapping of shared memory.
pub(crate) struct Region {
    start: NonNull<u8>,
    generation: u64,
}

// SAFETY: the mapping belongs to no thread, and all access is atomic, or a copy that takes into account
// that others write, or through a piece that its holder has alone.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Makes memory, seals it and maps it.
    pub(crate) fn make() -> std::io::Result<(Region, OwnedFd)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create(c"nearfield", flags)?;
        check_size(REGION_BYTES as u64)?;
        rustix::fs::ftruncate(&memory, REGION_BYTES as u64)?;
        rustix::fs::fcntl_add_seals(&memory, SEALS)?;
        let region = Region::map(&memory, REGION_BYTES)?;
        Ok((region, memory))
    }

    /// Maps memory that came from elsewhere, after a look at what it is.
    ///
    /// # Errors
    /// `InvalidArgument` if it could be shortened, is of another size, or is something else.
    pub(crate) fn open(memory: &OwnedFd) -> Result<Region> {
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
        Region::map(memory, OWNER_BYTES).map_err(|error| {
            let what = format!("the shared memory cannot be mapped: {error}");
            Error::new(ErrorKind::OutOfMemory, what)
        })
    }

    /// Maps all of it, the first `writable` bytes for writing too.
    fn map(memory: impl AsFd, writable: usize) -> std::io::Result<Region> {
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
        let region = Region {
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
        Ok(region)
    }

    /// Whether the mapping is in this process: a forked child has none.
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == generation()
    }

    /// The bytes from `at` on, if there are so many.
    fn bytes(&self, at: usize, length: usize) -> Option<*mut u8> {
        let end = at.checked_add(length)?;
        if end > REGION_BYTES || !self.is_ours() {
            return None;
        }
        // SAFETY: within the mapping, which lives as long as this.
        Some(unsafe { self.start.as_ptr().add(at) })
    }

    /// Copies bytes out of the memory; false if they are not all in it.
    pub(crate) fn read(&self, at: usize, to: &mut [u8]) -> bool {
        let Some(from) = self.bytes(at, to.len()) else {
            return false;
        };
        // SAFETY: `from` has that many bytes, `to` is private, and the copy allows for writers.
        unsafe { copy(from, to.as_mut_ptr(), to.len()) };
        true
    }

    /// Copies bytes into the memory, of which this process writes the part; false if they do not fit.
    pub(crate) fn write(&self, at: usize, from: &[u8]) -> bool {
        let Some(to) = self.bytes(at, from.len()) else {
            return false;
        };
        // SAFETY: `to` has that many bytes, and the copy allows for others that touch them.
        unsafe { copy(from.as_ptr(), to, from.len()) };
        true
    }

    /// Reads a number that the other side may be writing.
    pub(crate) fn number(&self, at: usize) -> u64 {
        self.bytes(at, 8)
            .filter(|_| at.is_multiple_of(8))
            // SAFETY: aligned, within the mapping, and only touched atomically.
            .map_or(0, |word| unsafe {
                AtomicU64::from_ptr(word.cast()).load(Ordering::Acquire)
            })
    }

    /// Writes a number.
    pub(crate) fn set_number(&self, at: usize, number: u64) {
        if let Some(word) = self.bytes(at, 8).filter(|_| at.is_multiple_of(8)) {
            // SAFETY: as in `number`.
            unsafe { AtomicU64::from_ptr(word.cast()).store(number, Ordering::Release) };
        }
    }

    /// A word. Words are only ever touched as atomics.
    fn word(&self, at: usize) -> Option<&AtomicU32> {
        let word = self.bytes(at, 4).filter(|_| at.is_multiple_of(4))?;
        // SAFETY: aligned, within the mapping, which lives as long as this; both processes touch
        // words only atomically.
        Some(unsafe { AtomicU32::from_ptr(word.cast()) })
    }

    /// Gives the pages of a range back, whose content is not needed any more.
    pub(crate) fn forget(&self, at: usize, length: usize) {
        let page = rustix::param::page_size();
        let first = at.next_multiple_of(page);
        let Some(length) = (at + length).checked_sub(first) else {
            return;
        };
        let length = length / page * page;
        if let Some(start) = self.bytes(first, length).filter(|_| length > 0) {
            // SAFETY: the range is within the mapping, and its holder says that nobody needs it. Where
            // the kernel refuses, the pages stay.
            let _kept = unsafe { rustix::mm::madvise(start.cast(), length, Advice::LinuxRemove) };
        }
    }

    /// Where values lie in this memory, if all of them do.
    pub(crate) fn place_of(&self, values: &[f32]) -> Option<usize> {
        let start = self.start.as_ptr().addr();
        let at = values.as_ptr().addr().checked_sub(start)?;
        let inside = at.checked_add(size_of_val(values))? <= REGION_BYTES;
        (inside && self.is_ours()).then_some(at)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: the mapping was made by `map` and nothing of it is used after this; a forked
            // child has none. Where the kernel refuses, it stays.
            let _kept = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), REGION_BYTES) };
        }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").finish_non_exhaustive()
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

/// Words outside of the memory read as 0 and take no writes; all places are constants of the layout.
impl Words for Region {
    fn load(&self, at: usize) -> u32 {
        self.word(at).map_or(0, |word| word.load(Ordering::SeqCst))
    }

    fn store(&self, at: usize, value: u32) {
        if let Some(word) = self.word(at) {
            word.store(value, Ordering::SeqCst);
        }
    }

    fn add(&self, at: usize, value: u32) {
        if let Some(word) = self.word(at) {
            word.fetch_add(value, Ordering::SeqCst);
        }
    }

    fn set(&self, at: usize, bits: u32) -> u32 {
        self.word(at)
            .map_or(0, |word| word.fetch_or(bits, Ordering::SeqCst))
    }

    fn clear(&self, at: usize, bits: u32) -> u32 {
        self.word(at)
            .map_or(0, |word| word.fetch_and(!bits, Ordering::SeqCst))
    }

    fn sleep(&self, at: usize, expected: u32, timeout: Option<Duration>) {
        if let Some(word) = self.word(at) {
            // Whoever slept looks again, however it ended.
            let _ = futex::wait(
                word,
                futex::Flags::empty(),
                expected,
                timeout.map(timespec).as_ref(),
            );
        }
    }

    fn wake(&self, at: usize, count: u32) {
        if let Some(word) = self.word(at) {
            // It fails for no word of a mapping.
            let _ = futex::wake(word, futex::Flags::empty(), count);
        }
    }
}

/// A guest's piece of the requests' part: components that it writes in place.
#[derive(Debug)]
pub(crate) struct Piece {
    region: Arc<Region>,
    at: usize,
    count: usize,
}

impl Piece {
    /// A piece of zeros. The caller's allocator gives no byte of it to anybody else of this process
    /// as long as the piece lives; the other process only reads it.
    pub(crate) fn reserve(region: &Arc<Region>, at: usize, count: usize) -> Option<Piece> {
        let length = count.checked_mul(size_of::<f32>())?;
        let start = region
            .bytes(at, length)
            .filter(|_| at >= OWNER_BYTES && at.is_multiple_of(align_of::<f32>()))?;
        // SAFETY: within the mapping, in the part that this process alone writes.
        unsafe { start.write_bytes(0, length) };
        Some(Piece {
            region: Arc::clone(region),
            at,
            count,
        })
    }

    /// The components; none in a forked child.
    pub(crate) fn values(&self) -> &[f32] {
        match self.region.bytes(self.at, self.count * size_of::<f32>()) {
            // SAFETY: within the mapping, aligned, any bits are an `f32`, and only the holder writes.
            Some(start) => unsafe { std::slice::from_raw_parts(start.cast(), self.count) },
            None => &[],
        }
    }

    /// The components, to be written.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        match self.region.bytes(self.at, self.count * size_of::<f32>()) {
            // SAFETY: as above, and this borrows the only holder.
            Some(start) => unsafe { std::slice::from_raw_parts_mut(start.cast(), self.count) },
            None => &mut [],
        }
    }
}

/// From this length on the processor's own copy is used.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const STRING_BYTES_MIN: usize = 256;

/// Copies bytes of which one side may be written or read by another process meanwhile.
///
/// # Safety
/// Both ranges are mapped, and do not overlap.
unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if length >= STRING_BYTES_MIN {
        // SAFETY: copies `length` bytes, which the caller says are mapped. The compiler knows nothing of
        // what happens here, so it assumes nothing about bytes that others change.
        unsafe {
            std::arch::asm!(
                "rep movsb",
                inout("rcx") length => _,
                inout("rsi") from => _,
                inout("rdi") to => _,
                options(nostack, preserves_flags),
            );
        }
        return;
    }
    let mut done = 0;
    if from.addr() % 8 == to.addr() % 8 {
        // SAFETY: both are aligned to 8 at the same offsets, so whole words lie within the ranges.
        unsafe {
            while done < length && !(from.addr() + done).is_multiple_of(8) {
                copy_byte(from, to, done);
                done += 1;
            }
            while done + 8 <= length {
                let word = AtomicU64::from_ptr(from.add(done).cast_mut().cast());
                let value = word.load(Ordering::Relaxed);
                AtomicU64::from_ptr(to.add(done).cast()).store(value, Ordering::Relaxed);
                done += 8;
            }
        }
    }
    while done < length {
        // SAFETY: within both ranges.
        unsafe { copy_byte(from, to, done) };
        done += 1;
    }
}

/// Copies the byte at `at`.
///
/// # Safety
/// It lies in both ranges.
unsafe fn copy_byte(from: *const u8, to: *mut u8, at: usize) {
    // SAFETY: the caller says so; a byte is always aligned.
    unsafe {
        let byte = AtomicU8::from_ptr(from.add(at).cast_mut()).load(Ordering::Relaxed);
        AtomicU8::from_ptr(to.add(at)).store(byte, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::REQUESTS;

    #[test]
    fn both_mappings_show_the_same_bytes() {
        let (guest, memory) = Region::make().unwrap();
        let owner = Region::open(&memory).unwrap();
        for length in [0, 1, 7, 8, 9, 255, 256, 1_000, 100_000] {
            for shift in [0, 1, 3] {
                let bytes: Vec<u8> = (0..length).map(|byte| (byte % 251) as u8).collect();
                assert!(guest.write(REQUESTS + shift, &bytes));
                let mut read = vec![0; length];
                assert!(owner.read(REQUESTS + shift, &mut read));
                assert_eq!(read, bytes);
            }
        }
        assert!(!owner.read(REGION_BYTES - 1, &mut [0; 2]));
        assert!(!owner.read(usize::MAX, &mut [0; 2]));
        guest.store(0, 7);
        assert_eq!(owner.load(0), 7);
        guest.set_number(8, 1 << 40);
        assert_eq!(owner.number(8), 1 << 40);
    }

    #[test]
    fn memory_that_could_be_shortened_is_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create(c"test", flags).unwrap();
        rustix::fs::ftruncate(&memory, REGION_BYTES as u64).unwrap();
        assert!(Region::open(&memory).is_err());
        rustix::fs::fcntl_add_seals(&memory, SealFlags::GROW | SealFlags::SEAL).unwrap();
        let error = Region::open(&memory).unwrap_err();
        assert!(error.message().contains("sealed"), "{error}");
    }

    #[test]
    fn memory_of_another_size_and_other_files_are_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create(c"test", flags).unwrap();
        rustix::fs::ftruncate(&memory, REGION_BYTES as u64 - 4_096).unwrap();
        rustix::fs::fcntl_add_seals(&memory, SEALS).unwrap();
        assert!(Region::open(&memory).is_err());
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        rustix::fs::ftruncate(&file, REGION_BYTES as u64).unwrap();
        assert!(Region::open(&file).is_err());
    }

    #[test]
    fn a_sealed_memory_cannot_be_shortened_by_its_maker() {
        let (_region, memory) = Region::make().unwrap();
        assert!(rustix::fs::ftruncate(&memory, 4_096).is_err());
        assert!(rustix::fs::fcntl_add_seals(&memory, SealFlags::WRITE).is_err());
    }
}
