//! Bytes on large pages, where the system has them: what is read all over the place costs fewer
//! walks through page tables.
use memmap2::{Advice, MmapMut};

/// Allocations smaller than this have no use of large pages; larger ones are given back to the
/// system once they are gone.
const HUGE_BYTES_MIN: usize = 128 << 10;

/// Zeroed bytes of fixed length.
#[derive(Debug)]
pub(crate) enum Huge {
    Mapped(MmapMut),
    Boxed(Box<[u8]>),
}

impl Huge {
    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Huge {
        if length >= HUGE_BYTES_MIN
            && let Ok(memory) = MmapMut::map_anon(length)
        {
            #[cfg(target_os = "linux")]
            let _only_a_hint = memory.advise(Advice::HugePage);
            return Huge::Mapped(memory);
        }
        Huge::Boxed(vec![0; length].into())
    }

    /// The bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Huge::Mapped(memory) => memory,
            Huge::Boxed(bytes) => bytes,
        }
    }

    /// The bytes, to write to.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Huge::Mapped(memory) => memory,
            Huge::Boxed(bytes) => bytes,
        }
    }
}
