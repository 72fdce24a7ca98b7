//! The true nearest rows, by comparing all, without the store.

use std::path::Path;

use nearfield::{Hit, Id};

use crate::Result;
use crate::npy;
use crate::set::Set;

/// Hits that searches ask for.
pub(crate) const LIMIT: usize = 10;
/// Rows that a thread compares with all its queries before it goes on: they stay in its cache.
const BLOCK_ROWS: usize = 256;
/// Queries whose nearest are computed to check a file.
const CHECKED: usize = 8;
/// How far a file's nearest may stray from those computed here: others round otherwise.
const TOLERANCE: f32 = 1e-4;

/// How far the last of the true nearest is, per query: whatever is no further counts, so that it
/// does not matter which of equals is found.
#[derive(Debug)]
pub(crate) struct Ground(Vec<Reach>);

#[derive(Clone, Copy, Debug)]
struct Reach {
    distance: f32,
    count: usize,
}

/// The nearest rows of one query, nearest first: distances and row numbers.
#[derive(Clone, Copy, Debug)]
struct Nearest {
    near: [(f32, u32); LIMIT],
    count: usize,
}

impl Ground {
    /// Compares each query with all rows that `within` names.
    pub(crate) fn of(set: &Set, within: impl Fn(usize) -> bool) -> Ground {
        Ground::of_first(set, set.queries.rows(), within)
    }

    /// Compares the first few queries with all rows that `within` names.
    pub(crate) fn of_first(set: &Set, queries: usize, within: impl Fn(usize) -> bool) -> Ground {
        let queries: Vec<usize> = (0..queries).collect();
        let rows: Vec<usize> = (0..set.base.len()).filter(|row| within(*row)).collect();
        Ground::from(nearest(set, &queries, &rows))
    }

    /// The nearest of all rows that a file names: `int32`, a line per query.
    ///
    /// # Errors
    /// If the file is for other rows or queries.
    pub(crate) fn read(set: &Set, path: &Path) -> Result<Ground> {
        let named = npy::read_numbers(path)?;
        if named.len() != set.queries.rows() {
            return Err(format!("{}: not one line per query", path.display()).into());
        }
        let other = || format!("{}: not the nearest of these rows", path.display());
        let reach = named.iter().enumerate().map(|(query, numbers)| {
            let last = numbers.get(LIMIT - 1).map(|row| *row as usize);
            let last = last.filter(|row| *row < set.base.len()).ok_or_else(other)?;
            let query = set.queries.row(query);
            Ok(Reach {
                distance: set.distance(query, &set.base.row(last), last),
                count: LIMIT,
            })
        });
        let reach = reach.collect::<Result<Vec<Reach>>>()?;
        let step = reach.len().div_ceil(CHECKED).max(1);
        let checked: Vec<usize> = (0..reach.len()).step_by(step).collect();
        let rows: Vec<usize> = (0..set.base.len()).collect();
        for (query, nearest) in checked.iter().zip(nearest(set, &checked, &rows)) {
            let (read, truth) = (reach[*query].distance, nearest.reach().distance);
            if (read - truth).abs() > TOLERANCE * truth.abs() {
                return Err(other().into());
            }
        }
        Ok(Ground(reach))
    }

    /// Reads the nearest of all rows, or computes them and writes the file.
    ///
    /// # Errors
    /// If the file is for other rows or queries.
    pub(crate) fn cached(set: &Set, path: &Path) -> Result<Ground> {
        if path.exists() {
            return Ground::read(set, path);
        }
        if set.base.len() < LIMIT {
            return Err(format!("a file of the nearest needs {LIMIT} rows at least").into());
        }
        let queries: Vec<usize> = (0..set.queries.rows()).collect();
        let rows: Vec<usize> = (0..set.base.len()).collect();
        let found = nearest(set, &queries, &rows);
        let numbers: Vec<u32> = found
            .iter()
            .flat_map(|nearest| nearest.near.map(|(_, row)| row))
            .collect();
        npy::write_numbers(path, &numbers, LIMIT)?;
        Ok(found.into())
    }

