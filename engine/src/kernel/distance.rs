//! Inner product and squared distance, in an order of summation that is fixed per kernel.
//!
//! ```text
//! four accumulators take COUNT components each in turn; what is left goes to the first, the
//! last few components padded with zeros; sum = lanes of ((a0 + a1) + (a2 + a3))
//! ```
#![allow(
    unsafe_code,
    reason = "vector loads from raw pointers, bounded by slice lengths"
)]
use super::lanes::Lanes;

/// The inner product of `a` and `b`.
///
/// # Safety
/// The instruction set of `L` must be present; `b` must be as long as `a`.
#[inline(always)]
pub(super) unsafe fn dot<L: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { accumulate::<L, false>(a, b) }
}

/// The squared euclidean distance of `a` and `b`.
///
/// # Safety
/// The instruction set of `L` must be present; `b` must be as long as `a`.
#[inline(always)]
pub(super) unsafe fn squared_euclidean<L: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { accumulate::<L, true>(a, b) }
}

#[inline(always)]
unsafe fn accumulate<L: Lanes, const DIFFERENCE: bool>(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    let (length, a, b) = (a.len(), a.as_ptr(), b.as_ptr());
    // SAFETY: every load ends at or before `length`; the caller vouches for equal lengths and the
    // instruction set.
    unsafe {
        let mut sums = [L::splat(0.0); 4];
        let mut at = 0;
        while at + 4 * L::COUNT <= length {
            for (i, sum) in sums.iter_mut().enumerate() {
                let x = L::load(a.add(at + i * L::COUNT));
                let y = L::load(b.add(at + i * L::COUNT));
                *sum = step::<L, DIFFERENCE>(x, y, *sum);
            }
            at += 4 * L::COUNT;
        }
        while at + L::COUNT <= length {
            sums[0] = step::<L, DIFFERENCE>(L::load(a.add(at)), L::load(b.add(at)), sums[0]);
            at += L::COUNT;
        }
        if at < length {
            let x = L::load_first(a.add(at), length - at);
            let y = L::load_first(b.add(at), length - at);
            sums[0] = step::<L, DIFFERENCE>(x, y, sums[0]);
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum()
    }
}

#[inline(always)]
unsafe fn step<L: Lanes, const DIFFERENCE: bool>(x: L, y: L, sum: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        if DIFFERENCE {
            let d = x.sub(y);
            d.mul_add(d, sum)
        } else {
            x.mul_add(y, sum)
        }
    }
}
