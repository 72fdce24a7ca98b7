//! The true nearest rows, by comparing all, without the store.

use std::path::Path;

use nearfield::{Hit, Id};

use super::LIMIT;
use super::setup::Set;
use crate::Result;
use crate::npy;

/// How far the last of the true nearest is, per query, squared: whatever is no further counts,
/// so that it does not matter which of equals is found.
pub(super) struct Ground(Vec<Reach>);

struct Reach {
    squared: f32,
    count: usize,
}

impl Ground {
    /// Compares each query with all rows that `within` names.
    pub(super) fn of(set: &Set, within: impl Fn(usize) -> bool + Sync) -> Ground {
        let rows: Vec<usize> = (0..set.base.rows()).filter(|row| within(*row)).collect();
        let queries = set.queries.rows();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = queries.div_ceil(threads);
        let parts: Vec<Vec<Reach>> = std::thread::scope(|scope| {
            let rows = &rows;
            let threads: Vec<_> = (0..queries)
                .step_by(share)
                .map(|first| {
                    let end = (first + share).min(queries);
                    scope.spawn(move || (first..end).map(|q| reach(set, q, rows)).collect())
                })
                .collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined
                .map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        Ground(parts.into_iter().flatten().collect())
    }

    /// The nearest that a file names, for all rows of the set.
    pub(super) fn read(set: &Set, path: &Path) -> Result<Ground> {
        let nearest = npy::read_numbers(path)?;
        if nearest.len() != set.queries.rows() {
            return Err(format!("{}: not one line per query", path.display()).into());
        }
        let reach = nearest.iter().enumerate().map(|(query, numbers)| {
            let last = numbers.get(LIMIT - 1).map(|row| *row as usize);
            let last = last
                .filter(|row| *row < set.base.rows())
                .ok_or_else(|| format!("{}: not for these rows", path.display()))?;
            Ok(Reach {
                squared: squared(set.queries.row(query), set.base.row(last)),
                count: LIMIT,
            })
        });
        Ok(Ground(reach.collect::<Result<_>>()?))
    }

    /// The share of the true nearest among the hits.
    pub(super) fn share_found(&self, set: &Set, query: usize, hits: &[Hit]) -> f64 {
        let reach = &self.0[query];
        let near = hits.iter().filter(|hit| match &hit.id {
            Id::U64(row) if (*row as usize) < set.base.rows() => {
                let row = set.base.row(*row as usize);
                squared(set.queries.row(query), row) <= reach.squared
            }
            _ => false,
        });
        if reach.count == 0 {
            return 1.0;
        }
        near.count().min(reach.count) as f64 / reach.count as f64
    }
}

fn reach(set: &Set, query: usize, rows: &[usize]) -> Reach {
    let query = set.queries.row(query);
    let mut nearest = [f32::INFINITY; LIMIT];
    for row in rows {
        let distance = squared(query, set.base.row(*row));
        if distance < nearest[LIMIT - 1] {
            let place = nearest.partition_point(|near| *near <= distance);
            nearest[place..].rotate_right(1);
            nearest[place] = distance;
        }
    }
    let count = rows.len().min(LIMIT);
    Reach {
        squared: nearest[count.max(1) - 1],
        count,
    }
}

/// The squared distance, in lanes that the compiler can keep in registers.
fn squared(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}
