//! Candidates from the lists of the index: the nearest lists' codes, or the rows of them that
//! match a filter.

#[cfg(test)]
mod tests;

use nearfield_model::Result;

use super::candidates::{Scratch, rerank};

use super::plan::{Ground, Reach};
use super::query::Query;
use super::top_k::TopK;
use super::trace::{Stage, Trace};
use crate::collection::matching::Matching;
use crate::filter::mask::Mask;
use crate::index::effort::Horizon;
use crate::index::listed::{ListedRow, ListedRows};
use crate::index::model::Model;
use crate::index::segment::Segment;
use crate::kernel::BLOCK_ROWS;
use crate::points::bits;

/// Lists beyond those wanted that are ordered too, as some may be empty.
const SPARE_LISTS: usize = 8;
/// Matching rows whose lists are looked up, at most, before codes are scanned.
const LISTED_ROWS_MAX: u64 = 1 << 15;
/// Where this share of the matching rows that are to be expected is found, they are not rarer
/// than elsewhere.
const SHARE_MIN: f32 = 0.7;

/// Looks at the codes of each epoch's nearest lists; at more of them than wanted if those hold
/// too few rows.
pub(super) fn probe_lists(
    ground: &Ground<'_>,
    query: &Query<'_>,
    matching: Option<&Matching>,
    reach: &Reach,
    scratch: &mut Scratch,
    trace: &mut Trace,
) {
    // Few rows are looked up, so that lists without any need not be touched.
    let listed = matching
        .filter(|matching| matching.count() <= LISTED_ROWS_MAX)
        .map(|matching| matching.listed(&ground.live));
    let efforts = reach.probes.iter().zip(&reach.horizon);
    for (number, (epoch, (probes, horizon))) in ground.live.epochs.iter().zip(efforts).enumerate() {
        let model = &*epoch.model;
        let segments = || ground.live.segments_of(model.epoch);
        if segments().next().is_none() {
            continue;
        }
        let mut probing = Probing {
            ground,
            query,
            matching: matching.map(Matching::mask),
            listed: listed.as_deref(),
            number,
            epsilon: reach.epsilon,
            model,
            left: *probes,
            near: *probes,
            horizon: *horizon,
            share: reach.share,
            seen: 0,
            matched: 0,
            rare: false,
        };
        let wanted = probes.saturating_add(SPARE_LISTS);
        model.nearest_lists(&query.rotated, wanted, &mut scratch.coarse);
        trace.lap(Stage::Coarse);
        let tried = probing.probe(0, scratch, trace);
        let next = scratch.coarse.lists.get(tried).map(|(key, _)| *key);
        if next.is_some_and(|key| probing.is_done(key, scratch)) || tried >= model.lists() {
            continue;
        }
        // The rows of these lists were too few: go on with the others.
        let mut probed = vec![false; model.lists()];
        for (_, list) in &scratch.coarse.lists[..tried] {
            probed[*list as usize] = true;
        }
        model.nearest_lists(&query.rotated, model.lists(), &mut scratch.coarse);
        scratch
            .coarse
            .lists
            .retain(|(_, list)| !probed[*list as usize]);
        probing.probe(0, scratch, trace);
    }
}

/// A walk through the lists of one epoch.
struct Probing<'a> {
    ground: &'a Ground<'a>,
    query: &'a Query<'a>,
    matching: Option<&'a Mask>,
    /// The lists of the rows that match, if they are few.
    listed: Option<&'a ListedRows>,
    /// The epoch's position among the live ones.
    number: usize,
    epsilon: f32,
    model: &'a Model,
    /// Lists with rows that are still wanted.
    left: usize,
    /// See [`Reach`].
    horizon: Option<Horizon>,
    share: f32,
    /// Lists that are near the query, with or without a match, and are still to come.
    near: usize,
    /// Rows of the lists that were looked into, and those of them that match.
    seen: usize,
    matched: usize,
    /// Fewer rows match near the query than elsewhere.
    rare: bool,
}

