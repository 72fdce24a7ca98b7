//! From codes to candidates to the nearest rows: lower bounds say which rows may be near, and
//! those are reranked exactly, most promising first, until no bound is low enough.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use nearfield_model::Result;

use super::plan::Mask;
use super::query::Query;
use super::top_k::TopK;
use crate::collection::Collection;
use crate::index::tail::CHUNK_ROWS;
use crate::index::{GROUP_ROWS, Keys, QueryCode};
use crate::points::{View, bits};

const WORDS: usize = GROUP_ROWS / 64;
/// Candidates that are reranked before the rest is looked through again.
const RERANK_STEP: usize = 64;

/// Memory of one scan, kept for the next.
#[derive(Default)]
pub(crate) struct Scratch {
    code: QueryCode,
    candidates: Vec<Candidate>,
    uppers: BinaryHeap<Upper>,
}

/// A row that may be near, and how near at best.
#[derive(Clone, Copy)]
struct Candidate {
    lower: f32,
    row: u32,
}

/// Finds the nearest rows of one query: rows without codes are compared exactly, the others
/// by their codes and then, if they may be near, exactly.
pub(crate) fn scan(
    collection: &Collection,
    view: &View,
    query: &Query<'_>,
    matching: Option<&Mask>,
    epsilon: f32,
    nearest: &mut TopK<'_>,
    scratch: &mut Scratch,
) -> Result<()> {
    let Scratch {
        code,
        candidates,
        uppers,
    } = scratch;
    candidates.clear();
    let mut bound = UpperBound::new(nearest.limit(), uppers);
    let (mut estimates, mut lower) = (Keys::default(), Keys::default());
    let mut uncoded = Vec::new();
    let chunks = collection.tail.chunks();
    for base in (0..view.rows).step_by(CHUNK_ROWS as usize) {
        let chunk = chunks.get((base / CHUNK_ROWS) as usize);
        if let Some(chunk) = chunk {
            chunk.quantizer.query_into(&query.rotated, epsilon, code);
        }
        let end = base.saturating_add(CHUNK_ROWS).min(view.rows);
        for (number, first) in (base..end).step_by(GROUP_ROWS).enumerate() {
            let mut wanted = [0; WORDS];
            for (word, wanted) in wanted.iter_mut().enumerate() {
                let first = first + word as u32 * 64;
                *wanted =
                    view.live_word(first) & matching.map_or(u64::MAX, |mask| mask.word(first));
            }
            if wanted == [0; WORDS] {
                continue;
            }
            let Some(group) = chunk.and_then(|chunk| chunk.group(number)) else {
                each_row(first, &wanted, |row| uncoded.push(row));
                continue;
            };
            code.scan(group, &mut estimates, &mut lower);
            let near = code.near(&lower, bound.threshold());
            for (wanted, near) in wanted.iter_mut().zip(near) {
                *wanted &= near;
            }
            each_row(first, &wanted, |row| {
                let position = (row - first) as usize;
                let lower = lower[position];
                candidates.push(Candidate { lower, row });
                bound.push(2.0 * estimates[position] - lower);
            });
        }
    }
    rerank(collection, view, query, uncoded.iter().copied(), nearest)?;
    let threshold = bound.threshold().min(nearest.threshold());
    candidates.retain(|candidate| candidate.lower <= threshold);
    let mut rest = &mut candidates[..];
    while !rest.is_empty() {
        let step = RERANK_STEP.max(nearest.limit()).min(rest.len());
        if step < rest.len() {
            rest.select_nth_unstable_by(step - 1, |a, b| a.lower.total_cmp(&b.lower));
        }
        let (first, others) = rest.split_at_mut(step);
        rerank(
            collection,
            view,
            query,
            first.iter().map(|candidate| candidate.row),
            nearest,
        )?;
        let threshold = nearest.threshold();
        let mut kept = 0;
        for position in 0..others.len() {
            if others[position].lower <= threshold {
                others.swap(kept, position);
                kept += 1;
            }
        }
        rest = &mut others[..kept];
    }
    Ok(())
}

#[inline]
fn each_row(first: u32, words: &[u64; WORDS], mut visit: impl FnMut(u32)) {
    for (word, set) in words.iter().enumerate() {
        bits(*set).for_each(|bit| visit(first + word as u32 * 64 + bit));
    }
}

/// Compares rows exactly.
fn rerank(
    collection: &Collection,
    view: &View,
    query: &Query<'_>,
    rows: impl Iterator<Item = u32>,
    nearest: &mut TopK<'_>,
) -> Result<()> {
    view.visit_vectors(&collection.schema, rows, |row, vector, scale| {
        let key = query.key(vector, scale);
        if key <= nearest.threshold() {
            nearest.push(key, row)
        } else {
            Ok(())
        }
    })
}

/// The largest of the smallest upper bounds seen: so far down, there are enough rows.
struct UpperBound<'a> {
    limit: usize,
    heap: &'a mut BinaryHeap<Upper>,
}

/// An upper bound; never NaN.
#[derive(PartialEq)]
struct Upper(f32);

impl Eq for Upper {}

impl Ord for Upper {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Upper {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> UpperBound<'a> {
    fn new(limit: usize, heap: &'a mut BinaryHeap<Upper>) -> Self {
        heap.clear();
        UpperBound { limit, heap }
    }

    #[inline]
    fn threshold(&self) -> f32 {
        match self.heap.peek() {
            Some(upper) if self.heap.len() == self.limit => upper.0,
            _ => f32::INFINITY,
        }
    }

    #[inline]
    fn push(&mut self, upper: f32) {
        // The bound of a row that cannot be estimated is infinite or NaN, and tells nothing.
        if upper < self.threshold() {
            if self.heap.len() == self.limit {
                self.heap.pop();
            }
            self.heap.push(Upper(upper));
        }
    }
}
