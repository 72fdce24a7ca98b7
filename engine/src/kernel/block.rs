//! A block of 64 rows: one line of codes per column, then the rows' factors, as they lie in a file.
#![allow(
    unsafe_code,
    reason = "views bytes as the lines and factors that they are, and back"
)]
use super::Line;

/// Rows of a block.
pub const BLOCK_ROWS: usize = 64;

/// Per-row factors of a block, with the meaning of those of [`Factors`](super::Factors); unused rows
/// are zero.
#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct BlockFactors {
    /// The part of the key that depends on the row alone.
    pub add: [f32; BLOCK_ROWS],
    /// What one unit of `<signs, query>` subtracts from the key; not negative.
    pub scale: [f32; BLOCK_ROWS],
    /// Standard error of the key per unit of query norm, a bfloat16 rounded up; not negative. Row
    /// `r` is at [`Factors::error_at`](super::Factors::error_at)`(r)`.
    pub error: [u16; BLOCK_ROWS],
}

// What follows reads the factors as bytes, and bytes as factors; vector loads read the arrays at
// these offsets.
const _: () = assert!(size_of::<BlockFactors>() == BLOCK_ROWS * 10);

impl BlockFactors {
    /// All zero.
    pub const ZERO: BlockFactors = BlockFactors {
        add: [0.0; BLOCK_ROWS],
        scale: [0.0; BLOCK_ROWS],
        error: [0; BLOCK_ROWS],
    };

    /// The factors as they lie in a file.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the three arrays fill the struct without padding (asserted above), so all its
        // bytes are initialised, and a byte has no alignment.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

/// A block as it lies in a file: lines of codes, then factors.
#[derive(Clone, Copy, Debug)]
pub struct BlockRef<'a> {
    /// A line per column, in which row `r` is at byte `b` with
    /// `r = b / 4 + 16 * (b / 2 % 2) + 32 * (b % 2)`; a multiple of eight columns.
    pub codes: &'a [Line],
    /// The rows' factors.
    pub factors: &'a BlockFactors,
}

impl<'a> BlockRef<'a> {
    /// The block that `bytes` are, for `padded` rotated dimensions; none unless `padded` is a
    /// multiple of 64, and `bytes` are aligned to a cache line and [`block_bytes`] of them.
    pub fn from_bytes(bytes: &'a [u8], padded: usize) -> Option<BlockRef<'a>> {
        let fits = padded.is_multiple_of(64)
            && bytes.len() == block_bytes(padded)
            && bytes.as_ptr().addr().is_multiple_of(align_of::<Line>());
        if !fits {
            return None;
        }
        let (codes, factors) = bytes.split_at(padded * 8);
        // SAFETY: both parts are aligned as their types, since the whole is and the first part is a
        // multiple of 64 bytes; their lengths are those of padded / 8 lines and of one
        // `BlockFactors`, and any bytes are valid for both.
        Some(unsafe {
            BlockRef {
                codes: std::slice::from_raw_parts(codes.as_ptr().cast(), padded / 8),
                factors: &*factors.as_ptr().cast(),
            }
        })
    }
}

/// Bytes of a block of `padded` rotated dimensions, a multiple of 64.
pub const fn block_bytes(padded: usize) -> usize {
    padded / 8 * size_of::<Line>() + size_of::<BlockFactors>()
}
