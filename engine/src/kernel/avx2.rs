//! The leaf for AVX2 with FMA.
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
use super::Kernel;
use super::group::{GROUP_ROWS, SPAN_NIBBLES, Scan};
use super::lanes::{Lanes, leaf};
use std::arch::x86_64::*;

leaf!(
    "avx2",
    super::Avx2,
    "avx2,fma",
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
);

#[derive(Clone, Copy)]
struct Avx2(__m256);

/// Eight ones, then eight zeros: read from `8 - n`, a mask of the first `n` lanes.
static FIRST: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

// SAFETY: loads and stores touch exactly the lanes that the trait says; 8 divides 64. The blocks
// below need nothing but the instruction set and readable or writable memory, for both of which
// the trait's caller vouches.
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all, above"
)]
unsafe impl Lanes for Avx2 {
    const COUNT: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Self(_mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        unsafe {
            let mask = _mm256_loadu_si256(FIRST.as_ptr().add(8 - count).cast());
            Self(_mm256_maskload_ps(from, mask))
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Self(_mm256_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm256_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        unsafe { Self(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe {
            let four = _mm_add_ps(
                _mm256_castps256_ps128(self.0),
                _mm256_extractf128_ps::<1>(self.0),
            );
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    unsafe fn hadamard(self) -> Self {
        unsafe {
            // Each lane's partner, plus or minus the lane itself.
            let v = self.0;
            let signs = _mm256_setr_ps(1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0);
            let v = _mm256_fmadd_ps(v, signs, _mm256_permute_ps::<0b10_11_00_01>(v));
            let signs = _mm256_setr_ps(1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0);
            let v = _mm256_fmadd_ps(v, signs, _mm256_permute_ps::<0b01_00_11_10>(v));
            let signs = _mm256_setr_ps(1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0);
            Self(_mm256_fmadd_ps(v, signs, _mm256_permute2f128_ps::<1>(v, v)))
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        unsafe {
            let wide = _mm256_cvttps_epi32(self.0);
            let words = _mm_packus_epi32(
                _mm256_castsi256_si128(wide),
                _mm256_extracti128_si256::<1>(wide),
            );
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words))
        }
    }
    #[inline(always)]
    unsafe fn negative(self) -> u16 {
        unsafe { _mm256_movemask_ps(self.0) as u16 }
    }
    #[inline(always)]
    unsafe fn at_most(self, bound: Self) -> u16 {
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(self.0, bound.0)) as u16 }
    }
}

/// Half a line of each nibble at a time: two registers of byte sums, emptied every four nibbles
/// into four of 16-bit sums.
///
/// # Safety
/// The instruction set must be present; `codes` must hold a multiple of 32 lines, and `table` 16
/// entries for every two of them.
#[target_feature(enable = "avx2,fma")]
unsafe fn scan_group(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let nibbles = scan.codes.len() / 2;
    if nibbles <= SPAN_NIBBLES {
        for column in 0..4 {
            // SAFETY: all nibbles, a multiple of four.
            let sums = unsafe { sum_nibbles(scan, column, 0, nibbles) };
            for (i, sums) in sums.into_iter().enumerate() {
                let row = first_row(column) + i * 32;
                let [first, second] = widen(sums);
                // SAFETY: row <= 128 + 16 + 96, so row + 16 <= GROUP_ROWS.
                unsafe {
                    finish(scan, first, row, estimates, lower);
                    finish(scan, second, row + 8, estimates, lower);
                }
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
#[target_feature(enable = "avx2,fma")]
unsafe fn scan_spans(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let nibbles = scan.codes.len() / 2;
    estimates.fill(0.0);
    for begin in (0..nibbles).step_by(SPAN_NIBBLES) {
        for column in 0..4 {
            let end = nibbles.min(begin + SPAN_NIBBLES);
            // SAFETY: the span lies within the nibbles, and both ends are multiples of four.
            let sums = unsafe { sum_nibbles(scan, column, begin, end) };
            for (i, sums) in sums.into_iter().enumerate() {
                let row = first_row(column) + i * 32;
                let [first, second] = widen(sums);
                // SAFETY: row <= 128 + 16 + 96, so row + 16 <= GROUP_ROWS.
                unsafe {
                    let (low, high) = (
                        estimates.as_mut_ptr().add(row),
                        estimates.as_mut_ptr().add(row + 8),
                    );
                    _mm256_storeu_ps(low, _mm256_add_ps(_mm256_loadu_ps(low), first));
                    _mm256_storeu_ps(high, _mm256_add_ps(_mm256_loadu_ps(high), second));
                }
            }
        }
    }
    for row in (0..GROUP_ROWS).step_by(8) {
        // SAFETY: row + 8 <= GROUP_ROWS.
        unsafe {
            finish(
                scan,
                _mm256_loadu_ps(estimates.as_ptr().add(row)),
                row,
                estimates,
                lower,
            )
        }
    }
}

/// The first of the rows in a column's even bytes and low halves; see `group`.
#[inline(always)]
fn first_row(column: usize) -> usize {
    column / 2 * 128 + column % 2 * 16
}

/// 16 sums as `f32`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn widen(sums: __m256i) -> [__m256; 2] {
    let halves = [
        _mm256_castsi256_si128(sums),
        _mm256_extracti128_si256::<1>(sums),
    ];
    [
        _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(halves[0])),
        _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(halves[1])),
    ]
}

/// Sums of the nibbles `begin..end` (at most [`SPAN_NIBBLES`], a multiple of 4) of a column of 32
/// bytes: 16 rows per register, the registers 32 rows apart.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn sum_nibbles(scan: &Scan<'_>, column: usize, begin: usize, end: usize) -> [__m256i; 4] {
    let low_half = _mm256_set1_epi8(15);
    let table = scan.table.as_ptr();
    let codes = scan.codes.as_ptr().cast::<__m256i>();
    // Row sums of even bytes plus 256 times those of odd bytes, modulo 2^16; and of odd bytes.
    let mut both = [_mm256_setzero_si256(); 2];
    let mut odd = [_mm256_setzero_si256(); 2];
    let mut nibble = begin;
    while nibble < end {
        let mut bytes = [_mm256_setzero_si256(); 2];
        for step in 0..4 {
            // SAFETY: nibble + step < end, within 16 table entries and four columns per nibble.
            let (entries, column) = unsafe {
                let entries = _mm_loadu_si128(table.add((nibble + step) * 16).cast());
                (
                    _mm256_broadcastsi128_si256(entries),
                    codes.add((nibble + step) * 4 + column).read(),
                )
            };
            let low = _mm256_and_si256(column, low_half);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(column), low_half);
            bytes[0] = _mm256_add_epi8(bytes[0], _mm256_shuffle_epi8(entries, low));
            bytes[1] = _mm256_add_epi8(bytes[1], _mm256_shuffle_epi8(entries, high));
        }
        for i in 0..2 {
            both[i] = _mm256_add_epi16(both[i], bytes[i]);
            odd[i] = _mm256_add_epi16(odd[i], _mm256_srli_epi16::<8>(bytes[i]));
        }
        nibble += 4;
    }
    [
        _mm256_sub_epi16(both[0], _mm256_slli_epi16::<8>(odd[0])),
        odd[0],
        _mm256_sub_epi16(both[1], _mm256_slli_epi16::<8>(odd[1])),
        odd[1],
    ]
}

/// Keys of eight rows from `row` whose table sums are `total`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn finish(
    scan: &Scan<'_>,
    total: __m256,
    row: usize,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let (terms, factors) = (&scan.terms, scan.factors);
    // SAFETY: the caller vouches for row + 8 <= GROUP_ROWS, the length of all arrays.
    unsafe {
        let add = _mm256_loadu_ps(factors.add.as_ptr().add(row));
        let scale = _mm256_loadu_ps(factors.scale.as_ptr().add(row));
        let error = _mm_loadu_si128(factors.error.as_ptr().add(row).cast());
        let error = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(error)));
        let along = _mm256_fmadd_ps(
            total,
            _mm256_set1_ps(terms.step),
            _mm256_set1_ps(terms.offset),
        );
        let fixed = _mm256_add_ps(add, _mm256_set1_ps(terms.shared));
        let estimate = _mm256_fnmadd_ps(scale, along, fixed);
        let bound = _mm256_fnmadd_ps(error, _mm256_set1_ps(terms.spread), estimate);
        let bound = _mm256_sub_ps(bound, _mm256_set1_ps(terms.slack));
        _mm256_storeu_ps(estimates.as_mut_ptr().add(row), estimate);
        _mm256_storeu_ps(lower.as_mut_ptr().add(row), bound);
    }
}
