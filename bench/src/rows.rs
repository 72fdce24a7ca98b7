//! Rows to write: a matrix, and past its end its rows again with noise added.

use std::borrow::Cow;

use crate::npy::Matrix;
use crate::random::Random;

/// Noise is whole steps from minus this to this.
pub(crate) const NOISE_STEPS: usize = 8;
/// Components of noise that rows take windows of; few enough to stay in the nearest cache.
const NOISE_VALUES: usize = 4_096;
const NOISE_SEED: u64 = 5;
const WINDOWS: u64 = 1;

/// Vectors by row number.
#[derive(Debug)]
pub(crate) struct Rows {
    pool: Matrix,
    count: usize,
    noise: Vec<f32>,
}

impl From<Matrix> for Rows {
    fn from(pool: Matrix) -> Rows {
        let count = pool.rows();
        Rows::repeated(pool, count, 0.0)
    }
}

impl Rows {
    /// `count` rows. Those past the pool are its rows again, to each component of which comes a
    /// whole multiple of `step`, different for each row.
    pub(crate) fn repeated(pool: Matrix, count: usize, step: f32) -> Rows {
        let mut random = Random::new(NOISE_SEED);
        let values = if count > pool.rows() {
            NOISE_VALUES + pool.columns
        } else {
            0
        };
        let mut noise = || random.below(2 * NOISE_STEPS + 1) as f32 - NOISE_STEPS as f32;
        Rows {
            pool,
            count,
            noise: (0..values).map(|_| noise() * step).collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn dimension(&self) -> usize {
        self.pool.columns
    }

    /// How many rows have no noise.
    pub(crate) fn pool_rows(&self) -> usize {
        self.pool.rows().min(self.count)
    }

    /// One row.
    pub(crate) fn row(&self, number: usize) -> Cow<'_, [f32]> {
        if number < self.pool.rows() {
            return Cow::Borrowed(self.pool.row(number));
        }
        let mut out = Vec::with_capacity(self.dimension());
        self.push_row(number, &mut out);
        Cow::Owned(out)
    }

    /// `count` rows from `first` on, one after the other; those that have noise are made in
    /// `scratch`.
    pub(crate) fn slice<'a>(
        &'a self,
        first: usize,
        count: usize,
        scratch: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        if first + count <= self.pool.rows() {
            return &self.pool.values[first * self.dimension()..][..count * self.dimension()];
        }
        scratch.clear();
        for number in first..first + count {
            self.push_row(number, scratch);
        }
        scratch
    }

    fn push_row(&self, number: usize, out: &mut Vec<f32>) {
        let pool_rows = self.pool.rows();
        let row = self.pool.row(number % pool_rows);
        if number < pool_rows {
            out.extend_from_slice(row);
        } else {
            let at = Random::at(NOISE_SEED, WINDOWS, number as u64).below(NOISE_VALUES);
            out.extend(row.iter().zip(&self.noise[at..]).map(|(a, b)| a + b));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_past_the_pool_are_near_its_rows_and_not_the_same() {
        let pool = Matrix {
            values: (0..96).map(|value| value as f32 * 100.0).collect(),
            columns: 32,
        };
        let rows = Rows::repeated(pool, 9, 1.0);
        assert_eq!((rows.len(), rows.pool_rows()), (9, 3));
        let mut scratch = Vec::new();
        let all = rows.slice(0, 9, &mut scratch).to_vec();
        for (number, row) in all.chunks_exact(32).enumerate() {
            assert_eq!(row, &*rows.row(number));
            let far = |a: &[f32], b: &[f32]| {
                let each = a.iter().zip(b).map(|(a, b)| (a - b).abs());
                each.fold(0.0, f32::max)
            };
            let base = rows.row(number % 3);
            assert!(far(row, &base) <= NOISE_STEPS as f32);
            let others = (0..9).filter(|other| *other != number);
            assert!(
                others
                    .into_iter()
                    .all(|other| far(row, &rows.row(other)) > 0.0)
            );
        }
    }
}
