//! Which rows of a group may still be near enough.
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
    for (w, word) in words.iter_mut().enumerate() {
        for step in 0..64 / L::COUNT {
            // SAFETY: reads end at (w + 1) * 64 <= GROUP_ROWS; the caller vouches for the
            // instruction set.
            let bits = unsafe {
                let row = L::load(values.as_ptr().add(w * 64 + step * L::COUNT));
                row.at_most(L::splat(threshold))
            };
            *word |= u64::from(bits) << (step * L::COUNT);
        }
    }
    words
}