    /// The share of the true nearest of a query among rows that were found. A row that was found
    /// twice counts once.
    pub(crate) fn share_found(&self, set: &Set, query: usize, rows: &[usize]) -> f64 {
        let reach = &self.0[query];
        if reach.count == 0 {
            return 1.0;
        }
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let query = set.queries.row(query);
        let is_near = |row: &&usize| {
            let row = **row;
            row < set.base.len() && set.distance(query, &set.base.row(row), row) <= reach.distance
        };
        let near = rows.iter().filter(is_near).count();
        near.min(reach.count) as f64 / reach.count as f64
    }

    /// How many rows a search of the query can find at most, up to the limit.
    pub(crate) fn count(&self, query: usize) -> usize {
        self.0[query].count
    }
}

impl From<Vec<Nearest>> for Ground {
    fn from(nearest: Vec<Nearest>) -> Ground {
        Ground(nearest.iter().map(Nearest::reach).collect())
    }
}

/// The row numbers that hits have for ids.
pub(crate) fn rows_of(hits: &[Hit]) -> Vec<usize> {
    let row = |hit: &Hit| match &hit.id {
        Id::U64(row) => usize::try_from(*row).ok(),
        _ => None,
    };
    hits.iter().filter_map(row).collect()
}

impl Nearest {
    const NONE: Nearest = Nearest {
        near: [(f32::INFINITY, u32::MAX); LIMIT],
        count: 0,
    };

    fn push(&mut self, distance: f32, row: usize) {
        if distance < self.near[LIMIT - 1].0 {
            let place = self.near.partition_point(|(near, _)| *near <= distance);
            self.near[place..].rotate_right(1);
            self.near[place] = (distance, row as u32);
            self.count = (self.count + 1).min(LIMIT);
        }
    }

    fn reach(&self) -> Reach {
        Reach {
            distance: self.near[self.count.max(1) - 1].0,
            count: self.count,
        }
    }
}

/// Compares queries with rows, by all cores.
fn nearest(set: &Set, queries: &[usize], rows: &[usize]) -> Vec<Nearest> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = queries.len().div_ceil(threads).max(1);
    let mut found = vec![Nearest::NONE; queries.len()];
    std::thread::scope(|scope| {
        for (queries, found) in queries.chunks(share).zip(found.chunks_mut(share)) {
            scope.spawn(move || {
                let mut block = Vec::new();
                for numbers in rows.chunks(BLOCK_ROWS) {
                    block.clear();
                    for number in numbers {
                        block.extend_from_slice(&set.base.row(*number));
                    }
                    for (query, nearest) in queries.iter().zip(found.iter_mut()) {
                        let query = set.queries.row(*query);
                        let vectors = block.chunks_exact(set.base.dimension());
                        for (number, vector) in numbers.iter().zip(vectors) {
                            nearest.push(set.distance(query, vector, *number), *number);
                        }
                    }
                }
            });
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Shape;

    #[test]
    fn the_nearest_are_those_of_a_sort_also_from_a_file() {
        let set = Set::generated(&Shape::default(), 16, 700, 600, 9);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.npy");
        let odd = Ground::of(&set, |row| row % 2 == 1);
        let grounds = [
            (Ground::of(&set, |_| true), 1),
            (Ground::cached(&set, &path).unwrap(), 1),
            (Ground::cached(&set, &path).unwrap(), 1),
            (odd, 2),
        ];
        for query in 0..9 {
            let vector = set.queries.row(query);
            for (ground, step) in &grounds {
                let mut rows: Vec<usize> = (step - 1..700).step_by(*step).collect();
                let distance = |row: &usize| set.distance(vector, &set.base.row(*row), *row);
                rows.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
                rows.truncate(LIMIT);
                assert_eq!(ground.share_found(&set, query, &rows), 1.0);
                let twice = [&rows[..5], &rows[..5]].concat();
                assert_eq!(ground.share_found(&set, query, &twice), 0.5);
                assert_eq!(ground.count(query), LIMIT);
            }
        }
        let others = Set::generated(&Shape::default(), 16, 700, 500, 9);
        assert!(Ground::read(&others, &path).is_err());
    }

    #[test]
    fn few_rows_can_all_be_found() {
        let set = Set::generated(&Shape::default(), 16, 100, 100, 2);
        let ground = Ground::of(&set, |row| row < 3);
        assert_eq!(ground.count(0), 3);
        assert_eq!(ground.share_found(&set, 0, &[2, 0, 1]), 1.0);
        let none = Ground::of(&set, |_| false);
        assert_eq!((none.count(0), none.share_found(&set, 0, &[])), (0, 1.0));
    }
}
