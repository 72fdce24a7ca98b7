//! What a code scan reads: a group of 256 rows, and a prepared query.
//!
//! # Layout of codes
//!
//! A row has one bit per rotated dimension, set where the residual is not negative: eight
//! consecutive dimensions make a byte, the first in the lowest bit. Each half of a byte, four
//! dimensions, is the index into a table of 16 partial sums that the query brings. Byte `j` of all
//! 256 rows is column `j`, four lines; row `r` is at line `r / 64` of the column, and in the line
//! at byte `b` with
//!
//! ```text
//! r % 64 = b / 4 + 16 * (b / 2 % 2) + 32 * (b % 2)
//! ```
//!
//! So one shuffle looks up as many rows as a register has bytes; and where their sums are widened,
//! first to the even and odd bytes of 16 bits, then to the low and high halves of 32 bits, each of
//! the four registers holds consecutive rows.
//! A block of 64 rows has one line per column, in the same order.
//! (After "fast scan", André et al., VLDB 2015, with rows instead of tables across the lanes.)
use super::{BlockRef, Line};

/// Rows of a group.
pub const GROUP_ROWS: usize = 256;

/// Columns whose sums fit in 16 bits: those of four columns fit in 8 bits.
pub(super) const SPAN_COLUMNS: usize = 1024;

/// Lines of a column.
pub(super) const COLUMN_LINES: usize = GROUP_ROWS / 64;

/// Per-row factors of a group; unused rows are zero.
#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Factors {
    /// The part of the key that depends on the row alone.
    pub add: [f32; GROUP_ROWS],
    /// What one unit of `<signs, query>` subtracts from the key; not negative.
    pub scale: [f32; GROUP_ROWS],
    /// Standard error of the key per unit of query norm, a bfloat16 rounded up; not negative. Row
    /// `r` is at [`Factors::error_at`]`(r)`.
    pub error: [u16; GROUP_ROWS],
}

impl Factors {
    /// All zero.
    pub const ZERO: Factors = Factors {
        add: [0.0; GROUP_ROWS],
        scale: [0.0; GROUP_ROWS],
        error: [0; GROUP_ROWS],
    };

    /// Where the error of a row is: of 32 rows, the first 16 are in the low halves of 32-bit words,
    /// the others in the high halves.
    #[inline]
    pub const fn error_at(row: usize) -> usize {
        row / 32 * 32 + row % 16 * 2 + row / 16 % 2
    }
}

/// The numbers of a query that turn a row's table sum `t` into a key:
/// `estimate = add + shared - scale * (step * t + offset)`,
/// `lower = estimate - error * spread - slack`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// Value of one unit of a table entry.
    pub step: f32,
    /// Sum of the tables' minima.
    pub offset: f32,
    /// The part of the key that depends on the query alone.
    pub shared: f32,
    /// What a row's `error` is multiplied by.
    pub spread: f32,
    /// What rounding can take from any row.
    pub slack: f32,
}

/// One scan of one group.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// Two tables of 16 entries per column; those of eight tables (aligned) add up to at most 255.
    pub table: &'a [u8],
    /// Four lines per column; a multiple of eight columns.
    pub codes: &'a [Line],
    /// The rows' factors.
    pub factors: &'a Factors,
    /// The query's numbers.
    pub terms: Terms,
}

/// What the scans of a group and of a block have in common: one scan of `LINES * 64` rows, whose
/// number all arrays of factors have.
pub(super) struct Sweep<'a, const LINES: usize> {
    /// Two tables of 16 entries per column.
    pub(super) table: &'a [u8],
    /// The columns, a multiple of eight.
    pub(super) codes: &'a [[Line; LINES]],
    /// See [`Factors::add`].
    pub(super) add: &'a [f32],
    /// See [`Factors::scale`].
    pub(super) scale: &'a [f32],
    /// See [`Factors::error`].
    pub(super) error: &'a [u16],
    /// The query's numbers.
    pub(super) terms: &'a Terms,
}

impl<'a> From<&'a Scan<'_>> for Sweep<'a, COLUMN_LINES> {
    #[inline(always)]
    fn from(scan: &'a Scan<'_>) -> Self {
        Sweep {
            table: scan.table,
            codes: scan.codes.as_chunks().0,
            add: &scan.factors.add,
            scale: &scan.factors.scale,
            error: &scan.factors.error,
            terms: &scan.terms,
        }
    }
}

impl<'a> Sweep<'a, 1> {
    /// The scan of a block.
    #[inline(always)]
    pub(super) fn of_block(table: &'a [u8], terms: &'a Terms, block: &BlockRef<'a>) -> Self {
        Sweep {
            table,
            codes: block.codes.as_chunks().0,
            add: &block.factors.add,
            scale: &block.factors.scale,
            error: &block.factors.error,
            terms,
        }
    }
}
