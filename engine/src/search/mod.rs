//! Search: plan, scan codes for candidates, rerank them exactly, answer.

mod candidates;
mod costs;
mod lists;
mod plan;
mod query;
mod rarity;
mod top_k;
mod trace;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use nearfield_model::{Context, Found, Hit, Metric, Result, Search};

use crate::collection::Collection;
use crate::collection::read::metadata;
use crate::points::View;
use plan::{Ground, Plan};
use query::Query;
use top_k::Near;
use trace::{Stage, Trace};

/// Queries that share a thread, at least: fewer are not worth another.
const QUERIES_PER_THREAD_MIN: usize = 8;
/// Queries of the smallest parts that threads take.
const QUERIES_PER_PART_MIN: usize = 4;
/// Queries that go through the rows together, so that each row is fetched once for all.
const QUERIES_TOGETHER: usize = 16;

/// Answers a search on the newest view of a collection.
pub(crate) fn search(
    collection: &Collection,
    context: &Context,
    request: &Search<'_>,
    threads: usize,
) -> Result<Found> {
    collection.check_dimension(request.vectors.dimension())?;
    let mut trace = Trace::new(request.explain.then(|| collection.place.io.clone()));
    let queries = request
        .vectors
        .rows()
        .enumerate()
        .map(|(row, vector)| Query::new(collection, vector).map_err(|error| error.at_row(row)))
        .collect::<Result<Vec<Query<'_>>>>()?;
    trace.lap(Stage::Prepare);
    let ground = Ground::new(collection);
    let view = &*ground.view;
    let plan = Plan::new(&ground, context, request, &mut trace)?;
    let answer = |queries: &[Query<'_>], mut trace: Trace| -> Answers {
        let mut results = Vec::with_capacity(queries.len());
        for together in queries.chunks(QUERIES_TOGETHER) {
            context.check()?;
            for nearest in plan.run(&ground, context, together, request.limit, &mut trace)? {
                results.push(hits(collection, view, request, nearest)?);
            }
            trace.lap(Stage::Answer);
        }
        Ok((results, trace))
    };
    let threads = threads.min(queries.len() / QUERIES_PER_THREAD_MIN);
    let (results, part) = match NonZeroUsize::new(threads) {
        None | Some(NonZeroUsize::MIN) => answer(&queries, trace.sibling())?,
        Some(threads) => in_threads(&queries, threads, &trace, &answer)?,
    };
    trace.add(&part);
    let explained = request
        .explain
        .then(|| trace.into_explanation(plan.explain(&ground)));
    Ok(Found { results, explained })
}

/// The hits of each query, in order, and what finding them took.
type Answers = Result<(Vec<Vec<Hit>>, Trace)>;

/// The number of the first query of a part, and the hits of each.
type Part = (usize, Vec<Vec<Hit>>);

/// Has threads take parts of the queries until none is left: one that starts late, as a core that
/// sleeps does, takes fewer.
fn in_threads(
    queries: &[Query<'_>],
    threads: NonZeroUsize,
    trace: &Trace,
    answer: &(dyn Fn(&[Query<'_>], Trace) -> Answers + Sync),
) -> Answers {
    let parts = parts(queries.len(), threads);
    let next = AtomicUsize::new(0);
    let work = |mut trace: Trace| -> Result<(Vec<Part>, Trace)> {
        let mut answered = Vec::new();
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (results, its) = answer(&queries[part.clone()], trace.sibling())?;
            trace.add(&its);
            answered.push((part.start, results));
        }
        Ok((answered, trace))
    };
    std::thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = (1..threads.get())
            .map(|_| {
                let trace = trace.sibling();
                scope.spawn(move || work(trace))
            })
            .collect();
        let (mut answered, mut trace) = work(trace.sibling())?;
        for other in others {
            let part = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let (part, other) = part?;
            answered.extend(part);
            trace.add(&other);
        }
        answered.sort_unstable_by_key(|(start, _)| *start);
        let results = answered.into_iter().flat_map(|(_, results)| results);
        Ok((results.collect(), trace))
    })
}

/// Parts of `count` queries for so many threads to take one after the other: as many as go through
/// the rows together, and fewer towards the end, so that all threads end at about the same time (guided
/// self-scheduling, Polychronopoulos and Kuck 1987).
fn parts(count: usize, threads: NonZeroUsize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < count {
        let left = count - start;
        let length = (left / (2 * threads.get())).clamp(QUERIES_PER_PART_MIN, QUERIES_TOGETHER);
        let end = count.min(start + length);
        parts.push(start..end);
        start = end;
    }
    parts
}

/// What is told of the nearest rows.
fn hits(
    collection: &Collection,
    view: &View,
    request: &Search<'_>,
    nearest: Vec<Near>,
) -> Result<Vec<Hit>> {
    let hits = nearest.into_iter().map(|Near { key, row }| {
        Ok(Hit {
            id: view.live_id(row)?.to_id(),
            score: query::score(collection.schema.metric, key),
            metadata: if request.with_metadata {
                metadata(view, row)?
            } else {
                None
            },
            vector: if request.with_vectors {
                Some(view.vector(&collection.schema, row)?.0)
            } else {
                None
            },
        })
    });
    let mut hits = hits.collect::<Result<Vec<Hit>>>()?;
    if collection.schema.metric == Metric::Euclidean {
        // Roots of squares that differ may be equal: then ids decide.
        hits.sort_by(|a, b| a.score.total_cmp(&b.score).then_with(|| a.id.cmp(&b.id)));
    }
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_queries_and_get_smaller() {
        for threads in [2, 3, 16].map(|threads| NonZeroUsize::new(threads).unwrap()) {
            for count in [0, 1, 15, 16, 100, 10_000] {
                let parts = parts(count, threads);
                let lengths: Vec<usize> = parts.iter().map(Range::len).collect();
                assert_eq!(lengths.iter().sum::<usize>(), count);
                assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(lengths.is_sorted_by(|one, next| one >= next));
                assert!(lengths.iter().all(|length| *length <= QUERIES_TOGETHER));
            }
        }
    }
}
