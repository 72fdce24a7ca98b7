//! What a code scan reads: a group of 256 rows, and a prepared query.
//!
//! # Layout of codes
//!
//! A row has one bit per rotated dimension, set where the residual is not negative. Four
//! consecutive dimensions make a *nibble* (first dimension in the lowest bit), the index into a
//! table of 16 partial sums that the query brings. Nibble `j` of all 256 rows fills lines `2j` and
//! `2j + 1`:
//!
//! ```text
//! line 2j      byte b   low half: row       r(b)   high half: row  64 + r(b)
//! line 2j + 1  byte b   low half: row 128 + r(b)   high half: row 192 + r(b)
//! r(b) = b / 2 for even b, 32 + b / 2 for odd b
//! ```
//!
//! So one shuffle instruction looks up one table for as many rows as the register has bytes, and
//! even and odd bytes, split when sums are widened to 16 bits, come out as consecutive rows.
//! (After "fast scan", André et al., VLDB 2015, with rows instead of tables across the lanes.)
use super::Line;

/// Rows of a group.
pub const GROUP_ROWS: usize = 256;

/// Nibbles whose table entries (at most [`Terms::ENTRY_MAX`]) add up within 16 bits.
pub(super) const SPAN_NIBBLES: usize = 1024;

/// Per-row factors of a group; unused rows are zero.
#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Factors {
    /// The part of the key that depends on the row alone.
    pub add: [f32; GROUP_ROWS],
    /// What one unit of `<signs, query>` subtracts from the key; not negative.
    pub scale: [f32; GROUP_ROWS],
    /// Standard error of the key per unit of query norm, a bfloat16 rounded up; not negative.
    pub error: [u16; GROUP_ROWS],
}

impl Factors {
    /// All factors zero.
    pub const ZERO: Factors = Factors {
        add: [0.0; GROUP_ROWS],
        scale: [0.0; GROUP_ROWS],
        error: [0; GROUP_ROWS],
    };
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

impl Terms {
    /// Largest table entry: four of them fit in a byte, [`SPAN_NIBBLES`] in 16 bits.
    pub const ENTRY_MAX: u8 = 63;
}

/// One scan of one group.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// 16 entries, each at most [`Terms::ENTRY_MAX`], per nibble.
    pub table: &'a [u8],
    /// Two lines per nibble.
    pub codes: &'a [Line],
    /// The rows' factors.
    pub factors: &'a Factors,
    /// The query's numbers.
    pub terms: Terms,
}
