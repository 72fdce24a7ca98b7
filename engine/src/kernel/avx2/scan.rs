//! The scan of a group's codes, a line of each column (two registers, 64 rows) at a time. The steps
//! are those of the leaf for AVX-512.
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
use crate::kernel::group::{COLUMN_LINES, Factors, GROUP_ROWS, SPAN_COLUMNS, Scan};
use std::arch::x86_64::*;

/// Scans a group; see `scalar::scan_group`.
///
/// # Safety
/// The instruction set must be present; `codes` must hold a multiple of eight columns, and `table`
/// two tables of 16 entries for each.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn scan_group(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let columns = scan.codes.len() / COLUMN_LINES;
    if columns > SPAN_COLUMNS {
        // SAFETY: passed on to the caller.
        return unsafe { scan_spans(scan, estimates, lower) };
    }
    for line in 0..COLUMN_LINES {
        // SAFETY: all columns, a multiple of four.
        let sums = unsafe { sum_columns(scan, line, 0, columns) };
        for (half, sums) in sums.into_iter().enumerate() {
            let row = line * 64 + half * 8;
            let [a, b, c, d] = widen(sums);
            // SAFETY: row + 56 <= GROUP_ROWS.
            unsafe {
                finish(scan, [a, b], row, estimates, lower);
                finish(scan, [c, d], row + 32, estimates, lower);
            }
        }
    }
}

/// As [`scan_group`], for more columns than 16-bit sums can take: adds up spans in `f32`, which is
/// exact, where the estimates will be.
#[cold]
#[target_feature(enable = "avx2,fma")]
unsafe fn scan_spans(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let columns = scan.codes.len() / COLUMN_LINES;
    estimates.fill(0.0);
    for begin in (0..columns).step_by(SPAN_COLUMNS) {
        let end = columns.min(begin + SPAN_COLUMNS);
        for line in 0..COLUMN_LINES {
            // SAFETY: the span lies within the columns, and both ends are multiples of four.
            let sums = unsafe { sum_columns(scan, line, begin, end) };
            for (half, sums) in sums.into_iter().enumerate() {
                for (i, sums) in widen(sums).into_iter().enumerate() {
                    // SAFETY: eight rows from 192 + 8 + 48 at most.
                    unsafe {
                        let total = estimates.as_mut_ptr().add(line * 64 + half * 8 + i * 16);
                        _mm256_storeu_ps(total, _mm256_add_ps(_mm256_loadu_ps(total), sums));
                    }
                }
            }
        }
    }
    for row in (0..GROUP_ROWS).step_by(32).flat_map(|row| [row, row + 8]) {
        // SAFETY: row + 24 <= GROUP_ROWS.
        unsafe {
            let totals = estimates.as_ptr().add(row);
            let totals = [_mm256_loadu_ps(totals), _mm256_loadu_ps(totals.add(16))];
            finish(scan, totals, row, estimates, lower);
        }
    }
}

/// Sums of the columns `begin..end` (at most [`SPAN_COLUMNS`], a multiple of four) of one line: per
/// half line, those of even and those of odd bytes.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn sum_columns(scan: &Scan<'_>, line: usize, begin: usize, end: usize) -> [[__m256i; 2]; 2] {
    let (tables, codes) = (scan.table.as_ptr(), scan.codes.as_ptr());
    let low_half = _mm256_set1_epi8(15);
    let zero = _mm256_setzero_si256();
    let (mut both, mut odd) = ([zero; 2], [zero; 2]);
    for four in (begin..end).step_by(4) {
        let mut bytes = [zero; 2];
        for column in four..four + 4 {
            // SAFETY: column < end, with two tables and four lines; the caller vouches for that.
            let (low, high, halves) = unsafe {
                let pair = tables.add(column * 32).cast::<__m128i>();
                let halves = codes.add(column * COLUMN_LINES + line).cast::<__m256i>();
                (
                    _mm256_broadcastsi128_si256(_mm_loadu_si128(pair)),
                    _mm256_broadcastsi128_si256(_mm_loadu_si128(pair.add(1))),
                    [halves.read(), halves.add(1).read()],
                )
            };
            for (bytes, code) in bytes.iter_mut().zip(halves) {
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(code), low_half);
                let found = _mm256_add_epi8(
                    _mm256_shuffle_epi8(low, _mm256_and_si256(code, low_half)),
                    _mm256_shuffle_epi8(high, upper),
                );
                *bytes = _mm256_add_epi8(*bytes, found);
            }
        }
        for i in 0..2 {
            both[i] = _mm256_add_epi16(both[i], bytes[i]);
            odd[i] = _mm256_add_epi16(odd[i], _mm256_srli_epi16::<8>(bytes[i]));
        }
    }
    [
        [
            _mm256_sub_epi16(both[0], _mm256_slli_epi16::<8>(odd[0])),
            odd[0],
        ],
        [
            _mm256_sub_epi16(both[1], _mm256_slli_epi16::<8>(odd[1])),
            odd[1],
        ],
    ]
}

/// Sums of even and odd bytes, as the sums of four runs of eight rows, 16 rows apart.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn widen([even, odd]: [__m256i; 2]) -> [__m256; 4] {
    let low = _mm256_set1_epi32(0xffff);
    [
        _mm256_cvtepi32_ps(_mm256_and_si256(even, low)),
        _mm256_cvtepi32_ps(_mm256_srli_epi32::<16>(even)),
        _mm256_cvtepi32_ps(_mm256_and_si256(odd, low)),
        _mm256_cvtepi32_ps(_mm256_srli_epi32::<16>(odd)),
    ]
}

/// Keys of eight rows from `row` (of 32 aligned rows the first or the ninth) and of the eight from
/// `row + 16`, whose table sums are `totals`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn finish(
    scan: &Scan<'_>,
    totals: [__m256; 2],
    row: usize,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    let (terms, factors) = (&scan.terms, scan.factors);
    // SAFETY: the caller vouches for row + 24 <= GROUP_ROWS, the length of all arrays; the errors
    // of both runs are the 16 from `error_at`.
    unsafe {
        let errors = factors.error.as_ptr().add(Factors::error_at(row));
        let errors = _mm256_loadu_si256(errors.cast());
        let errors = [
            _mm256_slli_epi32::<16>(errors),
            _mm256_and_si256(errors, _mm256_set1_epi32(0xffff << 16)),
        ];
        for i in 0..2 {
            let row = row + i * 16;
            let add = _mm256_loadu_ps(factors.add.as_ptr().add(row));
            let scale = _mm256_loadu_ps(factors.scale.as_ptr().add(row));
            let (step, offset) = (_mm256_set1_ps(terms.step), _mm256_set1_ps(terms.offset));
            let along = _mm256_fmadd_ps(totals[i], step, offset);
            let fixed = _mm256_add_ps(add, _mm256_set1_ps(terms.shared));
            let estimate = _mm256_fnmadd_ps(scale, along, fixed);
            let error = _mm256_castsi256_ps(errors[i]);
            let bound = _mm256_fnmadd_ps(error, _mm256_set1_ps(terms.spread), estimate);
            let bound = _mm256_sub_ps(bound, _mm256_set1_ps(terms.slack));
            _mm256_storeu_ps(estimates.as_mut_ptr().add(row), estimate);
            _mm256_storeu_ps(lower.as_mut_ptr().add(row), bound);
        }
    }
}
