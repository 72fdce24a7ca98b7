//! Whether a store has what was written: a measurement of one that has not is worth nothing.

use nearfield::{Collection, Id, Ids};

use crate::Result;
use crate::random::Random;
use crate::workload::{Points, Pool, string_id};

/// Points that are read back.
const SAMPLE: usize = 1_000;
/// Points that are searched for.
const SEARCHES: usize = 10;

/// Checks that a collection has exactly `vectors` points of the pool, reads a sample back bit for
/// bit, and finds a few by their own vectors.
///
/// # Errors
/// Names the first point that is not as it was written.
pub(crate) fn verify(
    collection: &Collection,
    pool: &Pool,
    points: Points,
    vectors: usize,
) -> Result<()> {
    let count = collection.count().run()?.count;
    if count != vectors as u64 {
        return Err(format!("{count} points are there after {vectors} were acknowledged").into());
    }
    let mut random = Random::new(3);
    let mut numbers: Vec<usize> = (0..SAMPLE.min(vectors))
        .map(|_| random.below(vectors))
        .collect();
    numbers.push(vectors - 1);
    let ids: Vec<Id> = numbers.iter().map(|number| id(points, *number)).collect();
    let got = collection.get(Ids::from(ids)).run()?;
    for (number, point) in numbers.iter().zip(got.points) {
        let point = point.ok_or_else(|| format!("point {number} is lost"))?;
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
        let vector = point.vector.unwrap_or_default();
        if bits(&vector) != bits(pool.slice(*number, 1)) {
            return Err(format!("point {number} has another vector than was written").into());
        }
        if points.metadata != point.metadata.is_some() {
            return Err(format!("the metadata of point {number} is not as written").into());
        }
    }
    for number in numbers.iter().take(SEARCHES) {
        find(collection, pool, points, *number, vectors)?;
    }
    Ok(())
}

/// The nearest points are those that share the vector, in the order of their ids.
fn find(
    collection: &Collection,
    pool: &Pool,
    points: Points,
    number: usize,
    vectors: usize,
) -> Result<()> {
    let query = pool.slice(number, 1);
    let same = (number % pool.rows()..vectors)
        .step_by(pool.rows())
        .take(10);
    let wanted: Vec<Id> = same.map(|number| id(points, number)).collect();
    for recall in [0.95, 1.0] {
        let found = collection.search(query).recall(recall).run()?;
        let hits = found.results.first().ok_or("a search has no answer")?;
        let nearest = hits.iter().map(|hit| &hit.id).take(wanted.len());
        if !nearest.eq(&wanted) || hits.first().is_none_or(|hit| hit.score != 0.0) {
            return Err(format!("a search at recall {recall} does not find point {number}").into());
        }
    }
    Ok(())
}

fn id(points: Points, number: usize) -> Id {
    if points.string_ids {
        Id::from(string_id(number as u64))
    } else {
        Id::from(number as u64)
    }
}
