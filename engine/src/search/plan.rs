//! Which way a search goes: every matching row exactly, codes first, or matching rows by list.

use std::sync::Arc;

use nearfield_model::{self as model, Context, Explanation, Result, Search};

use super::candidates::{Scratch, scan};
use super::costs::WayCosts;
use super::query::Query;
use super::top_k::{Near, TopK};
use super::trace::{Stage, Trace};
use crate::collection::Collection;
use crate::collection::matching::Matching;
use crate::index::effort::Horizon;
use crate::index::fine::Fine;
use crate::index::live::Live;
use crate::index::tail::Chunk;
use crate::pause::pause;
use crate::points::View;

/// A scan of all codes costs about as much as comparing this share of the rows exactly.
const EXACT_SHARE: u64 = 64;
/// Rows between two looks at the deadline.
const CHECK_ROWS: usize = 65_536;

/// What a search goes over: one moment of the collection.
pub(crate) struct Ground<'a> {
    pub(crate) collection: &'a Collection,
    pub(crate) view: Arc<View>,
    pub(crate) chunks: Arc<Vec<Arc<Chunk>>>,
    pub(crate) live: Arc<Live>,
    pub(crate) fine: Arc<Fine>,
}

impl<'a> Ground<'a> {
    /// The ground of a search that begins now.
    pub(crate) fn new(collection: &'a Collection) -> Ground<'a> {
        // The tail lets go of codes once the index has the rows, and the index leaves out rows
        // that were dead in a view of before: in this order, none is missed.
        let chunks = collection.tail.chunks();
        pause();
        let live = collection.index.live();
        pause();
        let view = collection.view();
        Ground {
            collection,
            view,
            chunks,
            live,
            fine: collection.index.fine(),
        }
    }
}

/// How far a search looks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reach {
    /// Lists to probe, by epoch.
    pub(crate) probes: Vec<usize>,
    /// With a filter: up to where lists are probed, by epoch, where fewer rows match than
    /// elsewhere; no further if there is none.
    pub(crate) horizon: Vec<Option<Horizon>>,
    /// The share of rows that match.
    pub(crate) share: f32,
    /// Standard errors by which lower bounds lie below the estimates.
    pub(crate) epsilon: f32,
    /// Rows to compare exactly, at most.
    pub(crate) rerank: Option<usize>,
    /// Rows that match are all looked at, one by one.
    pub(crate) each: bool,
}

/// The way of one search.
pub(crate) struct Plan {
    way: Way,
    reach: Reach,
    matching: Option<u64>,
}

enum Way {
    /// Every live row, exactly.
    ExactAll,
    /// These rows, exactly.
    Exact(Arc<Matching>),
    /// Codes first, of these rows or of all.
    Codes(Option<Arc<Matching>>),
    /// The codes of these rows, one by one.
    EachCode(Arc<Matching>),
    /// These rows, if they are in the nearest lists.
    ListedRows(Arc<Matching>),
}

impl Way {
    /// The rows that match, if there is a filter.
    fn matching(&self) -> Option<&Matching> {
        match self {
            Way::ExactAll => None,
            Way::Exact(rows) | Way::EachCode(rows) | Way::ListedRows(rows) => Some(rows),
            Way::Codes(rows) => rows.as_deref(),
        }
    }
}

impl Plan {
    pub(crate) fn new(
        ground: &Ground<'_>,
        context: &Context,
        request: &Search<'_>,
        trace: &mut Trace,
    ) -> Result<Plan> {
        pause();
        let view = &*ground.view;
        let matching = match &request.filter {
            Some(filter) => {
                let (collection, recent) = (ground.collection, &ground.collection.recent);
                Some(recent.matching(collection, context, view, filter)?)
            }
            None => None,
        };
        let count = matching.as_ref().map_or(view.count(), |rows| rows.count());
        let few = count <= u64::from(ground.collection.options.exact_rows);
        let mut reach = reach(ground, request, count);
        let matched = matching.as_ref().map(|rows| rows.count());
        let costs = WayCosts::new(ground, &reach, count);
        let way = match matching {
            None if request.recall >= 1.0 || few => Way::ExactAll,
            None if ground.live.segments.is_empty()
                && count <= u64::from(view.rows) / EXACT_SHARE =>
            {
                Way::ExactAll
            }
            None => Way::Codes(None),
            Some(rows)
                if request.recall >= 1.0
                    || few
                    || costs.exact <= costs.codes.min(costs.listed_rows).min(costs.each) =>
            {
                Way::Exact(rows)
            }
            Some(rows) if costs.each <= costs.codes.min(costs.listed_rows) => {
                reach.each = true;
                Way::EachCode(rows)
            }
            Some(rows) if costs.listed_rows <= costs.codes => Way::ListedRows(rows),
            Some(rows) => Way::Codes(Some(rows)),
        };
        trace.lap(Stage::Filter);
        Ok(Plan {
            way,
            reach,
            matching: matched,
        })
    }

