//! From vectors to 1-bit codes: RaBitQ, arXiv 2405.12497, section 3.
//!
//! With `n` = padded, `o` = rotated residual of a row, `q` = that of a query, `s` = signs of `o`,
//! `f = |o|² / sum |o[i]|` and `t = <s, o> / (|s| |o|)`:
//!
//! ```text
//! <o, q>        is estimated by  f <s, q>
//! its error     is about         |q| f sqrt((1 - t²) n / (n - 1))     (theorem 3.2)
//! |x - y|²      =  |o|² + |q|² - 2 <o, q>
//! -<x, y>       =  -<o, c> - <c, y> - <o, q>                          (c = centroid)
//! ```
use super::cell::Cell;
use super::codes::CodeGroup;
use super::filling::Filling;
use super::rotation::Rotation;
use crate::kernel::{Floats, GROUP_ROWS};
use nearfield_model::Metric;
use std::sync::Arc;

/// Largest key whose arithmetic cannot overflow. Rows and queries beyond it are never estimated:
/// their lower bound is minus infinity.
pub(super) const KEY_MAX: f32 = 1e32;

/// Largest `scale` of a row whose squared norm is at most [`KEY_MAX`], with room for rounding.
pub(super) const SCALE_MAX: f32 = 2.1e16;

/// Smallest squared norm that is exact enough to estimate from.
pub(super) const SQUARED_MIN: f32 = 1e-30;

/// `1 - t²` is taken to be at least this, so that a row's error also covers what rounding the
/// query's table and components adds; for random directions it is 0.36.
pub(super) const FLAT_MIN: f32 = 1.0 / 8.0;

/// Turns vectors into codes, and queries into what those codes are scanned with.
#[derive(Clone, Debug)]
pub struct Quantizer {
    metric: Metric,
    rotation: Arc<Rotation>,
    centroid: Floats,
    rotated: Floats,
    squared: f32,
}

impl Quantizer {
    /// A quantizer around `centroid`, which has the rotation's `dimension` components; all zeros
    /// will do, the mean of the rows makes better estimates.
    pub fn new(metric: Metric, rotation: Arc<Rotation>, centroid: &[f32]) -> Self {
        let mut rotated = Floats::zeros(rotation.padded());
        rotation.apply(centroid, &mut rotated);
        let squared = rotation.kernel().dot(&rotated, &rotated);
        Self {
            metric,
            rotation,
            centroid: centroid.into(),
            rotated,
            squared,
        }
    }

    /// What keys mean.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The rotation that queries must have gone through.
    pub fn rotation(&self) -> &Arc<Rotation> {
        &self.rotation
    }

    /// The centroid, before rotation.
    pub fn centroid(&self) -> &[f32] {
        &self.centroid
    }

    /// The centroid and the arithmetic around it.
    pub(super) fn cell(&self) -> Cell<'_> {
        Cell {
            metric: self.metric,
            kernel: self.rotation.kernel(),
            centroid: &self.rotated,
            squared: self.squared,
        }
    }

    /// Codes the next [`GROUP_ROWS`] of `rows`, or fewer if it ends: each a vector of `dimension`
    /// components and the scale that it is to be multiplied by (1 / norm for cosine, else 1). Rows
    /// that are left stay in an iterator passed by reference.
    pub fn encode<'a>(&self, rows: impl Iterator<Item = (&'a [f32], f32)>) -> CodeGroup {
        let (dimension, padded) = (self.rotation.dimension(), self.rotation.padded());
        let kernel = self.rotation.kernel();
        let cell = self.cell();
        let mut filling = Filling::new(padded);
        let mut residual = Floats::zeros(padded);
        for (vector, scale) in rows.take(GROUP_ROWS) {
            let (head, tail) = residual.split_at_mut(dimension);
            kernel.residual(vector, scale, &self.centroid, head);
            tail.fill(0.0);
            self.rotation.apply_in_place(&mut residual);
            let factors = cell.code(&residual, filling.bits());
            filling.push(factors);
        }
        filling.finish()
    }
}
