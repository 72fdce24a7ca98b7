//! The leaf for AVX-512 (F, BW, VL, DQ), and a variant whose scan uses VBMI.
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
mod scan;

use super::Kernel;
use super::lanes::{Lanes, leaf};
use scan::{scan_block, scan_block_vbmi, scan_group, scan_group_vbmi};
use std::arch::x86_64::*;

leaf!(
    "avx512",
    super::Avx512,
    "avx512f,avx512bw,avx512vl,avx512dq",
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
);

/// The same operations, with the shorter scans where VBMI is present.
pub(super) const KERNEL_VBMI: Kernel = Kernel {
    name: "avx512vbmi",
    detected: || (KERNEL.detected)() && is_x86_feature_detected!("avx512vbmi"),
    scan_group: scan_group_vbmi,
    scan_block: scan_block_vbmi,
    ..KERNEL
};

#[derive(Clone, Copy)]
struct Avx512(__m512);

// SAFETY: loads and stores touch exactly the lanes that the trait says; 16 divides 64. The blocks
// below need nothing but the instruction set and readable or writable memory, for both of which
// the trait's caller vouches.
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all, above"
)]
unsafe impl Lanes for Avx512 {
    const COUNT: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Self(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        unsafe { Self(_mm512_maskz_loadu_ps((1u16 << count) - 1, from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        unsafe { Self(_mm512_abs_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe {
            let eight = _mm256_add_ps(
                _mm512_castps512_ps256(self.0),
                _mm512_extractf32x8_ps::<1>(self.0),
            );
            let four = _mm_add_ps(
                _mm256_castps256_ps128(eight),
                _mm256_extractf128_ps::<1>(eight),
            );
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    unsafe fn hadamard(self) -> Self {
        /// Each lane's partner in `swapped`, plus or minus (by bit of `upper`) the lane itself.
        #[inline(always)]
        unsafe fn stage(v: __m512, swapped: __m512, upper: __mmask16) -> __m512 {
            unsafe {
                let signs = _mm512_mask_blend_ps(upper, _mm512_set1_ps(1.0), _mm512_set1_ps(-1.0));
                _mm512_fmadd_ps(v, signs, swapped)
            }
        }
        unsafe {
            let v = self.0;
            let v = stage(v, _mm512_permute_ps::<0b10_11_00_01>(v), 0xaaaa);
            let v = stage(v, _mm512_permute_ps::<0b01_00_11_10>(v), 0xcccc);
            let v = stage(v, _mm512_shuffle_f32x4::<0b10_11_00_01>(v, v), 0xf0f0);
            Self(stage(
                v,
                _mm512_shuffle_f32x4::<0b01_00_11_10>(v, v),
                0xff00,
            ))
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(self.0));
            _mm_storeu_si128(to.cast(), bytes)
        }
    }
    #[inline(always)]
    unsafe fn negative(self) -> u16 {
        unsafe { _mm512_movepi32_mask(_mm512_castps_si512(self.0)) }
    }
    #[inline(always)]
    unsafe fn at_most(self, bound: Self) -> u16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(self.0, bound.0) }
    }
}
