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

#[cfg(not(miri))]
mod mapping;
#[cfg(miri)]
#[path = "region/stand_in.rs"]
mod mapping;

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nearfield_model::Result;

use self::mapping::Mapping;
use crate::layout::{OWNER_BYTES, REGION_BYTES};
use crate::ring::Words;

/// Shared memory, as this process sees it.
pub(crate) struct Region {
    mapping: Mapping,
}

// SAFETY: the mapping belongs to no thread, and all access is atomic, or a copy that takes into account
// that others write, or through a piece that its holder has alone.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Makes memory, seals it and maps it.
    pub(crate) fn make() -> std::io::Result<(Region, OwnedFd)> {
        let (mapping, memory) = Mapping::make()?;
        Ok((Region { mapping }, memory))
    }

    /// Maps memory that came from elsewhere, after a look at what it is.
    ///
    /// # Errors
    /// `InvalidArgument` if it could be shortened, is of another size, or is something else.
    pub(crate) fn open(memory: &OwnedFd) -> Result<Region> {
        Mapping::open(memory).map(|mapping| Region { mapping })
    }

    /// Whether the mapping is in this process: a forked child has none.
    pub(crate) fn is_ours(&self) -> bool {
        self.mapping.is_ours()
    }

    /// The bytes from `at` on, if there are so many.
    fn bytes(&self, at: usize, length: usize) -> Option<*mut u8> {
        let end = at.checked_add(length)?;
        if end > REGION_BYTES || !self.is_ours() {
            return None;
        }
        // SAFETY: within the mapping, which lives as long as this.
        Some(unsafe { self.mapping.start().add(at) })
    }

    /// Copies bytes out of the memory; false if they are not all in it.
    pub(crate) fn read(&self, at: usize, to: &mut [u8]) -> bool {
        let Some(from) = self.bytes(at, to.len()) else {
            return false;
        };
        // SAFETY: `from` has that many bytes in the mapping.
        unsafe { copy_out(from, to) };
        true
    }

    /// Copies bytes into the memory, of which this process writes the part; false if they do not fit.
    pub(crate) fn write(&self, at: usize, from: &[u8]) -> bool {
        let Some(to) = self.bytes(at, from.len()) else {
            return false;
        };
        // SAFETY: `to` has that many bytes in the mapping.
        unsafe { copy_in(from, to) };
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
        if length > 0 && self.bytes(first, length).is_some() {
            self.mapping.forget(first, length);
        }
    }

    /// Where values lie in this memory, if all of them do.
    pub(crate) fn place_of(&self, values: &[f32]) -> Option<usize> {
        let start = self.mapping.start().addr();
        let at = values.as_ptr().addr().checked_sub(start)?;
        let inside = at.checked_add(size_of_val(values))? <= REGION_BYTES;
        (inside && self.is_ours()).then_some(at)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").finish_non_exhaustive()
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
            mapping::sleep(word, expected, timeout);
        }
    }

    fn wake(&self, at: usize, count: u32) {
        if let Some(word) = self.word(at) {
            mapping::wake(word, count);
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

/// Copies bytes by the processor's own instruction, if that is worth it here; false if it did not.
///
/// # Safety
/// Both ranges are mapped, and do not overlap. Others may touch one of them meanwhile.
unsafe fn copy_string(from: *const u8, to: *mut u8, length: usize) -> bool {
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
        return true;
    }
    let _ = (from, to, length);
    false
}

/// Copies bytes out of shared memory, which another process may write meanwhile.
///
/// # Safety
/// All bytes from `from` on are in shared memory that is mapped.
unsafe fn copy_out(from: *mut u8, to: &mut [u8]) {
    // SAFETY: the caller says so of the one, and the other is private.
    if unsafe { copy_string(from, to.as_mut_ptr(), to.len()) } {
        return;
    }
    let (first, words) = split(from, to.len());
    let (start, rest) = to.split_at_mut(first);
    let (middle, end) = rest.split_at_mut(words * 8);
    // SAFETY: all places are within the range, whole words at multiples of 8, and only touched
    // atomically.
    unsafe {
        for (at, byte) in start.iter_mut().enumerate() {
            *byte = AtomicU8::from_ptr(from.add(at)).load(Ordering::Relaxed);
        }
        for (at, word) in middle.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let shared = AtomicU64::from_ptr(from.add(first + at * 8).cast());
            *word = shared.load(Ordering::Relaxed).to_ne_bytes();
        }
        for (at, byte) in end.iter_mut().enumerate() {
            let shared = AtomicU8::from_ptr(from.add(first + words * 8 + at));
            *byte = shared.load(Ordering::Relaxed);
        }
    }
}

/// Copies bytes into shared memory, which another process may read or write meanwhile.
///
/// # Safety
/// All bytes from `to` on are in shared memory that is mapped, and written by this process.
unsafe fn copy_in(from: &[u8], to: *mut u8) {
    // SAFETY: the caller says so of the one, and the other is private.
    if unsafe { copy_string(from.as_ptr(), to, from.len()) } {
        return;
    }
    let (first, words) = split(to, from.len());
    let (start, rest) = from.split_at(first);
    let (middle, end) = rest.split_at(words * 8);
    // SAFETY: as in `copy_out`.
    unsafe {
        for (at, byte) in start.iter().enumerate() {
            AtomicU8::from_ptr(to.add(at)).store(*byte, Ordering::Relaxed);
        }
        for (at, word) in middle.as_chunks::<8>().0.iter().enumerate() {
            let shared = AtomicU64::from_ptr(to.add(first + at * 8).cast());
            shared.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        for (at, byte) in end.iter().enumerate() {
            let shared = AtomicU8::from_ptr(to.add(first + words * 8 + at));
            shared.store(*byte, Ordering::Relaxed);
        }
    }
}

/// How many bytes lie before the first whole word of a range in shared memory, and how many words follow.
fn split(shared: *mut u8, length: usize) -> (usize, usize) {
    let first = (shared.addr().wrapping_neg() % 8).min(length);
    (first, (length - first) / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::REQUESTS;

    #[test]
    fn both_mappings_show_the_same_bytes() {
        let (guest, memory) = Region::make().unwrap();
        let owner = Region::open(&memory).unwrap();
        let long = if cfg!(miri) { 600 } else { 100_000 };
        for length in [0, 1, 7, 8, 9, 17, 255, 256, long] {
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
}
