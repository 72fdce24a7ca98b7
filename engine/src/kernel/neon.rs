//! The leaf for NEON, which every aarch64 has. Unchecked: written without such a machine at hand.
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
use super::Kernel;
use super::group::{GROUP_ROWS, SPAN_NIBBLES, Scan};
use super::lanes::{Lanes, leaf};
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

/// A quarter line of each nibble at a time: two registers of byte sums, emptied every four nibbles
/// into four of 16-bit sums; spans of nibbles are added up in `f32`, which is exact, in
/// `estimates`.
///
/// # Safety
/// The instruction set must be present; `codes` must hold a multiple of 32 lines, and `table` 16
/// entries for every two of them.
#[target_feature(enable = "neon")]
unsafe fn scan_group(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let nibbles = scan.codes.len() / 2;
    estimates.fill(0.0);
    for begin in (0..nibbles).step_by(SPAN_NIBBLES) {
        for column in 0..8 {
            let end = nibbles.min(begin + SPAN_NIBBLES);
            // Even bytes of the column's low halves are the 8 rows from here; see `group`.
            let first_row = column / 4 * 128 + column % 4 * 8;
            // SAFETY: the span lies within the nibbles, and both ends are multiples of four.
            let sums = unsafe { sum_nibbles(scan, column, begin, end) };
            for (i, sums) in sums.into_iter().enumerate() {
                let row = first_row + i * 32;
                let first = vcvtq_f32_u32(vmovl_u16(vget_low_u16(sums)));
                let second = vcvtq_f32_u32(vmovl_u16(vget_high_u16(sums)));
                // SAFETY: row <= 128 + 24 + 96, so row + 8 <= GROUP_ROWS.
                unsafe {
                    let low = estimates.as_mut_ptr().add(row);
                    let high = estimates.as_mut_ptr().add(row + 4);
                    vst1q_f32(low, vaddq_f32(vld1q_f32(low), first));
                    vst1q_f32(high, vaddq_f32(vld1q_f32(high), second));
                }
            }
        }
    }
    for row in (0..GROUP_ROWS).step_by(4) {
        // SAFETY: row + 4 <= GROUP_ROWS.
        unsafe {
            finish(
                scan,
                vld1q_f32(estimates.as_ptr().add(row)),
                row,
                estimates,
                lower,
            )
        }
    }
}

/// Sums of the nibbles `begin..end` (at most [`SPAN_NIBBLES`], a multiple of 4) of a column of 16
/// bytes: 8 rows per register, the registers 32 rows apart.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn sum_nibbles(scan: &Scan<'_>, column: usize, begin: usize, end: usize) -> [uint16x8_t; 4] {
    let table = scan.table.as_ptr();
    let codes = scan.codes.as_ptr().cast::<u8>();
    // Row sums of even bytes plus 256 times those of odd bytes, modulo 2^16; and of odd bytes.
    let mut both = [vdupq_n_u16(0); 2];
    let mut odd = [vdupq_n_u16(0); 2];
    let mut nibble = begin;
    while nibble < end {
        let mut bytes = [vdupq_n_u8(0); 2];
        for step in 0..4 {
            // SAFETY: nibble + step < end, within 16 table entries and eight columns per nibble.
            let (entries, column) = unsafe {
                (
                    vld1q_u8(table.add((nibble + step) * 16)),
                    vld1q_u8(codes.add((nibble + step) * 128 + column * 16)),
                )
            };
            let low = vandq_u8(column, vdupq_n_u8(15));
            let high = vshrq_n_u8::<4>(column);
            bytes[0] = vaddq_u8(bytes[0], vqtbl1q_u8(entries, low));
            bytes[1] = vaddq_u8(bytes[1], vqtbl1q_u8(entries, high));
        }
        for i in 0..2 {
            let pairs = vreinterpretq_u16_u8(bytes[i]);
            both[i] = vaddq_u16(both[i], pairs);
            odd[i] = vsraq_n_u16::<8>(odd[i], pairs);
        }
        nibble += 4;
    }
    [
        vsubq_u16(both[0], vshlq_n_u16::<8>(odd[0])),
        odd[0],
        vsubq_u16(both[1], vshlq_n_u16::<8>(odd[1])),
        odd[1],
    ]
}

/// Keys of four rows from `row` whose table sums are `total`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn finish(
    scan: &Scan<'_>,
    total: float32x4_t,
    row: usize,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let (terms, factors) = (&scan.terms, scan.factors);
    // SAFETY: the caller vouches for row + 4 <= GROUP_ROWS, the length of all arrays.
    unsafe {
        let add = vld1q_f32(factors.add.as_ptr().add(row));
        let scale = vld1q_f32(factors.scale.as_ptr().add(row));
        let error = vld1_u16(factors.error.as_ptr().add(row));
        let error = vreinterpretq_f32_u32(vshll_n_u16::<16>(error));
        let along = vfmaq_f32(vdupq_n_f32(terms.offset), total, vdupq_n_f32(terms.step));
        let fixed = vaddq_f32(add, vdupq_n_f32(terms.shared));
        let estimate = vfmsq_f32(fixed, scale, along);
        let bound = vfmsq_f32(estimate, error, vdupq_n_f32(terms.spread));
        let bound = vsubq_f32(bound, vdupq_n_f32(terms.slack));
        vst1q_f32(estimates.as_mut_ptr().add(row), estimate);
        vst1q_f32(lower.as_mut_ptr().add(row), bound);
    }
}
