//! Hints that memory is about to be read.
#![allow(unsafe_code, reason = "the prefetch instruction takes a raw pointer")]

/// Most cache lines of a row that one hint asks for: 512 bytes, 128 components.
const LINES_MAX: usize = 8;

/// Asks the processor to load the first cache lines (at most 8) of `row` into its caches.
/// Nothing but speed depends on it.
#[inline]
pub fn prefetch(row: &[f32]) {
    prefetch_bytes(row.as_ptr().cast(), (row.len() * 4).min(LINES_MAX * 64));
}

/// Asks for the cache lines of `bytes` bytes from `start`, which is only an address: nothing is
/// read.
#[inline]
pub(crate) fn prefetch_bytes(start: *const u8, bytes: usize) {
    for line in 0..bytes.div_ceil(64) {
        touch(start.wrapping_add(line * 64));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn touch(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch never faults, whatever the address; SSE is part of x86-64.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn touch(address: *const u8) {
    // SAFETY: a prefetch never faults, whatever the address, and changes no register or flag.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, preserves_flags, readonly))
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn touch(_address: *const u8) {}
