//! Which way a search goes: every matching row exactly, or codes first.

use nearfield_model::{Context, Result, Search};
use roaring::RoaringBitmap;

use super::candidates::{Scratch, scan};
use super::query::Query;
use super::top_k::{Near, TopK};
use crate::collection::Collection;
use crate::filter::select;
use crate::points::View;

/// Up to so many matching rows are compared exactly without a look at their codes.
const EXACT_ROWS_MIN: u64 = 512;
/// A scan of all codes costs about as much as comparing this share of the rows exactly.
const EXACT_SHARE: u64 = 64;
/// Rows between two looks at the deadline.
const CHECK_ROWS: usize = 65_536;

/// The way of one search.
pub(crate) enum Plan {
    /// Every live row, exactly.
    ExactAll,
    /// These rows, exactly.
    Exact(RoaringBitmap),
    /// Codes first, of these rows or of all, with lower bounds this many standard errors
    /// below the estimates.
    Codes {
        matching: Option<Box<Mask>>,
        epsilon: f32,
    },
}

/// A bit per row: rows that match a filter.
pub(crate) struct Mask(Vec<u64>);

impl Mask {
    fn new(rows: &RoaringBitmap, count: u32) -> Mask {
        let mut words = vec![0; (count as usize).div_ceil(64)];
        for row in rows {
            if let Some(word) = words.get_mut(row as usize / 64) {
                *word |= 1 << (row % 64);
            }
        }
        Mask(words)
    }

    /// The matching rows among the 64 from `first` on.
    #[inline]
    pub(crate) fn word(&self, first: u32) -> u64 {
        self.0.get(first as usize / 64).copied().unwrap_or(0)
    }
}

impl Plan {
    pub(crate) fn new(
        collection: &Collection,
        context: &Context,
        view: &View,
        request: &Search<'_>,
    ) -> Result<Plan> {
        let matching = match &request.filter {
            Some(filter) => {
                let selected = select(&collection.fields(), view, filter);
                Some(selected.rows(context, view, filter)?)
            }
            None => None,
        };
        let count = matching.as_ref().map_or(view.count(), RoaringBitmap::len);
        let is_exact = request.recall >= 1.0
            || count <= EXACT_ROWS_MIN.max(u64::from(view.rows) / EXACT_SHARE);
        Ok(match matching {
            Some(rows) if is_exact => Plan::Exact(rows),
            None if is_exact => Plan::ExactAll,
            matching => Plan::Codes {
                matching: matching.map(|rows| Box::new(Mask::new(&rows, view.rows))),
                epsilon: epsilon(request.recall),
            },
        })
    }

    /// The nearest rows of each query.
    pub(crate) fn run(
        &self,
        collection: &Collection,
        view: &View,
        context: &Context,
        queries: &[Query<'_>],
        limit: usize,
    ) -> Result<Vec<Vec<Near>>> {
        let mut nearest: Vec<TopK<'_>> = queries.iter().map(|_| TopK::new(limit, view)).collect();
        match self {
            Plan::ExactAll => {
                exact(
                    collection,
                    view,
                    context,
                    queries,
                    view.live_rows(0),
                    &mut nearest,
                )?;
            }
            Plan::Exact(rows) => {
                exact(collection, view, context, queries, rows, &mut nearest)?;
            }
            Plan::Codes { matching, epsilon } => {
                let mut scratch = Scratch::default();
                for (query, nearest) in queries.iter().zip(&mut nearest) {
                    scan(
                        collection,
                        view,
                        query,
                        matching.as_deref(),
                        *epsilon,
                        nearest,
                        &mut scratch,
                    )?;
                    context.check()?;
                }
            }
        }
        nearest.into_iter().map(TopK::into_sorted).collect()
    }
}

/// Lower bounds that lie further below the estimates lose fewer of the nearest.
fn epsilon(recall: f32) -> f32 {
    match recall {
        0.99.. => 2.2,
        0.9.. => 1.6,
        _ => 1.2,
    }
}

/// Compares rows exactly with all queries.
fn exact(
    collection: &Collection,
    view: &View,
    context: &Context,
    queries: &[Query<'_>],
    rows: impl IntoIterator<Item = u32>,
    nearest: &mut [TopK<'_>],
) -> Result<()> {
    let mut done = 0;
    view.visit_vectors(&collection.schema, rows, |row, vector, scale| {
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
    })
}
