//! The leaf for NEON, which every aarch64 has. Unchecked: it compiles, but
//! has not run on such a machine.
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
mod scan;

use super::Kernel;
use super::lanes::{Lanes, leaf};
use scan::{scan_block, scan_group};
use std::arch::aarch64::*;

leaf!(
    "neon",
    super::Neon,
    "neon",
    std::arch::is_aarch64_feature_detected!("neon")
);

#[derive(Clone, Copy)]
struct Neon(float32x4_t);

// SAFETY: loads and stores touch exactly the lanes that the trait says; 4 divides 64. The blocks
// below need nothing but the instruction set and readable or writable memory, for both of which
// the trait's caller vouches.
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all, above"
)]
unsafe impl Lanes for Neon {
    const COUNT: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Self(vdupq_n_f32(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(vld1q_f32(from)) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        let mut values = [0.0; 4];
        unsafe {
            std::ptr::copy_nonoverlapping(from, values.as_mut_ptr(), count);
            Self(vld1q_f32(values.as_ptr()))
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { vst1q_f32(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Self(vaddq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Self(vsubq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Self(vmulq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(vfmaq_f32(addend.0, self.0, factor.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        unsafe { Self(vabsq_f32(self.0)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe { vaddvq_f32(self.0) }
    }
    #[inline(always)]
    unsafe fn hadamard(self) -> Self {
        unsafe {
            let v = self.0;
            let (even, odd) = (vtrn1q_f32(v, v), vtrn2q_f32(v, v));
            let (sum, difference) = (vaddq_f32(even, odd), vsubq_f32(even, odd));
            let v = vtrn1q_f32(sum, difference);
            let (low, high) = (vget_low_f32(v), vget_high_f32(v));
            Self(vcombine_f32(vadd_f32(low, high), vsub_f32(low, high)))
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        unsafe {
            let words = vmovn_u32(vcvtq_u32_f32(self.0));
            let bytes = vmovn_u16(vcombine_u16(words, words));
            to.cast::<u32>()
                .write_unaligned(vget_lane_u32::<0>(vreinterpret_u32_u8(bytes)))
        }
    }
    #[inline(always)]
    unsafe fn negative(self) -> u16 {
        unsafe { lane_bits(vshrq_n_u32::<31>(vreinterpretq_u32_f32(self.0))) }
    }
    #[inline(always)]
    unsafe fn at_most(self, bound: Self) -> u16 {
        unsafe { lane_bits(vshrq_n_u32::<31>(vcleq_f32(self.0, bound.0))) }
    }
}

/// Bit `i` from lane `i`, whose value is 0 or 1.
///
/// # Safety
/// NEON must be present.
#[inline(always)]
unsafe fn lane_bits(ones: uint32x4_t) -> u16 {
    // SAFETY: the shift amounts are four readable values; the caller vouches for NEON.
    unsafe { vaddvq_u32(vshlq_u32(ones, vld1q_s32([0, 1, 2, 3].as_ptr()))) as u16 }
}
