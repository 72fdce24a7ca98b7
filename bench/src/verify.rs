//! Whether a store has what was written: a measurement of one that has not is worth nothing.

use std::borrow::Cow;

use nearfield::{Collection, Id, Ids, Metric};

use crate::Result;
use crate::random::Random;
use crate::set::Set;
use crate::workload::{Points, Pool, string_id};

/// Points that are read back.
const SAMPLE: usize = 1_000;
/// Points that are searched for.
const SEARCHES: usize = 10;

/// What [`verify_rows`] did, for reports.
pub(crate) const ROWS_CHECKED: &str =
    "checked: the count, 1,001 rows bit for bit, and under the euclidean metric 10 exact searches";

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
    check_count(collection, vectors)?;
    let numbers = sample(vectors);
    let vector = |number| Cow::Borrowed(pool.slice(number, 1));
    check_points(collection, points, &numbers, vector)?;
    for number in numbers.iter().take(SEARCHES) {
        find(collection, pool, points, *number, vectors)?;
    }
    Ok(())
}

/// Checks that a collection has exactly the rows of a set: the count, a sample bit for bit, and
/// under the euclidean metric that an exact search with a row's own vector finds it.
///
/// # Errors
/// Names the first row that is not as it was written.
pub(crate) fn verify_rows(collection: &Collection, points: Points, set: &Set) -> Result<()> {
    check_count(collection, set.base.len())?;
    let numbers = sample(set.base.len());
    check_points(collection, points, &numbers, |row| set.base.row(row))?;
    if set.metric != Metric::Euclidean {
        return Ok(());
    }
    for number in numbers.into_iter().take(SEARCHES) {
        let query = set.base.row(number);
        let search = collection.search(&*query).recall(1.0).with_vectors(true);
        let found = search.run()?;
        let nearest = found.results.first().and_then(|hits| hits.first());
        let vector = nearest.and_then(|hit| hit.vector.as_deref());
        if vector.is_none_or(|vector| bits(vector) != bits(&query)) {
            return Err(format!("an exact search does not find row {number}").into());
        }
    }
    Ok(())
}

pub(crate) fn check_count(collection: &Collection, vectors: usize) -> Result<()> {
    let count = collection.count().run()?.count;
    if count != vectors as u64 {
        return Err(format!("{count} points are there after {vectors} were acknowledged").into());
    }
    Ok(())
}

/// Numbers below `end` by chance, and the last.
pub(crate) fn sample(end: usize) -> Vec<usize> {
    let mut random = Random::new(3);
    let mut numbers: Vec<usize> = (0..SAMPLE.min(end)).map(|_| random.below(end)).collect();
    numbers.push(end - 1);
    numbers
}

/// Checks that these points are there and have the vectors that were written.
pub(crate) fn check_points<'v>(
    collection: &Collection,
    points: Points,
    numbers: &[usize],
    vector: impl Fn(usize) -> Cow<'v, [f32]>,
) -> Result<()> {
    let ids: Vec<Id> = numbers.iter().map(|number| id(points, *number)).collect();
    let got = collection.get(Ids::from(ids)).run()?;
    for (number, point) in numbers.iter().zip(got.points) {
        let point = point.ok_or_else(|| format!("point {number} is lost"))?;
        if bits(&point.vector.unwrap_or_default()) != bits(&vector(*number)) {
            return Err(format!("point {number} has another vector than was written").into());
        }
        if points.metadata != point.metadata.is_some() {
            return Err(format!("the metadata of point {number} is not as written").into());
        }
    }
    Ok(())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
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
