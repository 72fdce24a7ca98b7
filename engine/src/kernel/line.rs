//! Memory in units of one cache line, so that no vector load is split over two.
#![allow(unsafe_code, reason = "views lines as the bytes that they are made of")]

/// 64 bytes, aligned to a cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [u8; 64]);

impl Line {
    /// A line of zero bytes.
    pub const ZERO: Line = Line([0; 64]);

    /// The bytes of `lines`, 64 per line.
    pub fn bytes(lines: &[Line]) -> &[u8] {
        // SAFETY: a line is exactly 64 initialised bytes without padding (size = alignment = 64),
        // so the slice covers the same memory, and a byte has no alignment.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 64) }
    }

    /// The bytes of `lines`, 64 per line, to write to.
    pub fn bytes_mut(lines: &mut [Line]) -> &mut [u8] {
        // SAFETY: as in `bytes`; every bit pattern is a valid line, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 64) }
    }
}
