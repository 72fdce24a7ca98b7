//! Which rows of a group or block may still be near enough.
#![allow(
    unsafe_code,
    reason = "vector loads from raw pointers, bounded by an array's length"
)]
use super::GROUP_ROWS;
use super::lanes::Lanes;

/// Bit `i % 64` of word `i / 64` is set where `values[i] <= threshold`.
///
/// # Safety
/// The instruction set of `L` must be present.
#[inline(always)]
pub(super) unsafe fn mask_below<L: Lanes>(
    values: &[f32; GROUP_ROWS],
    threshold: f32,
) -> [u64; GROUP_ROWS / 64] {
    let mut words = [0; GROUP_ROWS / 64];
    for (word, values) in words.iter_mut().zip(values.as_chunks().0) {
        // SAFETY: passed on to the caller.
        *word = unsafe { word_below::<L>(values, threshold) };
    }
    words
}

/// Bit `i` is set where `values[i] <= threshold`.
///
/// # Safety
/// The instruction set of `L` must be present.
#[inline(always)]
pub(super) unsafe fn word_below<L: Lanes>(values: &[f32; 64], threshold: f32) -> u64 {
    let mut word = 0;
    for step in 0..64 / L::COUNT {
        // SAFETY: reads end at 64 or before; the caller vouches for the instruction set.
        let bits = unsafe {
            let row = L::load(values.as_ptr().add(step * L::COUNT));
            row.at_most(L::splat(threshold))
        };
        word |= u64::from(bits) << (step * L::COUNT);
    }
    word
}
