//! The scan of codes: all rows of a group or block at once.
//!
//! ```text
//! for each four columns:   bytes[line] = sum of 8 lookups; both[line] += bytes as 16 bits
//!                                                          odd[line]  += bytes >> 8
//! even = both - 256 * odd  (modulo 2^16)
//! rows of a line = low and high halves of even, then of odd
//! ```
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
use super::Avx512;
use crate::kernel::group::{COLUMN_LINES, GROUP_ROWS, SPAN_COLUMNS, Scan, Sweep, Terms};
use crate::kernel::{BLOCK_ROWS, BlockRef, mask::word_below};
use std::arch::x86_64::*;

/// Scans a group; see `scalar::scan_group`.
///
/// # Safety
/// The instruction set must be present; `codes` must hold a multiple of eight columns, and `table`
/// two tables of 16 entries for each.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn scan_group(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    // SAFETY: passed on to the caller.
    unsafe { sweep_columns::<COLUMN_LINES, false>(&scan.into(), estimates, lower) }
}

/// As [`scan_group`], with byte permutations of VBMI.
///
/// # Safety
/// As for [`scan_group`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi")]
pub(super) unsafe fn scan_group_vbmi(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    // SAFETY: passed on to the caller.
    unsafe { sweep_columns::<COLUMN_LINES, true>(&scan.into(), estimates, lower) }
}

/// Scans a block; see `scalar::scan_block`.
///
/// # Safety
/// The instruction set must be present; the block must have a multiple of eight columns, and `table`
/// two tables of 16 entries for each.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn scan_block(
    table: &[u8],
    terms: &Terms,
    block: &BlockRef<'_>,
    threshold: f32,
    estimates: &mut [f32; BLOCK_ROWS],
    lower: &mut [f32; BLOCK_ROWS],
) -> u64 {
    let sweep = Sweep::of_block(table, terms, block);
    // SAFETY: passed on to the caller.
    unsafe {
        sweep_columns::<1, false>(&sweep, estimates, lower);
        word_below::<Avx512>(lower, threshold)
    }
}

/// As [`scan_block`], with byte permutations of VBMI.
///
/// # Safety
/// As for [`scan_block`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi")]
pub(super) unsafe fn scan_block_vbmi(
    table: &[u8],
    terms: &Terms,
    block: &BlockRef<'_>,
    threshold: f32,
    estimates: &mut [f32; BLOCK_ROWS],
    lower: &mut [f32; BLOCK_ROWS],
) -> u64 {
    let sweep = Sweep::of_block(table, terms, block);
    // SAFETY: passed on to the caller.
    unsafe {
        sweep_columns::<1, true>(&sweep, estimates, lower);
        word_below::<Avx512>(lower, threshold)
    }
}

/// Scans the rows of `LINES` lines.
#[inline(always)]
unsafe fn sweep_columns<const LINES: usize, const VBMI: bool>(
    sweep: &Sweep<'_, LINES>,
    estimates: &mut [f32],
    lower: &mut [f32],
) {
    let columns = sweep.codes.len();
    // SAFETY: spans lie within the columns, their ends are multiples of four, and rows below
    // LINES * 64, the length of all arrays; the caller vouches for the instruction set.
    unsafe {
        if columns <= SPAN_COLUMNS {
            let sums = sum_columns::<LINES, VBMI>(sweep, 0, columns);
            for (line, sums) in sums.into_iter().enumerate() {
                let [a, b, c, d] = widen(sums);
                finish(sweep, [a, b], line * 64, estimates, lower);
                finish(sweep, [c, d], line * 64 + 32, estimates, lower);
            }
            return;
        }
        // Spans are added up in f32, which is exact, where the estimates will be.
        estimates.fill(0.0);
        for begin in (0..columns).step_by(SPAN_COLUMNS) {
            let end = columns.min(begin + SPAN_COLUMNS);
            let sums = sum_columns::<LINES, VBMI>(sweep, begin, end);
            for (line, sums) in sums.into_iter().enumerate() {
                for (i, sums) in widen(sums).into_iter().enumerate() {
                    let total = estimates.as_mut_ptr().add(line * 64 + i * 16);
                    _mm512_storeu_ps(total, _mm512_add_ps(_mm512_loadu_ps(total), sums));
                }
            }
        }
        for row in (0..LINES * 64).step_by(32) {
            let totals = estimates.as_ptr().add(row);
            let totals = [_mm512_loadu_ps(totals), _mm512_loadu_ps(totals.add(16))];
            finish(sweep, totals, row, estimates, lower);
        }
    }
}

