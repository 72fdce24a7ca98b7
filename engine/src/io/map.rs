//! Reading files through memory.
//!
//! # Why this is sound
//! A map hands out slices of *settled* bytes only, and those can neither be written nor cut
//! through any handle of the file in this process ([`super::settled`] sees to that), so a slice
//! never changes while it is borrowed and never lies beyond the file's end, where touching
//! memory would raise `SIGBUS`. A write through a handle is visible here as both go through the
//! page cache.
//!
//! What remains is the caveat of every map: another process must not write to or cut the file.
//! The store's lock keeps other engines out. And a disk that cannot read a page back raises
//! `SIGBUS` too, where `read_at` would have returned an error.
#![allow(
    unsafe_code,
    reason = "this is the one file of the room that may; see above"
)]

use super::settled::Settled;
use memmap2::{Advice, MmapOptions, MmapRaw};
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

#[cfg(target_endian = "big")]
compile_error!("vectors are mapped as they lie on disk, which is little-endian");

/// A file's first bytes as memory, read-only. A clone is the same map.
#[derive(Clone, Debug)]
pub struct Map {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Dropped before the memory, and so before the file can go: see `descriptor`.
    settled: Arc<Settled>,
    memory: MmapRaw,
}

impl Map {
    /// Maps the first `len` bytes of `file`, whose settled length is `settled`.
    pub(super) fn new(file: &File, len: u64, settled: Arc<Settled>) -> Result<Map> {
        let len = usize::try_from(len)
            .map_err(|_| Error::new(ErrorKind::InvalidInput, "a map larger than memory"))?;
        let memory = MmapOptions::new().len(len).map_raw_read_only(file)?;
        Ok(Map {
            inner: Arc::new(Inner { settled, memory }),
        })
    }

    /// The `len` bytes from `offset` on; none if they are not all mapped and settled.
    #[inline]
    pub fn bytes(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let start = self.start_of(offset, len)?;
        // SAFETY: `start_of` checked that these bytes are mapped, by a map that lives as long
        // as `self`, and settled: they exist in the file and are not written while borrowed.
        Some(unsafe { std::slice::from_raw_parts(start, len) })
    }

    /// The `count` floats from byte `offset` on; none if they are not all mapped and settled,
    /// or if `offset` is not a multiple of 4.
    #[inline]
    pub fn floats(&self, offset: u64, count: usize) -> Option<&[f32]> {
        let start = self
            .start_of(offset, count.checked_mul(size_of::<f32>())?)?
            .cast::<f32>();
        if !start.is_aligned() {
            return None;
        }
        // SAFETY: as in `bytes`; the pointer is aligned, and any four bytes are an `f32`.
        Some(unsafe { std::slice::from_raw_parts(start, count) })
    }

    /// How many bytes are mapped.
    pub fn len(&self) -> usize {
        self.inner.memory.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes can be read now: settled and mapped.
    #[inline]
    pub fn readable_len(&self) -> usize {
        usize::try_from(self.inner.settled.len()).map_or(self.len(), |len| len.min(self.len()))
    }

    /// Hints that reads will be scattered, so that reading ahead is a waste.
    pub fn advise_random(&self) {
        let _only_a_hint = self.inner.memory.advise(Advice::Random);
    }

    /// Hints that large pages would serve this map, where the system can use them for files.
    pub fn advise_huge(&self) {
        #[cfg(target_os = "linux")]
        let _only_a_hint = self.inner.memory.advise(Advice::HugePage);
    }

    /// Hints that these bytes will be read soon, so that fetching them can begin.
    pub fn advise_soon(&self, offset: u64, len: usize) {
        if self.start_of(offset, len).is_some() {
            let offset = offset as usize;
            let _only_a_hint = self
                .inner
                .memory
                .advise_range(Advice::WillNeed, offset, len);
        }
    }

    /// Where these bytes start in memory, if all are mapped and settled.
    #[inline]
    fn start_of(&self, offset: u64, len: usize) -> Option<*const u8> {
        let offset = usize::try_from(offset).ok()?;
        if offset.checked_add(len)? > self.readable_len() {
            return None;
        }
        // SAFETY: `offset` is at most the length of the mapped memory.
        Some(unsafe { self.inner.memory.as_ptr().add(offset) })
    }
}
