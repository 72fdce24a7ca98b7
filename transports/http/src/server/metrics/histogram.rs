//! How often something took how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of all buckets but the last: microseconds, each four times the one before.
const BOUNDS_US: [u64; 12] = [
    1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304,
];

/// Counts durations by size.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
    pub(super) fn add(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| bound * 1_000 < ns);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Each bound in seconds, with the count up to it; the last bound is infinite.
    pub(super) fn cumulative(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1e6);
        let mut total = 0;
        bounds
            .chain([f64::INFINITY])
            .zip(&self.buckets)
            .map(|(bound, count)| {
                total += count.load(Ordering::Relaxed);
                (bound, total)
            })
            .collect()
    }

    pub(super) fn sum_seconds(&self) -> f64 {
        self.sum_ns.load(Ordering::Relaxed) as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_the_bucket_that_bounds_them() {
        let histogram = Histogram::default();
        for us in [1, 2, 5_000_000] {
            histogram.add(Duration::from_micros(us));
        }
        let counts = histogram.cumulative();
        assert_eq!(counts[0], (1e-6, 1));
        assert_eq!(counts[1], (4e-6, 2));
        assert_eq!(counts[11].1, 2);
        assert_eq!(counts[12], (f64::INFINITY, 3));
        assert!((histogram.sum_seconds() - 5.000003).abs() < 1e-9);
    }
}
