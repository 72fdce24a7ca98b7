//! Search: plan, scan codes for candidates, rerank them exactly, answer.

mod candidates;
mod costs;
mod lists;
mod plan;
mod query;
mod rarity;
mod threads;
mod top_k;
mod trace;

use std::num::NonZeroUsize;

use nearfield_model::{Context, Found, Hit, Metric, Result, Search};

use crate::collection::Collection;
use crate::collection::read::metadata;
use crate::points::View;
use candidates::Scratch;
use plan::{Ground, Plan};
use query::Query;
use threads::in_threads;
use top_k::Near;
use trace::{Stage, Trace};

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
    let answer = |queries: &[Query<'_>], scratch: &mut Scratch, mut trace: Trace| -> Answers {
        let mut results = Vec::with_capacity(queries.len());
        for together in queries.chunks(QUERIES_TOGETHER) {
            context.check()?;
            let limit = request.limit;
            for nearest in plan.run(&ground, context, together, limit, scratch, &mut trace)? {
                results.push(hits(collection, view, request, nearest)?);
            }
            trace.lap(Stage::Answer);
        }
        Ok((results, trace))
    };
    let threads = threads.min(queries.len() / QUERIES_PER_THREAD_MIN);
    let (results, part) = match NonZeroUsize::new(threads) {
        None | Some(NonZeroUsize::MIN) => {
            answer(&queries, &mut Scratch::default(), trace.sibling())?
        }
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

/// What is told of the nearest rows.
fn hits(
    collection: &Collection,
    view: &View,
    request: &Search<'_>,
    nearest: Vec<Near>,
) -> Result<Vec<Hit>> {
    let mut hits = Vec::with_capacity(nearest.len());
    for Near { key, row } in nearest {
        hits.push(Hit {
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
        });
    }
    if collection.schema.metric == Metric::Euclidean {
        // Roots of squares that differ may be equal: then ids decide.
        hits.sort_by(|a, b| a.score.total_cmp(&b.score).then_with(|| a.id.cmp(&b.id)));
    }
    Ok(hits)
}
