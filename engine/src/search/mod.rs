//! Search: plan, scan codes for candidates, rerank them exactly, answer.

mod candidates;
mod plan;
mod query;
mod top_k;

use std::num::NonZeroUsize;

use nearfield_model::{Context, Explanation, Found, Hit, Metric, Plan as Way, Result, Search};

use crate::collection::Collection;
use crate::collection::read::metadata;
use crate::points::View;
use plan::Plan;
use query::Query;
use top_k::Near;

/// Queries that share a thread, at least: fewer are not worth another.
const QUERIES_PER_THREAD_MIN: usize = 8;
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
    let queries = request
        .vectors
        .rows()
        .enumerate()
        .map(|(row, vector)| Query::new(collection, vector).map_err(|error| error.at_row(row)))
        .collect::<Result<Vec<Query<'_>>>>()?;
    let view = collection.view();
    let plan = Plan::new(collection, context, &view, request)?;
    let answer = |queries: &[Query<'_>]| -> Answers {
        let mut results = Vec::with_capacity(queries.len());
        for together in queries.chunks(QUERIES_TOGETHER) {
            context.check()?;
            for nearest in plan.run(collection, &view, context, together, request.limit)? {
                results.push(hits(collection, &view, request, nearest)?);
            }
        }
        Ok(results)
    };
    let threads = threads.min(queries.len() / QUERIES_PER_THREAD_MIN);
    let results = match NonZeroUsize::new(threads) {
        None | Some(NonZeroUsize::MIN) => answer(&queries)?,
        Some(threads) => in_threads(&queries, threads, &answer)?,
    };
    let explained = match request.explain {
        true => explain(&plan, &view, request.vectors.len()),
        false => None,
    };
    Ok(Found { results, explained })
}

/// How exact plans were carried out; those that go by codes do not count what they look at.
fn explain(plan: &Plan, view: &View, queries: usize) -> Option<Explanation> {
    let (plan, matching, rows) = match plan {
        Plan::ExactAll => (Way::ExactAll, None, view.count()),
        Plan::Exact(rows) => (Way::Exact, Some(rows.len()), rows.len()),
        Plan::Codes { .. } => return None,
    };
    Some(Explanation {
        plan,
        matching,
        rows_compared: rows * queries as u64,
        tail_rows: rows,
        ..Explanation::default()
    })
}

/// The hits of each query, in order.
type Answers = Result<Vec<Vec<Hit>>>;

/// Splits queries evenly among threads.
fn in_threads(
    queries: &[Query<'_>],
    threads: NonZeroUsize,
    answer: &(dyn Fn(&[Query<'_>]) -> Answers + Sync),
) -> Answers {
    let share = queries.len().div_ceil(threads.get());
    std::thread::scope(|scope| {
        let mut parts = queries.chunks(share);
        let first = parts.next().unwrap_or_default();
        let others: Vec<_> = parts
            .map(|part| scope.spawn(move || answer(part)))
            .collect();
        let mut results = answer(first)?;
        for other in others {
            let part = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            results.extend(part?);
        }
        Ok(results)
    })
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