    /// The nearest rows of each query.
    pub(crate) fn run(
        &self,
        ground: &Ground<'_>,
        context: &Context,
        queries: &[Query<'_>],
        limit: usize,
        scratch: &mut Scratch,
        trace: &mut Trace,
    ) -> Result<Vec<Vec<Near>>> {
        let view = &*ground.view;
        let mut nearest: Vec<TopK<'_>> = queries.iter().map(|_| TopK::new(limit, view)).collect();
        match &self.way {
            Way::ExactAll => {
                exact(
                    ground,
                    context,
                    queries,
                    view.live_rows(0),
                    &mut nearest,
                    trace,
                )?;
            }
            Way::Exact(rows) => {
                exact(ground, context, queries, &rows.rows, &mut nearest, trace)?;
            }
            Way::Codes(_) | Way::EachCode(_) | Way::ListedRows(_) => {
                for (query, nearest) in queries.iter().zip(&mut nearest) {
                    scan(
                        ground,
                        query,
                        self.way.matching(),
                        &self.reach,
                        nearest,
                        scratch,
                        trace,
                    )?;
                    context.check()?;
                }
            }
        }
        nearest.into_iter().map(TopK::into_sorted).collect()
    }

    /// What is told of the plan.
    pub(crate) fn explain(&self, ground: &Ground<'_>) -> Explanation {
        let (plan, codes, lists) = match &self.way {
            Way::ExactAll => (model::Plan::ExactAll, false, false),
            Way::Exact(_) => (model::Plan::Exact, false, false),
            Way::Codes(_) if ground.live.segments.is_empty() => (model::Plan::Codes, true, false),
            Way::Codes(_) => (model::Plan::Lists, true, true),
            Way::EachCode(_) => (model::Plan::Codes, false, false),
            Way::ListedRows(_) => (model::Plan::ListedRows, false, true),
        };
        let newest = ground.live.newest();
        let (covered, end) = (ground.live.covered(), ground.view.rows);
        let tail_rows = match &self.way {
            Way::ExactAll => ground.view.live_between(covered, end).into(),
            Way::Exact(rows) | Way::EachCode(rows) | Way::ListedRows(rows) => {
                rows.rows.range_cardinality(covered..end)
            }
            Way::Codes(_) => end.saturating_sub(covered).into(),
        };
        Explanation {
            plan,
            matching: self.matching,
            lists: newest.map_or(0, |epoch| epoch.model.lists() as u64),
            segments: ground.live.segments.len() as u64,
            tail_rows,
            epsilon: if codes { self.reach.epsilon } else { 0.0 },
            probes: match lists {
                true => self.reach.probes.last().map_or(0, |probes| *probes as u64),
                false => 0,
            },
            ..Explanation::default()
        }
    }
}

/// How far to look for a recall, when `count` rows match.
fn reach(ground: &Ground<'_>, request: &Search<'_>, count: u64) -> Reach {
    // The nearest matching rows lie as deep as more of the nearest rows would, without a filter.
    let share = ground.view.count() as f64 / count.max(1) as f64;
    let limit = request.limit as f64 * share;
    let mut epsilon = None;
    let mut probes = Vec::with_capacity(ground.live.epochs.len());
    let mut horizon = Vec::with_capacity(ground.live.epochs.len());
    for epoch in &ground.live.epochs {
        let lists = epoch.model.lists();
        let effort = epoch.calibration.effort(request.recall, limit, lists);
        epsilon = Some(effort.epsilon.max(epsilon.unwrap_or(0.0)));
        probes.push(
            request
                .probes
                .map_or(effort.probes, |probes| probes.min(lists)),
        );
        horizon.push(request.probes.is_none().then_some(effort.horizon));
    }
    Reach {
        probes,
        horizon,
        share: (1.0 / share) as f32,
        epsilon: match request.rerank {
            Some(_) => EPSILON_MAX,
            None if request.filter.is_some() => {
                epsilon.unwrap_or(0.0).max(epsilon_filtered(request.recall))
            }
            None => epsilon.unwrap_or_else(|| epsilon_without_index(request.recall)),
        },
        rerank: request.rerank,
        each: false,
    }
}

/// With a number of rows to rerank given, bounds leave all that may count.
const EPSILON_MAX: f32 = 4.0;

/// Lower bounds that lie further below the estimates lose fewer of the nearest.
fn epsilon_without_index(recall: f32) -> f32 {
    match recall {
        0.99.. => 2.2,
        0.9.. => 1.6,
        _ => 1.2,
    }
}

/// The nearest rows that match may be far from the query, where rows are about equally far and errors
/// of the estimates decide which come first. Nothing of what was measured on the nearest rows of all
/// holds there, but the errors are normal: so many of them let through the share asked for, though
/// the threshold is the least of many estimates.
fn epsilon_filtered(recall: f32) -> f32 {
    match recall {
        0.99.. => 2.6,
        0.95.. => 2.2,
        _ => 2.0,
    }
}

/// Compares rows exactly with all queries.
fn exact(
    ground: &Ground<'_>,
    context: &Context,
    queries: &[Query<'_>],
    rows: impl IntoIterator<Item = u32>,
    nearest: &mut [TopK<'_>],
    trace: &mut Trace,
) -> Result<()> {
    let mut done = 0;
    let schema = &ground.collection.schema;
    ground
        .view
        .visit_vectors(schema, rows, |row, vector, scale| {
            done += 1;
            if done % CHECK_ROWS == 0 {
                context.check()?;
            }
            for (query, nearest) in queries.iter().zip(nearest.iter_mut()) {
                let key = query.key(vector, scale);
                if key <= nearest.threshold() {
                    nearest.push(key, row)?;
                }
            }
            Ok(())
        })?;
    trace.rows_compared += done as u64 * queries.len() as u64;
    trace.lap(Stage::Rerank);
    Ok(())
}