/// Sums of the columns `begin..end` (at most [`SPAN_COLUMNS`], a multiple of four): per line, those
/// of even and those of odd bytes.
#[inline(always)]
unsafe fn sum_columns<const LINES: usize, const VBMI: bool>(
    sweep: &Sweep<'_, LINES>,
    begin: usize,
    end: usize,
) -> [[__m512i; 2]; LINES] {
    let (tables, codes) = (sweep.table.as_ptr(), sweep.codes.as_ptr());
    // SAFETY: all columns read are below `end`, with two tables and LINES lines each; the caller
    // vouches for that and for the instruction set.
    unsafe {
        let zero = _mm512_setzero_si512();
        let (mut both, mut odd) = ([zero; LINES], [zero; LINES]);
        for four in (begin..end).step_by(4) {
            let mut bytes = [zero; LINES];
            for column in four..four + 4 {
                let pair = tables.add(column * 32).cast::<__m128i>();
                let low = _mm512_broadcast_i32x4(_mm_loadu_si128(pair));
                let high = _mm512_broadcast_i32x4(_mm_loadu_si128(pair.add(1)));
                let lines = codes.add(column).cast::<__m512i>();
                for (i, bytes) in bytes.iter_mut().enumerate() {
                    let code = lines.add(i).read();
                    let found = _mm512_add_epi8(
                        look_up::<VBMI>(low, code),
                        look_up::<VBMI>(high, _mm512_srli_epi16::<4>(code)),
                    );
                    *bytes = _mm512_add_epi8(*bytes, found);
                }
            }
            for i in 0..LINES {
                both[i] = _mm512_add_epi16(both[i], bytes[i]);
                odd[i] = _mm512_add_epi16(odd[i], _mm512_srli_epi16::<8>(bytes[i]));
            }
        }
        let mut sums = [[zero; 2]; LINES];
        for i in 0..LINES {
            sums[i] = [
                _mm512_sub_epi16(both[i], _mm512_slli_epi16::<8>(odd[i])),
                odd[i],
            ];
        }
        sums
    }
}

/// The entry of `table`, repeated four times, at the low half of each byte of `code`. VBMI's
/// permutation takes six bits of an index and ignores the others, so that the repeated table
/// answers to any upper half.
#[inline(always)]
unsafe fn look_up<const VBMI: bool>(table: __m512i, code: __m512i) -> __m512i {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        if VBMI {
            _mm512_permutexvar_epi8(code, table)
        } else {
            _mm512_shuffle_epi8(table, _mm512_and_si512(code, _mm512_set1_epi8(15)))
        }
    }
}

/// Sums of even and odd bytes, as the sums of 64 consecutive rows.
#[inline(always)]
unsafe fn widen([even, odd]: [__m512i; 2]) -> [__m512; 4] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let low = _mm512_set1_epi32(0xffff);
        [
            _mm512_cvtepi32_ps(_mm512_and_si512(even, low)),
            _mm512_cvtepi32_ps(_mm512_srli_epi32::<16>(even)),
            _mm512_cvtepi32_ps(_mm512_and_si512(odd, low)),
            _mm512_cvtepi32_ps(_mm512_srli_epi32::<16>(odd)),
        ]
    }
}

/// Keys of 32 rows from `row`, a multiple of 32 below `LINES * 64`, whose table sums are
/// `totals`.
#[inline(always)]
unsafe fn finish<const LINES: usize>(
    sweep: &Sweep<'_, LINES>,
    totals: [__m512; 2],
    row: usize,
    estimates: &mut [f32],
    lower: &mut [f32],
) {
    let terms = sweep.terms;
    // SAFETY: row + 32 <= LINES * 64, the length of all arrays; the caller vouches for the
    // instruction set.
    unsafe {
        let errors = _mm512_loadu_si512(sweep.error.as_ptr().add(row).cast());
        let errors = [
            _mm512_slli_epi32::<16>(errors),
            _mm512_and_si512(errors, _mm512_set1_epi32(0xffff << 16)),
        ];
        for i in 0..2 {
            let row = row + i * 16;
            let add = _mm512_loadu_ps(sweep.add.as_ptr().add(row));
            let scale = _mm512_loadu_ps(sweep.scale.as_ptr().add(row));
            let (step, offset) = (_mm512_set1_ps(terms.step), _mm512_set1_ps(terms.offset));
            let along = _mm512_fmadd_ps(totals[i], step, offset);
            let fixed = _mm512_add_ps(add, _mm512_set1_ps(terms.shared));
            let estimate = _mm512_fnmadd_ps(scale, along, fixed);
            let error = _mm512_castsi512_ps(errors[i]);
            let bound = _mm512_fnmadd_ps(error, _mm512_set1_ps(terms.spread), estimate);
            let bound = _mm512_sub_ps(bound, _mm512_set1_ps(terms.slack));
            _mm512_storeu_ps(estimates.as_mut_ptr().add(row), estimate);
            _mm512_storeu_ps(lower.as_mut_ptr().add(row), bound);
        }
    }
}
