//! From codes to candidates to the nearest rows: lower bounds say which rows may be near, and
//! those are reranked exactly, most promising first, until no bound is low enough.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use nearfield_model::Result;

use super::lists::probe_lists;
use super::plan::{Ground, Reach};
use super::query::Query;
use super::top_k::TopK;
use super::trace::{Stage, Trace};
use crate::collection::matching::Matching;
use crate::index::model::Coarse;
use crate::index::tail::CHUNK_ROWS;
use crate::index::{GROUP_ROWS, Keys, QueryCode};
use crate::points::bits;

const WORDS: usize = GROUP_ROWS / 64;
/// Candidates that are reranked before the rest is looked through again.
const RERANK_STEP: usize = 64;
/// The same, where 8-bit codes leave few.
const RERANK_STEP_FINE: usize = 16;
/// Steps of one length. Where more are needed, as many rows are about as near, and looking through the
/// rest so often would take the square of their number; each further step is twice as long.
const STEPS_ALIKE: u32 = 32;

/// Candidates that there are usually room for from the start.
const USUAL: usize = 2_048;

/// Rows whose 8-bit codes are fetched while one is looked at.
pub(super) const LOOK_AHEAD: usize = 12;

/// Memory of one scan, kept for the next.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(super) code: QueryCode,
    pub(super) coarse: Coarse,
    pub(super) found: Candidates,
    /// Rows that no code says anything of.
    uncoded: Vec<u32>,
    /// The rows that match, where each is looked at.
    each: Vec<u32>,
}

/// A row that may be near, and how near at best.
#[derive(Clone, Copy)]
struct Candidate {
    lower: f32,
    estimate: f32,
    row: u32,
}

/// Rows that may be near, and how near enough of them are at worst.
#[derive(Default)]
pub(super) struct Candidates {
    rows: Vec<Candidate>,
    /// The smallest upper bounds seen, `limit` of them at most.
    uppers: BinaryHeap<Upper>,
    limit: usize,
}

