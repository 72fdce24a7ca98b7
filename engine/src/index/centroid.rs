//! The point that residuals are measured from.

/// The mean of `rows`, each of `dimension` components and multiplied by its scale; zero if there
/// are none, and zero in components whose mean is not finite.
pub fn centroid<'a>(rows: impl Iterator<Item = (&'a [f32], f32)>, dimension: usize) -> Vec<f32> {
    let mut mean = Mean::new(dimension);
    rows.for_each(|(vector, scale)| mean.add(vector, scale));
    mean.centroid()
}

/// A [`centroid`] in the making, for rows that come one at a time.
pub(crate) struct Mean {
    sums: Vec<f64>,
    pub(crate) rows: u32,
}

impl Mean {
    pub(crate) fn new(dimension: usize) -> Mean {
        Mean {
            sums: vec![0.0; dimension],
            rows: 0,
        }
    }

    pub(crate) fn add(&mut self, vector: &[f32], scale: f32) {
        assert_eq!(vector.len(), self.sums.len());
        for (sum, &component) in self.sums.iter_mut().zip(vector) {
            *sum += f64::from(component * scale);
        }
        self.rows += 1;
    }

    pub(crate) fn centroid(self) -> Vec<f32> {
        let share = 1.0 / f64::from(self.rows.max(1));
        let mean = |sum: f64| Some((sum * share) as f32).filter(|mean| mean.is_finite());
        self.sums
            .into_iter()
            .map(|sum| mean(sum).unwrap_or(0.0))
            .collect()
    }
}
