//! The least that a search of codes takes: preparing the query and looking at every code.

use std::hint::black_box;
use std::sync::Arc;

use nearfield::Metric;
use nearfield_engine::index::{CodeGroup, EPSILON, Quantizer, QueryCode, Rotation, centroid};

use super::super::kernels::scan;
use crate::clock::{micros, timed};
use crate::set::Set;

/// Rows that share a centroid, as in the store.
const CHUNK_ROWS: usize = 1 << 16;

/// The codes of all rows, outside of any store.
pub(super) struct BareScan {
    rotation: Arc<Rotation>,
    chunks: Vec<(Quantizer, Vec<CodeGroup>)>,
}

impl BareScan {
    pub(super) fn new(set: &Set) -> BareScan {
        let (rows, dimension) = (set.base.len(), set.base.dimension());
        let rotation = Arc::new(Rotation::new(dimension, 1));
        let mut scratch = Vec::new();
        let chunks = (0..rows).step_by(CHUNK_ROWS).map(|first| {
            let count = CHUNK_ROWS.min(rows - first);
            let chunk = set.base.slice(first, count, &mut scratch);
            let rows = || chunk.chunks_exact(dimension).map(|row| (row, 1.0));
            let mean = centroid(rows(), dimension);
            let quantizer = Quantizer::new(Metric::Euclidean, rotation.clone(), &mean);
            let mut rest = rows().peekable();
            let mut groups = Vec::new();
            while rest.peek().is_some() {
                groups.push(quantizer.encode(&mut rest));
            }
            (quantizer, groups)
        });
        BareScan {
            chunks: chunks.collect(),
            rotation,
        }
    }

    /// Microseconds per query, over all queries.
    pub(super) fn round(&self, set: &Set) -> f64 {
        let mut rotated = vec![0.0; self.rotation.padded()];
        let mut code = QueryCode::default();
        let ((), time) = timed(|| {
            for query in 0..set.queries.rows() {
                self.rotation.apply(set.queries.row(query), &mut rotated);
                for (quantizer, groups) in &self.chunks {
                    quantizer.query_into(&rotated, EPSILON, &mut code);
                    black_box(scan(&code, groups));
                }
            }
        });
        micros(time) / set.queries.rows() as f64
    }
}
