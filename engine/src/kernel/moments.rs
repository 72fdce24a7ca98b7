//! One pass over a rotated residual: its sign bits and the sums that its factors are made of.
#![allow(
    unsafe_code,
    reason = "vector loads from raw pointers, bounded by slice lengths"
)]
use super::lanes::Lanes;

/// Sums over a rotated residual `r`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// Sum of `|r[i]|`.
    pub absolute: f32,
    /// Sum of `r[i] * r[i]`.
    pub squared: f32,
    /// Sum of `r[i] * c[i]` for the centroid `c`.
    pub along: f32,
}

/// Sums of `residual`, whose length is a multiple of 64, against `centroid`; writes bit `i % 8` of
/// `bits[i / 8]` as 1 where `residual[i]` has no sign bit.
///
/// # Safety
/// The instruction set of `L` must be present; `centroid` must be as long as `residual` and `bits`
/// an eighth of it.
#[inline(always)]
pub(super) unsafe fn moments<L: Lanes>(
    residual: &[f32],
    centroid: &[f32],
    bits: &mut [u8],
) -> Moments {
    debug_assert!(residual.len() == centroid.len() && residual.len() == bits.len() * 8);
    // SAFETY: all offsets are below the residual's length, a multiple of 64 and of the number of
    // lanes; the caller vouches for the other lengths and the instruction set.
    unsafe {
        let zero = L::splat(0.0);
        let (mut absolute, mut squared, mut along) = ([zero; 2], [zero; 2], [zero; 2]);
        for block in 0..residual.len() / 64 {
            let mut word = 0u64;
            for step in 0..64 / L::COUNT {
                let at = block * 64 + step * L::COUNT;
                let r = L::load(residual.as_ptr().add(at));
                let c = L::load(centroid.as_ptr().add(at));
                absolute[step % 2] = absolute[step % 2].add(r.abs());
                squared[step % 2] = r.mul_add(r, squared[step % 2]);
                along[step % 2] = r.mul_add(c, along[step % 2]);
                word |= u64::from(r.negative()) << (step * L::COUNT);
            }
            let bytes = (!word).to_le_bytes();
            bits.as_mut_ptr()
                .add(block * 8)
                .cast::<[u8; 8]>()
                .write_unaligned(bytes);
        }
        Moments {
            absolute: absolute[0].add(absolute[1]).sum(),
            squared: squared[0].add(squared[1]).sum(),
            along: along[0].add(along[1]).sum(),
        }
    }
}
