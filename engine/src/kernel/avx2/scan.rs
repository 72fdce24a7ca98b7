//! The scan of codes, a line of each column (two registers, 64 rows) at a time. The steps are those
//! of the leaf for AVX-512.
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
use super::Avx2;
use crate::kernel::group::{COLUMN_LINES, Factors, GROUP_ROWS, SPAN_COLUMNS, Scan, Sweep, Terms};
use crate::kernel::{BLOCK_ROWS, BlockRef, Line, mask::word_below};
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
    // SAFETY: passed on to the caller.
    unsafe { sweep_columns::<COLUMN_LINES>(&scan.into(), estimates, lower) }
}

/// Scans a block; see `scalar::scan_block`.
///
/// # Safety
/// The instruction set must be present; the block must have a multiple of eight columns, and `table`
/// two tables of 16 entries for each.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn scan_block(
    table: &[u8],
    terms: &Terms,
    block: &BlockRef<'_>,
    threshold: f32,
    estimates: &mut [f32; BLOCK_ROWS],
    lower: &mut [f32; BLOCK_ROWS],
) -> u64 {
    // SAFETY: passed on to the caller.
    unsafe {
        sweep_columns::<1>(&Sweep::of_block(table, terms, block), estimates, lower);
        word_below::<Avx2>(lower, threshold)
    }
}

/// Scans the rows of `LINES` lines.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn sweep_columns<const LINES: usize>(
    sweep: &Sweep<'_, LINES>,
    estimates: &mut [f32],
    lower: &mut [f32],
) {
    let columns = sweep.codes.len();
    if columns > SPAN_COLUMNS {
        // SAFETY: passed on to the caller.
        return unsafe { sweep_spans(sweep, estimates, lower) };
    }
    for line in 0..LINES {
        // SAFETY: all columns, a multiple of four.
        let sums = unsafe { sum_columns(sweep, line, 0, columns) };
        for (half, sums) in sums.into_iter().enumerate() {
            let row = line * 64 + half * 8;
            let [a, b, c, d] = widen(sums);
            // SAFETY: row + 56 <= LINES * 64.
            unsafe {
                finish(sweep, [a, b], row, estimates, lower);
                finish(sweep, [c, d], row + 32, estimates, lower);
            }
        }
    }
}

/// As [`sweep_columns`], for more columns than 16-bit sums can take: adds up spans in `f32`, which is
/// exact, where the estimates will be.
#[cold]
#[target_feature(enable = "avx2,fma")]
unsafe fn sweep_spans<const LINES: usize>(
    sweep: &Sweep<'_, LINES>,
    estimates: &mut [f32],
    lower: &mut [f32],
) {
    let columns = sweep.codes.len();
    estimates.fill(0.0);
    for begin in (0..columns).step_by(SPAN_COLUMNS) {
        let end = columns.min(begin + SPAN_COLUMNS);
        for line in 0..LINES {
            // SAFETY: the span lies within the columns, and both ends are multiples of four.
            let sums = unsafe { sum_columns(sweep, line, begin, end) };
            for (half, sums) in sums.into_iter().enumerate() {
                for (i, sums) in widen(sums).into_iter().enumerate() {
                    // SAFETY: eight rows from 8 + 48 at most of a line.
                    unsafe {
                        let total = estimates.as_mut_ptr().add(line * 64 + half * 8 + i * 16);
                        _mm256_storeu_ps(total, _mm256_add_ps(_mm256_loadu_ps(total), sums));
                    }
                }
            }
        }
    }
    for row in (0..LINES * 64).step_by(32).flat_map(|row| [row, row + 8]) {
        // SAFETY: row + 24 <= LINES * 64.
        unsafe {
            let totals = estimates.as_ptr().add(row);
            let totals = [_mm256_loadu_ps(totals), _mm256_loadu_ps(totals.add(16))];
            finish(sweep, totals, row, estimates, lower);
        }
    }
}

/// Sums of the columns `begin..end` (at most [`SPAN_COLUMNS`], a multiple of four) of one line: per
/// half line, those of even and those of odd bytes.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn sum_columns<const LINES: usize>(
    sweep: &Sweep<'_, LINES>,
    line: usize,
    begin: usize,
    end: usize,
) -> [[__m256i; 2]; 2] {
    let (tables, codes) = (sweep.table.as_ptr(), sweep.codes.as_ptr());
    let low_half = _mm256_set1_epi8(15);
    let zero = _mm256_setzero_si256();
    let (mut both, mut odd) = ([zero; 2], [zero; 2]);
    for four in (begin..end).step_by(4) {
        let mut bytes = [zero; 2];
        for column in four..four + 4 {
            // SAFETY: column < end, with two tables and LINES lines; the caller vouches for that.
            let (low, high, halves) = unsafe {
                let pair = tables.add(column * 32).cast::<__m128i>();
                let halves = codes.add(column).cast::<Line>().add(line).cast::<__m256i>();
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
unsafe fn finish<const LINES: usize>(
    sweep: &Sweep<'_, LINES>,
    totals: [__m256; 2],
    row: usize,
    estimates: &mut [f32],
    lower: &mut [f32],
) {
    let terms = sweep.terms;
    // SAFETY: the caller vouches for row + 24 <= LINES * 64, the length of all arrays; the errors
    // of both runs are the 16 from `error_at`.
    unsafe {
        let errors = sweep.error.as_ptr().add(Factors::error_at(row));
        let errors = _mm256_loadu_si256(errors.cast());
        let errors = [
            _mm256_slli_epi32::<16>(errors),
            _mm256_and_si256(errors, _mm256_set1_epi32(0xffff << 16)),
        ];
        for i in 0..2 {
            let row = row + i * 16;
            let add = _mm256_loadu_ps(sweep.add.as_ptr().add(row));
            let scale = _mm256_loadu_ps(sweep.scale.as_ptr().add(row));
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
