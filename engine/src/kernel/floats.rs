//! Floats that begin at a cache line.
#![allow(
    unsafe_code,
    reason = "views lines as the floats that they are made of"
)]
use super::Line;
use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};

/// Larger slices are mapped, so that the system has their memory back once they are gone, and on
/// large pages where it has such.
const BOXED_BYTES_MAX: usize = 128 << 10;

/// A slice of `f32` of fixed length, aligned to a cache line.
#[derive(Debug, Default)]
pub struct Floats {
    memory: Memory,
    length: usize,
}

/// Memory that begins at a cache line and holds whole lines.
#[derive(Debug)]
enum Memory {
    Boxed(Box<[Line]>),
    Mapped(MmapMut),
}

impl Default for Memory {
    fn default() -> Self {
        Memory::Boxed(Box::default())
    }
}

impl Floats {
    /// `length` zeros.
    pub fn zeros(length: usize) -> Self {
        let lines = length.div_ceil(16);
        let bytes = lines * size_of::<Line>();
        if bytes > BOXED_BYTES_MAX
            && let Ok(mapped) = MmapMut::map_anon(bytes)
        {
            #[cfg(target_os = "linux")]
            let _only_a_hint = mapped.advise(memmap2::Advice::HugePage);
            let memory = Memory::Mapped(mapped);
            return Self { memory, length };
        }
        let memory = Memory::Boxed(vec![Line::ZERO; lines].into_boxed_slice());
        Self { memory, length }
    }
}

impl Clone for Floats {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl PartialEq for Floats {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl From<&[f32]> for Floats {
    fn from(values: &[f32]) -> Self {
        let mut floats = Self::zeros(values.len());
        floats.copy_from_slice(values);
        floats
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let start = match &self.memory {
            Memory::Boxed(lines) => lines.as_ptr().cast(),
            Memory::Mapped(bytes) => bytes.as_ptr().cast(),
        };
        // SAFETY: the memory holds 16 floats per line, at least `length` in all; any bits are a
        // float, and the alignment of a line or a page is more than a float's.
        unsafe { std::slice::from_raw_parts(start, self.length) }
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        let start = match &mut self.memory {
            Memory::Boxed(lines) => lines.as_mut_ptr().cast(),
            Memory::Mapped(bytes) => bytes.as_mut_ptr().cast(),
        };
        // SAFETY: as in `deref`; the borrow is exclusive, and any float is bytes.
        unsafe { std::slice::from_raw_parts_mut(start, self.length) }
    }
}