/// Finds the nearest rows of one query: rows without codes are compared exactly, the others
/// by their codes and then, if they may be near, exactly.
pub(crate) fn scan(
    ground: &Ground<'_>,
    query: &Query<'_>,
    matching: Option<&Matching>,
    reach: &Reach,
    nearest: &mut TopK<'_>,
    scratch: &mut Scratch,
    trace: &mut Trace,
) -> Result<()> {
    scratch.found.begin(nearest.limit());
    scratch.uncoded.clear();
    match matching.filter(|_| reach.each) {
        Some(matching) => {
            let mut rows = std::mem::take(&mut scratch.each);
            if rows.is_empty() {
                rows.extend(matching.rows.range(..ground.live.covered()));
            }
            look_at(ground, query, &rows, nearest, scratch, trace)?;
            scratch.each = rows;
        }
        None => probe_lists(ground, query, matching, reach, nearest, scratch, trace)?,
    }
    scan_tail(ground, query, matching, reach.epsilon, scratch, trace);
    trace.lap(Stage::Scan);
    let uncoded = scratch.uncoded.iter().copied();
    rerank(ground, query, uncoded, nearest, trace)?;
    let threshold = scratch.found.threshold().min(nearest.threshold());
    let candidates = &mut scratch.found.rows;
    candidates.retain(|candidate| candidate.lower <= threshold);
    if let Some(most) = reach.rerank
        && most < candidates.len()
    {
        let by_estimate = |a: &Candidate, b: &Candidate| a.estimate.total_cmp(&b.estimate);
        candidates.select_nth_unstable_by(most, by_estimate);
        candidates.truncate(most);
    }
    if !ground.fine.is_empty() && reach.rerank.is_none() {
        refine(ground, query, &mut scratch.found, trace);
        let threshold = scratch.found.threshold().min(nearest.threshold());
        let candidates = &mut scratch.found.rows;
        candidates.retain(|candidate| candidate.lower <= threshold);
    }
    let rerank_step = if ground.fine.is_empty() {
        RERANK_STEP
    } else {
        RERANK_STEP_FINE
    };
    let mut rest = &mut scratch.found.rows[..];
    for step in steps(rerank_step.max(nearest.limit())) {
        if rest.is_empty() {
            break;
        }
        let step = step.min(rest.len());
        if step < rest.len() {
            rest.select_nth_unstable_by(step - 1, |a, b| a.lower.total_cmp(&b.lower));
        }
        let (first, others) = rest.split_at_mut(step);
        let rows = first.iter().map(|candidate| candidate.row);
        rerank(ground, query, rows, nearest, trace)?;
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
    trace.lap(Stage::Rerank);
    Ok(())
}

/// How many candidates are taken at once, step by step.
fn steps(first: usize) -> impl Iterator<Item = usize> {
    (0_u32..).map(move |step| {
        let doublings = step.saturating_sub(STEPS_ALIKE - 1);
        first.saturating_mul(1_usize.checked_shl(doublings).unwrap_or(usize::MAX))
    })
}

/// Bounds candidates by their 8-bit codes, most promising first, and leaves those that may be
/// near still. Candidates without such codes stay as they are.
fn refine(ground: &Ground<'_>, query: &Query<'_>, found: &mut Candidates, trace: &mut Trace) {
    let limit = found.limit;
    let mut candidates = std::mem::take(&mut found.rows);
    found.begin(limit);
    let fine_query = query.fine();
    let mut rest = &mut candidates[..];
    for step in steps(RERANK_STEP.max(limit)) {
        if rest.is_empty() {
            break;
        }
        let step = step.min(rest.len());
        if step < rest.len() {
            rest.select_nth_unstable_by(step - 1, |a, b| a.lower.total_cmp(&b.lower));
        }
        let (first, others) = rest.split_at_mut(step);
        for candidate in first.iter() {
            ground.fine.prefetch(candidate.row);
        }
        for candidate in first.iter() {
            trace.rows_refined += 1;
            match ground.fine.bounds(candidate.row, &fine_query) {
                Some((lower, upper)) => {
                    if lower <= found.threshold() {
                        found.push(candidate.row, (lower + upper) / 2.0, lower);
                    }
                }
                None => found.push(candidate.row, candidate.estimate, candidate.lower),
            }
        }
        let threshold = found.threshold();
        let mut kept = 0;
        for position in 0..others.len() {
            if others[position].lower <= threshold {
                others.swap(kept, position);
                kept += 1;
            }
        }
        rest = &mut others[..kept];
    }
}

/// Looks at rows one by one: bounds them by their 8-bit codes, or compares them exactly.
pub(super) fn look_at(
    ground: &Ground<'_>,
    query: &Query<'_>,
    rows: &[u32],
    nearest: &mut TopK<'_>,
    scratch: &mut Scratch,
    trace: &mut Trace,
) -> Result<()> {
    let fine = &*ground.fine;
    if fine.is_empty() {
        return rerank(ground, query, rows.iter().copied(), nearest, trace);
    }
    let fine_query = query.fine();
    let Scratch { found, uncoded, .. } = scratch;
    for (at, row) in rows.iter().enumerate() {
        if let Some(ahead) = rows.get(at + LOOK_AHEAD) {
            fine.prefetch(*ahead);
        }
        match fine.bounds(*row, &fine_query) {
            Some((lower, upper)) => {
                if lower <= found.threshold() {
                    found.push(*row, (lower + upper) / 2.0, lower);
                }
            }
            None => uncoded.push(*row),
        }
    }
    trace.rows_refined += rows.len() as u64;
    Ok(())
}

/// Looks at the codes of the rows that no segment covers.
fn scan_tail(
    ground: &Ground<'_>,
    query: &Query<'_>,
    matching: Option<&Matching>,
    epsilon: f32,
    scratch: &mut Scratch,
    trace: &mut Trace,
) {
    let (view, covered) = (&*ground.view, ground.live.covered());
    if let Some(matching) = matching {
        let few = (view.rows.saturating_sub(covered) as usize / GROUP_ROWS) as u64;
        if matching.rows.range_cardinality(covered..view.rows) <= few {
            let rows = matching.rows.range(covered..view.rows);
            scratch.uncoded.extend(rows);
            return;
        }
    }
    let matching = matching.map(Matching::mask);
    let Scratch {
        code,
        found,
        uncoded,
        ..
    } = scratch;
    let (mut estimates, mut lower) = (Keys::default(), Keys::default());
    let start = covered / CHUNK_ROWS * CHUNK_ROWS;
    for base in (start..view.rows).step_by(CHUNK_ROWS as usize) {
        let chunk = ground.chunks.get((base / CHUNK_ROWS) as usize);
        if let Some(chunk) = chunk {
            chunk.quantizer.query_into(&query.rotated, epsilon, code);
        }
        let end = base.saturating_add(CHUNK_ROWS).min(view.rows);
        for (number, first) in (base..end).step_by(GROUP_ROWS).enumerate() {
            let mut wanted = [0; WORDS];
            for (word, wanted) in wanted.iter_mut().enumerate() {
                let first = first + word as u32 * 64;
                *wanted = uncovered(first, covered)
                    & view.live_word(first)
                    & matching.map_or(u64::MAX, |mask| mask.word(first));
            }
            if wanted == [0; WORDS] {
                continue;
            }
            let Some(group) = chunk.and_then(|chunk| chunk.group(number)) else {
                each_row(first, &wanted, |row| uncoded.push(row));
                continue;
            };
            trace.rows_scanned += GROUP_ROWS as u64;
            code.scan(group, &mut estimates, &mut lower);
            let near = code.near(&lower, found.threshold());
            for (wanted, near) in wanted.iter_mut().zip(near) {
                *wanted &= near;
            }
            each_row(first, &wanted, |row| {
                let position = (row - first) as usize;
                found.push(row, estimates[position], lower[position]);
            });
        }
    }
}

/// Which of the 64 rows from `first` on are not before `covered`.
#[inline]
fn uncovered(first: u32, covered: u32) -> u64 {
    match covered.saturating_sub(first) {
        0 => u64::MAX,
        rows @ 1..64 => u64::MAX << rows,
        _ => 0,
    }
}

#[inline]
fn each_row(first: u32, words: &[u64; WORDS], mut visit: impl FnMut(u32)) {
    for (word, set) in words.iter().enumerate() {
        bits(*set).for_each(|bit| visit(first + word as u32 * 64 + bit));
    }
}

/// Compares rows exactly.
pub(super) fn rerank(
    ground: &Ground<'_>,
    query: &Query<'_>,
    rows: impl Iterator<Item = u32>,
    nearest: &mut TopK<'_>,
    trace: &mut Trace,
) -> Result<()> {
    let schema = &ground.collection.schema;
    ground
        .view
        .visit_vectors(schema, rows, |row, vector, scale| {
            trace.rows_compared += 1;
            let key = query.key(vector, scale);
            if key <= nearest.threshold() {
                nearest.push(key, row)
            } else {
                Ok(())
            }
        })
}

/// An upper bound, never NaN, and the estimate that it belongs to.
struct Upper {
    bound: f32,
    estimate: f32,
}

impl PartialEq for Upper {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Upper {}

impl Ord for Upper {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound)
    }
}

