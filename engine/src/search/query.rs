//! A query vector, prepared; its exact distance to a row; and scores.

use std::borrow::Cow;

use nearfield_model::{Metric, Result};

use crate::collection::Collection;
use crate::collection::write::scale;
use crate::index::effort::Horizon;
use crate::index::fine::FineQuery;
use crate::kernel::{Floats, Kernel, kernel};

/// A query vector, prepared.
pub(crate) struct Query<'a> {
    /// Of norm 1 under cosine, so that products with it stay within the range of `f32`.
    vector: Cow<'a, [f32]>,
    metric: Metric,
    kernel: &'static Kernel,
    /// The vector, rotated, for codes.
    pub(crate) rotated: Floats,
    squared: f32,
}

impl<'a> Query<'a> {
    /// # Errors
    /// `InvalidArgument` for components that are not finite, and zero under cosine.
    pub(crate) fn new(collection: &Collection, vector: &'a [f32]) -> Result<Query<'a>> {
        let kernel = kernel();
        if let Some(position) = kernel.first_non_finite(vector) {
            return Err(nearfield_model::Error::invalid(format!(
                "component {position} is not a finite number"
            ))
            .in_field("vectors"));
        }
        let metric = collection.schema.metric;
        let vector = if metric == Metric::Cosine {
            let scale = scale(vector)?;
            vector.iter().map(|component| component * scale).collect()
        } else {
            Cow::Borrowed(vector)
        };
        let rotation = &collection.tail.rotation;
        let mut rotated = Floats::zeros(rotation.padded());
        rotation.apply(&vector, &mut rotated);
        Ok(Query {
            vector,
            metric,
            kernel,
            squared: kernel.dot(&rotated, &rotated),
            rotated,
        })
    }

    /// Whether a list whose centroid has this key is beyond the horizon, where the last row wanted
    /// has the key `row`. Never under dot, where keys are no distances.
    pub(crate) fn is_beyond(&self, list: f32, row: f32, horizon: Option<Horizon>) -> bool {
        let Some(horizon) = horizon else { return true };
        let row = match self.metric {
            Metric::Euclidean => row,
            Metric::Cosine => 2.0 + 2.0 * row,
            Metric::Dot => return false,
        };
        horizon.is_before(list + self.squared, row)
    }

    /// What 8-bit codes are compared with.
    pub(crate) fn fine(&self) -> FineQuery<'_> {
        FineQuery {
            metric: self.metric,
            kernel: self.kernel,
            rotated: &self.rotated,
            squared: self.squared,
            norm: self.squared.sqrt(),
        }
    }

    /// The exact key of a row: the lower, the nearer. The one place where rows are compared
    /// exactly, so that a score depends on the two vectors alone.
    #[inline]
    pub(crate) fn key(&self, row: &[f32], row_scale: f32) -> f32 {
        let key = match self.metric {
            Metric::Euclidean => self.kernel.squared_euclidean(&self.vector, row),
            Metric::Dot => -self.kernel.dot(&self.vector, row),
            // Rounding may go past 1; rows of one direction tie all the same.
            Metric::Cosine => {
                let cosine = self.kernel.dot(&self.vector, row) * row_scale;
                -cosine.clamp(-1.0, 1.0)
            }
        };
        // Sums beyond the range of `f32` may be infinity less infinity: such rows come last.
        key.min(f32::INFINITY)
    }
}

/// The score that people see for a key.
pub(crate) fn score(metric: Metric, key: f32) -> f32 {
    match metric {
        Metric::Euclidean => key.max(0.0).sqrt(),
        Metric::Dot | Metric::Cosine => 0.0 - key,
    }
}
