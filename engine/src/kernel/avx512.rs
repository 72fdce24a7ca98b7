//! The leaf for AVX-512 (F, BW, VL, DQ).
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
use super::Kernel;
use super::group::{GROUP_ROWS, SPAN_NIBBLES, Scan};
use super::lanes::{Lanes, leaf};
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

/// All 256 rows at once: four registers of byte sums, emptied every four nibbles into eight of
/// 16-bit sums.
///
/// # Safety
/// The instruction set must be present; `codes` must hold a multiple of 32 lines, and `table` 16
/// entries for every two of them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn scan_group(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let nibbles = scan.codes.len() / 2;
    if nibbles <= SPAN_NIBBLES {
        // SAFETY: all nibbles, a multiple of four.
        let sums = unsafe { sum_nibbles(scan, 0, nibbles) };
        for (i, sums) in sums.into_iter().enumerate() {
            let [first, second] = widen(sums);
            // SAFETY: i < 8, so i * 32 + 32 <= GROUP_ROWS.
            unsafe {
                finish(scan, first, i * 32, estimates, lower);
                finish(scan, second, i * 32 + 16, estimates, lower);
            }
        }
    } else {
        // SAFETY: passed on to the caller.
        unsafe { scan_spans(scan, estimates, lower) }
    }
}

/// As [`scan_group`], for more nibbles than 16-bit sums can take: adds up spans in `f32`, which is
/// exact, in `estimates`.
#[cold]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn scan_spans(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let nibbles = scan.codes.len() / 2;
    estimates.fill(0.0);
    for begin in (0..nibbles).step_by(SPAN_NIBBLES) {
        // SAFETY: the span lies within the nibbles, and both ends are multiples of four.
        let sums = unsafe { sum_nibbles(scan, begin, nibbles.min(begin + SPAN_NIBBLES)) };
        for (sums, totals) in sums.into_iter().zip(estimates.as_chunks_mut::<32>().0) {
            let [first, second] = widen(sums);
            // SAFETY: two registers of 16 values fill the 32 of `totals`.
            unsafe {
                let (low, high) = (totals.as_mut_ptr(), totals.as_mut_ptr().add(16));
                _mm512_storeu_ps(low, _mm512_add_ps(_mm512_loadu_ps(low), first));
                _mm512_storeu_ps(high, _mm512_add_ps(_mm512_loadu_ps(high), second));
            }
        }
    }
    for row in (0..GROUP_ROWS).step_by(16) {
        // SAFETY: row + 16 <= GROUP_ROWS.
        unsafe {
            finish(
                scan,
                _mm512_loadu_ps(estimates.as_ptr().add(row)),
                row,
                estimates,
                lower,
            )
        }
    }
}

/// 32 sums as `f32`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn widen(sums: __m512i) -> [__m512; 2] {
    let halves = [
        _mm512_castsi512_si256(sums),
        _mm512_extracti64x4_epi64::<1>(sums),
    ];
    [
        _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(halves[0])),
        _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(halves[1])),
    ]
}

/// Sums of the nibbles `begin..end` (at most [`SPAN_NIBBLES`], a multiple of 4) of all rows: 32
/// consecutive rows per register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn sum_nibbles(scan: &Scan<'_>, begin: usize, end: usize) -> [__m512i; 8] {
    let low_half = _mm512_set1_epi8(15);
    let (table, codes) = (scan.table.as_ptr(), scan.codes.as_ptr());
    // Row sums of even bytes plus 256 times those of odd bytes, modulo 2^16; and of odd bytes.
    let mut both = [_mm512_setzero_si512(); 4];
    let mut odd = [_mm512_setzero_si512(); 4];
    let mut nibble = begin;
    while nibble < end {
        let mut bytes = [_mm512_setzero_si512(); 4];
        for step in 0..4 {
            // SAFETY: nibble + step < end, within 16 table entries and two lines per nibble.
            let (entries, lines) = unsafe {
                let entries = _mm_loadu_si128(table.add((nibble + step) * 16).cast());
                let line = codes.add((nibble + step) * 2).cast::<__m512i>();
                (
                    _mm512_broadcast_i32x4(entries),
                    [line.read(), line.add(1).read()],
                )
            };
            for (i, line) in lines.into_iter().enumerate() {
                let low = _mm512_and_si512(line, low_half);
                let high = _mm512_and_si512(_mm512_srli_epi16::<4>(line), low_half);
                bytes[2 * i] = _mm512_add_epi8(bytes[2 * i], _mm512_shuffle_epi8(entries, low));
                bytes[2 * i + 1] =
                    _mm512_add_epi8(bytes[2 * i + 1], _mm512_shuffle_epi8(entries, high));
            }
        }
        for i in 0..4 {
            both[i] = _mm512_add_epi16(both[i], bytes[i]);
            odd[i] = _mm512_add_epi16(odd[i], _mm512_srli_epi16::<8>(bytes[i]));
        }
        nibble += 4;
    }
    let mut sums = [_mm512_setzero_si512(); 8];
    for i in 0..4 {
        sums[2 * i] = _mm512_sub_epi16(both[i], _mm512_slli_epi16::<8>(odd[i]));
        sums[2 * i + 1] = odd[i];
    }
    sums
}

/// Keys of 16 rows from `row` whose table sums are `total`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn finish(
    scan: &Scan<'_>,
    total: __m512,
    row: usize,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let (terms, factors) = (&scan.terms, scan.factors);
    // SAFETY: the caller vouches for row + 16 <= GROUP_ROWS, the length of all arrays.
    unsafe {
        let add = _mm512_loadu_ps(factors.add.as_ptr().add(row));
        let scale = _mm512_loadu_ps(factors.scale.as_ptr().add(row));
        let error = _mm256_loadu_si256(factors.error.as_ptr().add(row).cast());
        let error = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(error)));
        let along = _mm512_fmadd_ps(
            total,
            _mm512_set1_ps(terms.step),
            _mm512_set1_ps(terms.offset),
        );
        let fixed = _mm512_add_ps(add, _mm512_set1_ps(terms.shared));
        let estimate = _mm512_fnmadd_ps(scale, along, fixed);
        let bound = _mm512_fnmadd_ps(error, _mm512_set1_ps(terms.spread), estimate);
        let bound = _mm512_sub_ps(bound, _mm512_set1_ps(terms.slack));
        _mm512_storeu_ps(estimates.as_mut_ptr().add(row), estimate);
        _mm512_storeu_ps(lower.as_mut_ptr().add(row), bound);
    }
}
