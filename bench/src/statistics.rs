//! Medians, percentiles, and the slowest second.

use std::time::Duration;

/// A figure over rounds: its median, and how far rounds strayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of the figures of all rounds; zeros if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Spread {
            median: middle(&values),
            low: values.first().copied().unwrap_or(0.0),
            high: values.last().copied().unwrap_or(0.0),
        }
    }
}

fn middle(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The value that a share of all values does not exceed; 0 of nothing.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(place.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// The fewest of `ends` (ascending, from the start of a run) in any window of `window`;
/// `None` if the run was shorter.
pub(crate) fn fewest_in(ends: &[Duration], window: Duration) -> Option<usize> {
    let last = *ends.last()?;
    let starts = std::iter::once(Duration::ZERO).chain(ends.iter().copied());
    let mut upper = 0;
    starts
        .enumerate()
        .take_while(|(_, start)| *start + window <= last)
        .map(|(passed, start)| {
            while upper < ends.len() && ends[upper] <= start + window {
                upper += 1;
            }
            upper - passed
        })
        .min()
}

/// How many of `ends` (ascending, from the start of a run) are in each window of `window` that
/// begins at a multiple of `step` and ends within the run.
pub(crate) fn counts_in(ends: &[Duration], window: Duration, step: Duration) -> Vec<usize> {
    let last = ends.last().copied().unwrap_or_default();
    let before = |time: Duration| ends.partition_point(|end| *end <= time);
    (0..)
        .map(|number| step * number)
        .take_while(|start| *start + window <= last)
        .map(|start| before(start + window) - before(start))
        .collect()
}

/// What came after the first `passed` of `ends`, from the end of the last of these.
pub(crate) fn ends_after(ends: &[Duration], passed: usize) -> Vec<Duration> {
    let start = passed.checked_sub(1).and_then(|last| ends.get(last));
    let start = start.copied().unwrap_or_default();
    ends.iter().skip(passed).map(|end| *end - start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_are_values_that_were_seen() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!((spread.median, spread.low, spread.high), (2.0, 1.0, 3.0));
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.99), 99.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }

    #[test]
    fn the_slowest_window_is_found() {
        let ends: Vec<Duration> = [100, 200, 300, 1400, 1500, 1600, 2600]
            .map(Duration::from_millis)
            .to_vec();
        assert_eq!(fewest_in(&ends, Duration::from_secs(1)), Some(0));
        assert_eq!(fewest_in(&ends, Duration::from_millis(1300)), Some(3));
        assert_eq!(fewest_in(&ends, Duration::from_secs(3)), None);
    }

    #[test]
    fn windows_at_steps_are_counted() {
        let ends: Vec<Duration> = [100, 200, 300, 1400, 1500]
            .map(Duration::from_millis)
            .to_vec();
        let counts = |step| counts_in(&ends, Duration::from_secs(1), Duration::from_millis(step));
        assert_eq!(counts(250), [3, 1, 2]);
        assert!(counts_in(&[], Duration::from_secs(1), Duration::from_secs(1)).is_empty());
        let after = ends_after(&ends, 3);
        assert_eq!(after, [1100, 1200].map(Duration::from_millis));
        assert_eq!(ends_after(&ends, 0), ends);
        assert!(ends_after(&ends, 9).is_empty());
    }
}
