//! Whether a store has what a door was given: no door may win by losing data.

use std::borrow::Cow;
use std::collections::HashMap;

use nearfield::{Batch, Collection, Hit, Metric, Vectors};

use super::climb::{COLLECTION, LIMIT};
use super::work::Work;
use crate::Result;
use crate::verify::{check_count, check_points, sample};
use crate::workload::Points;

/// Queries whose hits are compared.
pub(super) const QUERIES: usize = 5;
const BATCH: usize = 1_000;

/// Compares stores with what the embedded door finds in one of its own.
pub(super) struct Checker<'w> {
    work: &'w Work,
    /// The hits among so many first rows.
    found: HashMap<usize, Vec<Vec<Hit>>>,
}

impl<'w> Checker<'w> {
    pub(super) fn new(work: &'w Work) -> Checker<'w> {
        Checker {
            work,
            found: HashMap::new(),
        }
    }

    /// Checks that a collection has exactly the first `rows` rows: their count, a sample bit for
    /// bit, and the hits of exact searches.
    ///
    /// # Errors
    /// Names what is not as it was written.
    pub(super) fn check(&mut self, collection: &Collection, rows: usize) -> Result<()> {
        check_count(collection, rows)?;
        let work = self.work;
        check_points(collection, Points::default(), &sample(rows), |row| {
            Cow::Borrowed(work.slice(row, 1))
        })?;
        let expected = self.expected(rows)?;
        if exact(collection, work)? != *expected {
            return Err("exact searches find something else than the embedded door".into());
        }
        Ok(())
    }

    /// The ids that the embedded door finds for the first queries, exactly, among the first rows.
    pub(super) fn ids(&mut self, rows: usize) -> Result<Vec<Vec<String>>> {
        let found = self.expected(rows)?.iter();
        let ids = |hits: &Vec<Hit>| hits.iter().map(|hit| hit.id.to_string()).collect();
        Ok(found.map(ids).collect())
    }

    fn expected(&mut self, rows: usize) -> Result<&Vec<Vec<Hit>>> {
        if !self.found.contains_key(&rows) {
            let database = nearfield::connect(":memory:")?;
            let dim = self.work.dim;
            let collection = database.create_collection(COLLECTION, dim, Metric::Euclidean)?;
            fill(&collection, self.work, rows)?;
            let hits = exact(&collection, self.work)?;
            self.found.insert(rows, hits);
        }
        self.found.get(&rows).ok_or_else(|| "no hits".into())
    }
}

/// Writes the first rows.
pub(super) fn fill(collection: &Collection, work: &Work, rows: usize) -> Result<()> {
    for first in (0..rows).step_by(BATCH) {
        let count = BATCH.min(rows - first);
        let ids: Vec<u64> = (first as u64..(first + count) as u64).collect();
        let batch = Batch::new(ids, work.slice(first, count));
        let durability = nearfield::Durability::Os;
        collection.upsert(batch).durability(durability).run()?;
    }
    Ok(())
}

fn exact(collection: &Collection, work: &Work) -> Result<Vec<Vec<Hit>>> {
    let queries = Vectors::new(work.query(0, QUERIES), work.dim)?;
    Ok(collection
        .search(queries)
        .limit(LIMIT)
        .recall(1.0)
        .run()?
        .results)
}
