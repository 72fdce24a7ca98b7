//! Slices on large pages, where the system has them: what is read all over the place costs fewer
//! walks through page tables.
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

/// Smaller allocations have no use of large pages; larger ones are mapped, so that the system has
/// their memory back once they are gone.
const MAPPED_BYTES_MIN: usize = 128 << 10;

/// A slice of fixed length.
#[derive(Debug)]
pub(crate) struct Huge<T>(Memory, PhantomData<T>);

#[derive(Debug)]
enum Memory {
    Mapped(MmapMut),
    /// In units that every element is aligned within, and the bytes that count.
    Boxed(Box<[u64]>, usize),
}

impl<T: Pod> Huge<T> {
    /// `length` elements of zero bytes each; `T` needs no more alignment than a `u64`.
    pub(crate) fn zeros(length: usize) -> Huge<T> {
        const { assert!(align_of::<T>() <= align_of::<u64>()) };
        let bytes = length * size_of::<T>();
        if bytes >= MAPPED_BYTES_MIN
            && let Ok(memory) = MmapMut::map_anon(bytes)
        {
            #[cfg(target_os = "linux")]
            let _only_a_hint = memory.advise(memmap2::Advice::HugePage);
            return Huge(Memory::Mapped(memory), PhantomData);
        }
        let words = vec![0; bytes.div_ceil(8)].into_boxed_slice();
        Huge(Memory::Boxed(words, bytes), PhantomData)
    }
}

impl<T: Pod> Default for Huge<T> {
    fn default() -> Self {
        Huge::zeros(0)
    }
}

impl<T: Pod> Deref for Huge<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(match &self.0 {
            Memory::Mapped(memory) => memory,
            Memory::Boxed(words, bytes) => &bytemuck::cast_slice(words)[..*bytes],
        })
    }
}

impl<T: Pod> DerefMut for Huge<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(match &mut self.0 {
            Memory::Mapped(memory) => memory,
            Memory::Boxed(words, bytes) => &mut bytemuck::cast_slice_mut(words)[..*bytes],
        })
    }
}