impl PartialOrd for Upper {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Candidates {
    pub(super) fn begin(&mut self, limit: usize) {
        self.rows.clear();
        self.rows.reserve(USUAL);
        self.uppers.clear();
        self.limit = limit;
    }

    /// The largest of the smallest upper bounds: so far down, there are enough rows.
    #[inline]
    pub(super) fn threshold(&self) -> f32 {
        match self.uppers.peek() {
            Some(upper) if self.uppers.len() == self.limit => upper.bound,
            _ => f32::INFINITY,
        }
    }

    /// About where the last row wanted is.
    pub(super) fn last(&self) -> f32 {
        match self.uppers.peek() {
            Some(upper) if self.uppers.len() == self.limit => upper.estimate,
            _ => f32::INFINITY,
        }
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// Takes a row whose lower bound is within the threshold.
    #[inline]
    pub(super) fn push(&mut self, row: u32, estimate: f32, lower: f32) {
        self.rows.push(Candidate {
            lower,
            estimate,
            row,
        });
        // The bound of a row that cannot be estimated is infinite or NaN, and tells nothing.
        let bound = 2.0 * estimate - lower;
        if bound < self.threshold() {
            if self.uppers.len() == self.limit {
                self.uppers.pop();
            }
            self.uppers.push(Upper { bound, estimate });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_steps_go_through_all_rows_that_are_alike() {
        let alike = steps(16).take(STEPS_ALIKE as usize);
        assert!(alike.eq(std::iter::repeat_n(16, STEPS_ALIKE as usize)));
        let mut rows = 0_usize;
        let enough = steps(16).take_while(|step| {
            rows = rows.saturating_add(*step);
            rows < 100_000_000
        });
        assert!(enough.count() < 64);
        assert!(steps(16).take(200).all(|step| step >= 16), "without end");
    }
}
