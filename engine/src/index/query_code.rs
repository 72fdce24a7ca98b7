//! A query, prepared for scanning the codes of one quantizer.
use super::codes::CodeGroup;
use super::quantizer::{FLAT_MIN, KEY_MAX, Quantizer, SQUARED_MIN};
use crate::kernel::{Floats, GROUP_ROWS, Kernel, Moments, Scan, Terms, kernel};
use nearfield_model::Metric;

/// Standard errors between an estimate and its lower bound that RaBitQ's authors recommend: about
/// 97 rows in 100 are no nearer than their bound.
pub const EPSILON: f32 = 1.9;

/// Rounding error of a rotated vector, as a share of its norm; generous.
const ROUNDING: f32 = 1.0 / (1 << 20) as f32;

/// Tables of partial sums and a few numbers, for one query and one quantizer.
#[derive(Clone, Debug)]
pub struct QueryCode {
    kernel: &'static Kernel,
    residual: Floats,
    bits: Vec<u8>,
    table: Vec<u8>,
    terms: Terms,
    /// The query is too large to estimate with.
    beyond: bool,
}

impl Default for QueryCode {
    /// The code of no query, to be filled by [`Quantizer::query_into`].
    fn default() -> Self {
        Self {
            kernel: kernel(),
            residual: Floats::default(),
            bits: Vec::new(),
            table: Vec::new(),
            terms: Terms::default(),
            beyond: true,
        }
    }
}

impl Quantizer {
    /// Prepares a query: `rotated` (`padded` components) has been through this quantizer's
    /// rotation, and for cosine has norm 1. Lower bounds lie `epsilon` (see [`EPSILON`]) standard
    /// errors below the estimates.
    pub fn query(&self, rotated: &[f32], epsilon: f32) -> QueryCode {
        let mut code = QueryCode::default();
        self.query_into(rotated, epsilon, &mut code);
        code
    }

    /// As [`Quantizer::query`], into the memory of an earlier `code`.
    pub fn query_into(&self, rotated: &[f32], epsilon: f32, code: &mut QueryCode) {
        let padded = self.rotation().padded();
        let kernel = self.rotation().kernel();
        code.kernel = kernel;
        if code.residual.len() != padded {
            code.residual = Floats::zeros(padded);
        }
        code.bits.resize(padded / 8, 0);
        code.table.resize(padded * 4, 0);
        kernel.residual(rotated, 1.0, self.rotated_centroid(), &mut code.residual);
        let moments = kernel.moments(&code.residual, self.rotated_centroid(), &mut code.bits);
        let step = kernel.fill_table(&code.residual, &mut code.table);
        code.terms = self.terms(&moments, step, epsilon);
        let Terms {
            step,
            offset,
            shared,
            spread,
            slack,
        } = code.terms;
        code.beyond = ![step, offset, shared, spread, slack]
            .iter()
            .all(|x| x.abs() <= KEY_MAX)
            || moments.squared.is_nan()
            || moments.squared > KEY_MAX;
    }

    fn terms(&self, query: &Moments, step: f32, epsilon: f32) -> Terms {
        let n = self.rotation().padded() as f32;
        // The sum of absolute values is no less than the norm, and does not underflow.
        let small = query.squared < SQUARED_MIN;
        let norm = if small {
            query.absolute
        } else {
            query.squared.sqrt()
        };
        let centroid_norm = self.centroid_squared().sqrt();
        let shared = match self.metric() {
            Metric::Euclidean => query.squared,
            Metric::Dot | Metric::Cosine => -(query.along + self.centroid_squared()),
        };
        // A row's `error` is at least sqrt(FLAT_MIN) times its `scale`, which what is wrong with
        // the table sum is multiplied by. Table entries are off by a uniform error of one step,
        // of variance step²/12, independent per nibble; without a table, by the whole sum.
        let per_scale = 1.0 / FLAT_MIN.sqrt();
        let table_error = per_scale * step * (n / 4.0 / 12.0).sqrt();
        let no_table = if step == 0.0 {
            per_scale * query.absolute
        } else {
            0.0
        };
        let rounding = ROUNDING * (norm + 2.0 * centroid_norm);
        Terms {
            step,
            offset: if step == 0.0 { 0.0 } else { -query.absolute },
            shared,
            spread: epsilon * norm.hypot(table_error)
                + no_table
                + per_scale * n.sqrt() * rounding
                + f32::MIN_POSITIVE,
            slack: 2.0 * rounding * (norm + centroid_norm),
        }
    }
}

impl QueryCode {
    /// Estimates the key of each row of `group`, coded by the same quantizer, and bounds it from
    /// below. Rows that cannot be estimated have the lower bound minus infinity; places without a
    /// row have infinity in both. No lower bound is NaN. The upper bound is
    /// `2 * estimate - lower`.
    pub fn scan(
        &self,
        group: &CodeGroup,
        estimates: &mut [f32; GROUP_ROWS],
        lower: &mut [f32; GROUP_ROWS],
    ) {
        assert_eq!(group.padded(), self.residual.len());
        if self.beyond {
            estimates.fill(0.0);
            lower.fill(f32::NEG_INFINITY);
        } else {
            let scan = Scan {
                table: &self.table,
                codes: &group.codes,
                factors: &group.factors,
                terms: self.terms,
            };
            self.kernel.scan_group(&scan, estimates, lower);
        }
        estimates[group.rows()..].fill(f32::INFINITY);
        lower[group.rows()..].fill(f32::INFINITY);
    }

    /// Bit `i % 64` of word `i / 64` is set where `lower[i] <= threshold`.
    pub fn near(&self, lower: &[f32; GROUP_ROWS], threshold: f32) -> [u64; GROUP_ROWS / 64] {
        self.kernel.mask_below(lower, threshold)
    }
}