impl Probing<'_> {
    /// Whether enough lists were looked into, and enough rows found; the next list is this far.
    fn is_done(&self, key: f32, scratch: &Scratch) -> bool {
        if self.left > 0 || !scratch.found.is_enough() {
            return false;
        }
        // Near the query as many rows match as elsewhere: the calibration holds. If not, lists
        // are looked into as long as they may hold rows as near as those found.
        !self.rare
            || self
                .query
                .is_beyond(key, scratch.found.threshold(), self.horizon)
    }

    /// Looks into the lists found, from position `from` on; gives how far it came.
    fn probe(&mut self, from: usize, scratch: &mut Scratch, trace: &mut Trace) -> usize {
        let live = &self.ground.live;
        let segments = || live.segments_of(self.model.epoch);
        let mut at = from;
        while let Some((key, list)) = scratch.coarse.lists.get(at).copied() {
            if self.is_done(key, scratch) {
                break;
            }
            let list = list as usize;
            at += 1;
            let rows: usize = segments().map(|segment| segment.count(list) as usize).sum();
            if rows == 0 {
                continue;
            }
            if let Some(listed) = self.listed
                && !listed.is_present(self.number, list)
            {
                self.seen += rows;
                self.pass();
                continue;
            }
            if let Some((_, next)) = scratch.coarse.lists.get(at) {
                segments().for_each(|segment| segment.prefetch(*next as usize));
            }
            let matched = self.matched;
            let mut prepared = false;
            for segment in segments() {
                self.scan_list(segment, list, &mut prepared, scratch, trace);
            }
            // Lists without a match cost little, and count for nothing.
            if self.matched > matched {
                self.left = self.left.saturating_sub(1);
                trace.lists_probed += 1;
            }
            self.pass();
        }
        at
    }

    /// Notes that a list is done: behind the last near one it is known how rare matches are.
    fn pass(&mut self) {
        let Some(near) = self.near.checked_sub(1) else {
            return;
        };
        self.near = near;
        if near == 0 && self.matching.is_some() {
            self.rare = is_rare(self.matched, self.share * self.seen as f32);
        }
    }

    #[inline]
    fn scan_list(
        &mut self,
        segment: &Segment,
        list: usize,
        prepared: &mut bool,
        scratch: &mut Scratch,
        trace: &mut Trace,
    ) {
        let (mut estimates, mut lower) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
        let view = &*self.ground.view;
        let Scratch { code, found, .. } = scratch;
        for block in segment.list(list) {
            let there = u64::MAX >> (BLOCK_ROWS - block.len());
            let wanted = match self.matching {
                Some(mask) => block.matching(|row| mask.contains(row)),
                None => there,
            };
            self.seen += block.len();
            self.matched += wanted.count_ones() as usize;
            if wanted == 0 {
                continue;
            }
            if !std::mem::replace(prepared, true) {
                let cell = self.model.cell(list);
                cell.query_into(&self.query.rotated, self.epsilon, code);
            }
            trace.rows_scanned += block.len() as u64;
            let near = code.scan_block(&block.codes, found.threshold(), &mut estimates, &mut lower);
            for place in bits(near & wanted) {
                let place = place as usize;
                let row = block.row(place);
                // The threshold may have fallen since the block was scanned.
                if lower[place] <= found.threshold() && view.is_live(row) {
                    found.push(row, estimates[place], lower[place]);
                }
            }
        }
    }
}

/// Whether so few of the rows near a query match that matches are rarer there than elsewhere.
fn is_rare(matched: usize, expected: f32) -> bool {
    (matched as f32) < SHARE_MIN * expected
}

/// Compares the matching rows of the nearest lists exactly, and those in no list.
pub(super) fn compare_listed(
    listed: &ListedRows,
    ground: &Ground<'_>,
    query: &Query<'_>,
    reach: &Reach,
    nearest: &mut TopK<'_>,
    scratch: &mut Scratch,
    trace: &mut Trace,
) -> Result<()> {
    let unlisted = listed.unlisted.iter().copied();
    rerank(ground, query, unlisted, nearest, trace)?;
    let mut chosen: Vec<(f32, &[ListedRow])> = Vec::new();
    for of_epoch in listed.listed.chunk_by(|a, b| a.0 == b.0) {
        let epoch = usize::from(of_epoch[0].0);
        let (probes, horizon) = (&reach.probes[epoch], reach.horizon[epoch]);
        let model = &ground.live.epochs[epoch].model;
        let keys = model.all_lists(&query.rotated, &mut scratch.coarse);
        chosen.clear();
        let lists = of_epoch.chunk_by(|a, b| a.1 == b.1);
        chosen.extend(lists.map(|rows| (keys[usize::from(rows[0].1)], rows)));
        trace.lap(Stage::Coarse);
        chosen.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1[0].1.cmp(&b.1[0].1)));
        let mut found = 0;
        let wanted = chosen.iter().enumerate().take_while(|(at, (_, rows))| {
            let goes_on = at < probes || found < nearest.limit();
            found += rows.len();
            goes_on
        });
        let wanted = wanted.count();
        trace.lists_probed += wanted as u64;
        let rows = chosen[..wanted].iter().flat_map(|(_, rows)| rows.iter());
        rerank(ground, query, rows.map(|(_, _, row)| *row), nearest, trace)?;
        // As with codes: where fewer rows match than elsewhere, as far as they may be near.
        let mut near = keys.to_vec();
        let (_, last, _) = near.select_nth_unstable_by(probes - 1, f32::total_cmp);
        let near = chosen.iter().take_while(|(key, _)| *key <= *last);
        let matched = near.map(|(_, rows)| rows.len()).sum();
        let expected = of_epoch.len() as f32 * *probes as f32 / keys.len() as f32;
        if is_rare(matched, expected) {
            for (key, rows) in &chosen[wanted..] {
                if query.is_beyond(*key, nearest.threshold(), horizon) {
                    break;
                }
                let rows = rows.iter().map(|(_, _, row)| *row);
                rerank(ground, query, rows, nearest, trace)?;
                trace.lists_probed += 1;
            }
        }
        trace.lap(Stage::Rerank);
    }
    Ok(())
}
