//! Floats that begin at a cache line.
#![allow(
    unsafe_code,
    reason = "views lines as the floats that they are made of"
)]
use super::Line;
use std::ops::{Deref, DerefMut};

/// A slice of `f32` of fixed length, aligned to a cache line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Floats {
    lines: Box<[Line]>,
    length: usize,
}

impl Floats {
    /// `length` zeros.
    pub fn zeros(length: usize) -> Self {
        Self {
            lines: vec![Line::ZERO; length.div_ceil(16)].into_boxed_slice(),
            length,
        }
    }
}

impl From<&[f32]> for Floats {
    fn from(values: &[f32]) -> Self {
        let mut floats = Self::zeros(values.len());
        floats.copy_from_slice(values);
        floats
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the lines hold 16 floats each, at least `length` in all; any bits are a float,
        // and a line's alignment is more than a float's.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the borrow is exclusive, and any float is bytes.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}
