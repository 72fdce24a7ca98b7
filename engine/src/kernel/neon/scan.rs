//! The scan of codes, half a line of each column (two registers, 32 rows) at a time. The steps are
//! those of the leaf for AVX-512.
#![allow(unsafe_code, reason = "vector instructions and raw loads")]
use super::Neon;
use crate::kernel::group::{COLUMN_LINES, Factors, GROUP_ROWS, SPAN_COLUMNS, Scan, Sweep, Terms};
use crate::kernel::{BLOCK_ROWS, BlockRef, mask::word_below};
use std::arch::aarch64::*;

/// Scans a group; see `scalar::scan_group`.
///
/// # Safety
/// The instruction set must be present; `codes` must hold a multiple of eight columns, and `table`
/// two tables of 16 entries for each.
#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
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
        word_below::<Neon>(lower, threshold)
    }
}

/// Scans the rows of `LINES` lines. Spans of columns are added up in `f32`, which is exact, where the estimates will be.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn sweep_columns<const LINES: usize>(
    sweep: &Sweep<'_, LINES>,
    estimates: &mut [f32],
    lower: &mut [f32],
) {
    let columns = sweep.codes.len();
    estimates.fill(0.0);
    for begin in (0..columns).step_by(SPAN_COLUMNS) {
        let end = columns.min(begin + SPAN_COLUMNS);
        for half in 0..2 * LINES {
            // SAFETY: the span lies within the columns, and both ends are multiples of four.
            let sums = unsafe { sum_columns(sweep, half, begin, end) };
            for (quarter, sums) in sums.into_iter().enumerate() {
                let row = half / 2 * 64 + half % 2 * 8 + quarter * 4;
                for (i, sums) in widen(sums).into_iter().enumerate() {
                    // SAFETY: four rows from 8 + 4 + 48 at most of a line.
                    unsafe {
                        let total = estimates.as_mut_ptr().add(row + i * 16);
                        vst1q_f32(total, vaddq_f32(vld1q_f32(total), sums));
                    }
                }
            }
        }
    }
    for row in (0..LINES * 64).step_by(4).filter(|row| row % 32 < 16) {
        // SAFETY: row + 20 <= LINES * 64.
        unsafe {
            let totals = estimates.as_ptr().add(row);
            finish(
                sweep,
                [vld1q_f32(totals), vld1q_f32(totals.add(16))],
                row,
                estimates,
                lower,
            );
        }
    }
}

/// Sums of the columns `begin..end` (at most [`SPAN_COLUMNS`], a multiple of four) of one half line:
/// per register, those of even and those of odd bytes.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn sum_columns<const LINES: usize>(
    sweep: &Sweep<'_, LINES>,
    half: usize,
    begin: usize,
    end: usize,
) -> [[uint16x8_t; 2]; 2] {
    let tables = sweep.table.as_ptr();
    let codes = sweep.codes.as_ptr().cast::<u8>();
    let (mut both, mut odd) = ([vdupq_n_u16(0); 2], [vdupq_n_u16(0); 2]);
    for four in (begin..end).step_by(4) {
        let mut bytes = [vdupq_n_u8(0); 2];
        for column in four..four + 4 {
            // SAFETY: column < end, with two tables and LINES lines; the caller vouches for that.
            let (low, high, quarters) = unsafe {
                let pair = tables.add(column * 32);
                let quarters = codes.add(column * LINES * 64 + half * 32);
                (
                    vld1q_u8(pair),
                    vld1q_u8(pair.add(16)),
                    [vld1q_u8(quarters), vld1q_u8(quarters.add(16))],
                )
            };
            for (bytes, code) in bytes.iter_mut().zip(quarters) {
                let found = vaddq_u8(
                    vqtbl1q_u8(low, vandq_u8(code, vdupq_n_u8(15))),
                    vqtbl1q_u8(high, vshrq_n_u8::<4>(code)),
                );
                *bytes = vaddq_u8(*bytes, found);
            }
        }
        for i in 0..2 {
            let pairs = vreinterpretq_u16_u8(bytes[i]);
            both[i] = vaddq_u16(both[i], pairs);
            odd[i] = vsraq_n_u16::<8>(odd[i], pairs);
        }
    }
    [
        [vsubq_u16(both[0], vshlq_n_u16::<8>(odd[0])), odd[0]],
        [vsubq_u16(both[1], vshlq_n_u16::<8>(odd[1])), odd[1]],
    ]
}

/// Sums of even and odd bytes, as the sums of four runs of four rows, 16 rows apart.
#[inline]
#[target_feature(enable = "neon")]
fn widen([even, odd]: [uint16x8_t; 2]) -> [float32x4_t; 4] {
    let low = vdupq_n_u32(0xffff);
    let (even, odd) = (vreinterpretq_u32_u16(even), vreinterpretq_u32_u16(odd));
    [
        vcvtq_f32_u32(vandq_u32(even, low)),
        vcvtq_f32_u32(vshrq_n_u32::<16>(even)),
        vcvtq_f32_u32(vandq_u32(odd, low)),
        vcvtq_f32_u32(vshrq_n_u32::<16>(odd)),
    ]
}

/// Keys of four rows from `row` (among the first 16 of 32 aligned rows, a multiple of four) and of
/// the four from `row + 16`, whose table sums are `totals`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn finish<const LINES: usize>(
    sweep: &Sweep<'_, LINES>,
    totals: [float32x4_t; 2],
    row: usize,
    estimates: &mut [f32],
    lower: &mut [f32],
) {
    let terms = sweep.terms;
    // SAFETY: the caller vouches for row + 20 <= LINES * 64, the length of all arrays; the errors
    // of both runs are the eight from `error_at`.
    unsafe {
        let errors = vld1q_u16(sweep.error.as_ptr().add(Factors::error_at(row)));
        let errors = vreinterpretq_u32_u16(errors);
        let errors = [
            vshlq_n_u32::<16>(errors),
            vandq_u32(errors, vdupq_n_u32(0xffff << 16)),
        ];
        for i in 0..2 {
            let row = row + i * 16;
            let add = vld1q_f32(sweep.add.as_ptr().add(row));
            let scale = vld1q_f32(sweep.scale.as_ptr().add(row));
            let along = vfmaq_f32(
                vdupq_n_f32(terms.offset),
                totals[i],
                vdupq_n_f32(terms.step),
            );
            let fixed = vaddq_f32(add, vdupq_n_f32(terms.shared));
            let estimate = vfmsq_f32(fixed, scale, along);
            let error = vreinterpretq_f32_u32(errors[i]);
            let bound = vfmsq_f32(estimate, error, vdupq_n_f32(terms.spread));
            let bound = vsubq_f32(bound, vdupq_n_f32(terms.slack));
            vst1q_f32(estimates.as_mut_ptr().add(row), estimate);
            vst1q_f32(lower.as_mut_ptr().add(row), bound);
        }
    }
}
