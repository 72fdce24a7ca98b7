//! The point that residuals are measured from.

/// The mean of `rows`, each of `dimension` components and multiplied by its scale; zero if there
/// are none, and zero in components whose mean is not finite.
pub fn centroid<'a>(rows: impl Iterator<Item = (&'a [f32], f32)>, dimension: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; dimension];
    let mut count = 0u64;
    for (vector, scale) in rows {
        assert_eq!(vector.len(), dimension);
        for (sum, &component) in sums.iter_mut().zip(vector) {
            *sum += f64::from(component * scale);
        }
        count += 1;
    }
    let share = 1.0 / count.max(1) as f64;
    let mean = |sum: f64| Some((sum * share) as f32).filter(|mean| mean.is_finite());
    sums.into_iter()
        .map(|sum| mean(sum).unwrap_or(0.0))
        .collect()
}
