//! Where a scan writes.
use super::GROUP_ROWS;
use std::ops::{Deref, DerefMut};

/// A number per row of a group, aligned to a cache line: a scan into plain arrays gives the same
/// numbers, more slowly.
#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Keys(pub [f32; GROUP_ROWS]);

impl Default for Keys {
    fn default() -> Self {
        Self([0.0; GROUP_ROWS])
    }
}

impl Deref for Keys {
    type Target = [f32; GROUP_ROWS];

    fn deref(&self) -> &[f32; GROUP_ROWS] {
        &self.0
    }
}

impl DerefMut for Keys {
    fn deref_mut(&mut self) -> &mut [f32; GROUP_ROWS] {
        &mut self.0
    }
}
