//! A query vector, prepared; its exact distance to a row; and scores.

use nearfield_model::{Metric, Result};

use crate::collection::Collection;
use crate::collection::write::scale;
use crate::kernel::{Floats, Kernel, kernel};

/// A query vector, prepared.
pub(crate) struct Query<'a> {
    vector: &'a [f32],
    /// 1 over its norm under cosine, else 1.
    scale: f32,
    metric: Metric,
    kernel: &'static Kernel,
    /// The vector, scaled and rotated, for codes.
    pub(crate) rotated: Floats,
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
        let scale = if metric == Metric::Cosine {
            scale(vector)?
        } else {
            1.0
        };
        let rotation = &collection.tail.rotation;
        let scaled: Vec<f32> = vector.iter().map(|component| component * scale).collect();
        let mut rotated = Floats::zeros(rotation.padded());
        rotation.apply(&scaled, &mut rotated);
        Ok(Query {
            vector,
            scale,
            metric,
            kernel,
            rotated,
        })
    }

    /// The exact key of a row: the lower, the nearer. The one place where rows are compared
    /// exactly, so that a score depends on the two vectors alone.
    #[inline]
    pub(crate) fn key(&self, row: &[f32], row_scale: f32) -> f32 {
        match self.metric {
            Metric::Euclidean => self.kernel.squared_euclidean(self.vector, row),
            Metric::Dot => -self.kernel.dot(self.vector, row),
            Metric::Cosine => -(self.kernel.dot(self.vector, row) * row_scale * self.scale),
        }
    }
}

/// The score that people see for a key.
pub(crate) fn score(metric: Metric, key: f32) -> f32 {
    match metric {
        Metric::Euclidean => key.max(0.0).sqrt(),
        Metric::Dot => 0.0 - key,
        Metric::Cosine => (0.0 - key).clamp(-1.0, 1.0),
    }
}
