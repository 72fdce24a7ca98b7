//! What rows are coded around: a rotated centroid, and the arithmetic of RaBitQ (see
//! [`super::quantizer`]).
use nearfield_model::Metric;

use super::quantizer::{FLAT_MIN, KEY_MAX, SQUARED_MIN};
use super::query_code::QueryCode;
use crate::kernel::{Floats, Kernel, Moments, Terms};

/// Rounding error of a rotated vector, as a share of its norm; generous.
const ROUNDING: f32 = 1.0 / (1 << 20) as f32;

/// A centroid, rotated (`padded` components), with its squared norm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) metric: Metric,
    pub(crate) kernel: &'static Kernel,
    pub(crate) centroid: &'a [f32],
    pub(crate) squared: f32,
}

/// What is kept of a row besides its signs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowFactors {
    pub(crate) add: f32,
    pub(crate) scale: f32,
    /// A bfloat16.
    pub(crate) error: u16,
}

impl Cell<'_> {
    /// Codes a row by its rotated residual: sign bits to `bits`.
    pub(crate) fn code(&self, residual: &[f32], bits: &mut [u8]) -> RowFactors {
        let moments = self.kernel.moments(residual, self.centroid, bits);
        self.factors(&moments)
    }

    fn factors(&self, row: &Moments) -> RowFactors {
        let (add, weight) = match self.metric {
            Metric::Euclidean => (row.squared, 2.0),
            Metric::Dot | Metric::Cosine => (-row.along, 1.0),
        };
        let measurable = (SQUARED_MIN..=KEY_MAX).contains(&row.squared) && add.abs() <= KEY_MAX;
        if !measurable {
            let error = if row.absolute == 0.0 {
                0.0
            } else {
                f32::INFINITY
            };
            return RowFactors {
                error: round_up(error),
                ..RowFactors::default()
            };
        }
        let n = self.centroid.len() as f32;
        let f = row.squared / row.absolute;
        let flat = 1.0 - row.absolute / n / f;
        let error = f * (flat.max(FLAT_MIN) * (n / (n - 1.0))).sqrt();
        RowFactors {
            add,
            scale: weight * f,
            error: round_up(weight * error),
        }
    }

    /// Prepares a rotated query for scanning rows of this cell; see
    /// [`Quantizer::query`](super::Quantizer::query).
    pub(crate) fn query_into(&self, rotated: &[f32], epsilon: f32, code: &mut QueryCode) {
        let padded = self.centroid.len();
        let kernel = self.kernel;
        code.kernel = kernel;
        if code.residual.len() != padded {
            code.residual = Floats::zeros(padded);
        }
        code.bits.resize(padded / 8, 0);
        code.table.resize(padded * 4, 0);
        kernel.residual(rotated, 1.0, self.centroid, &mut code.residual);
        let moments = kernel.moments(&code.residual, self.centroid, &mut code.bits);
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
        let n = self.centroid.len() as f32;
        // The sum of absolute values is no less than the norm, and does not underflow.
        let small = query.squared < SQUARED_MIN;
        let norm = if small {
            query.absolute
        } else {
            query.squared.sqrt()
        };
        let centroid_norm = self.squared.sqrt();
        let shared = match self.metric {
            Metric::Euclidean => query.squared,
            Metric::Dot | Metric::Cosine => -(query.along + self.squared),
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

    /// The estimated key of a row, and its standard error, for a query whose rotated residual
    /// is `residual`: what a scan computes, without its table.
    pub(crate) fn estimate(
        &self,
        bits: &[u8],
        factors: RowFactors,
        residual: &[f32],
    ) -> (f32, f32) {
        let (mut along, mut squared, mut product) = (0.0, 0.0, 0.0);
        for (i, (value, centroid)) in residual.iter().zip(self.centroid).enumerate() {
            let positive = bits[i / 8] >> (i % 8) & 1 == 1;
            along += if positive { *value } else { -value };
            squared += value * value;
            product += value * centroid;
        }
        let shared = match self.metric {
            Metric::Euclidean => squared,
            Metric::Dot | Metric::Cosine => -(product + self.squared),
        };
        let error = f32::from_bits(u32::from(factors.error) << 16);
        (
            factors.add + shared - factors.scale * along,
            error * squared.sqrt(),
        )
    }
}

/// The bits of the smallest bfloat16 that is not below `value`, which is not negative.
fn round_up(value: f32) -> u16 {
    (value.to_bits().saturating_add(0xffff) >> 16) as u16
}
