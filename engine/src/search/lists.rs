//! Candidates from the lists of the index: the nearest lists' codes, or the rows of them that
//! match a filter.

#[cfg(test)]
mod tests;

use nearfield_model::Result;

use super::candidates::{LOOK_AHEAD, Scratch, look_at};
use super::costs::Costs;
use super::plan::{Ground, Reach};
use super::query::Query;
use super::rarity::Rarity;
use super::top_k::TopK;
use super::trace::{Stage, Trace};
use crate::collection::matching::Matching;
use crate::filter::mask::Mask;
use crate::index::effort::Horizon;
use crate::index::listed::ListedRows;
use crate::index::model::Model;
use crate::index::segment::Segment;
use crate::kernel::BLOCK_ROWS;
use crate::points::bits;

/// Lists beyond those wanted that are ordered too, as some may be empty.
const SPARE_LISTS: usize = 8;
/// Matching rows whose lists are looked up, at most, before codes are scanned.
const LISTED_ROWS_MAX: u64 = 1 << 17;

/// Looks into each epoch's nearest lists; into more of them than wanted if those hold too few
/// rows, or fewer rows that match than are to be expected.
pub(super) fn probe_lists(
    ground: &Ground<'_>,
    query: &Query<'_>,
    matching: Option<&Matching>,
    reach: &Reach,
    nearest: &mut TopK<'_>,
    scratch: &mut Scratch,
    trace: &mut Trace,
) -> Result<()> {
    // Few rows are looked up, so that lists without any need not be touched.
    let listed = matching
        .filter(|matching| matching.count() <= LISTED_ROWS_MAX)
        .map(|matching| matching.listed(&ground.live));
    let costs = Costs::new(ground);
    let efforts = reach.probes.iter().zip(&reach.horizon);
    for (number, (epoch, (probes, horizon))) in ground.live.epochs.iter().zip(efforts).enumerate() {
        let model = &*epoch.model;
        if ground.live.segments_of(model.epoch).next().is_none() {
            continue;
        }
        let mut probing = Probing {
            ground,
            query,
            costs,
            matching: matching.map(Matching::mask),
            listed: listed.as_deref(),
            number,
            epsilon: reach.epsilon,
            model,
            left: *probes,
            near: *probes,
            horizon: *horizon,
            rarity: Rarity::new(reach.share),
            matched: 0,
            rare: false,
        };
        let wanted = probes.saturating_add(SPARE_LISTS);
        model.nearest_lists(&query.rotated, wanted, &mut scratch.coarse);
        trace.lap(Stage::Coarse);
        let tried = probing.probe(nearest, scratch, trace)?;
        let next = scratch.coarse.lists.get(tried).map(|(key, _)| *key);
        if next.is_some_and(|key| probing.is_done(key, nearest, scratch)) || tried >= model.lists()
        {
            continue;
        }
        // The rows of these lists were too few: go on with the others.
        probing.judge();
        let mut probed = vec![false; model.lists()];
        for (_, list) in &scratch.coarse.lists[..tried] {
            probed[*list as usize] = true;
        }
        let coarse = &mut std::mem::take(&mut scratch.coarse);
        model.lists_where(&query.rotated, coarse, |key, list| {
            !probed[list] && probing.has_match(list) && !probing.is_done(key, nearest, scratch)
        });
        std::mem::swap(coarse, &mut scratch.coarse);
        trace.lap(Stage::Coarse);
        probing.probe(nearest, scratch, trace)?;
    }
    Ok(())
}

/// A walk through the lists of one epoch.
struct Probing<'a> {
    ground: &'a Ground<'a>,
    query: &'a Query<'a>,
    costs: Costs,
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
    /// Lists that are near the query, with or without a match, and are still to come.
    near: usize,
    rarity: Rarity,
    /// Rows that match in the lists that were looked into.
    matched: usize,
    /// Fewer rows match near the query than elsewhere.
    rare: bool,
}

impl Probing<'_> {
    /// Whether enough lists were looked into, and enough rows found; the next list is this far.
    fn is_done(&self, key: f32, nearest: &TopK<'_>, scratch: &Scratch) -> bool {
        let found = &scratch.found;
        if self.left > 0 || found.count() + nearest.count() < nearest.limit() {
            return false;
        }
        // Near the query as many rows match as elsewhere: the calibration holds. If not, lists
        // are looked into as long as they may hold rows as near as those found.
        let last = found.last().min(nearest.threshold());
        !self.rare || self.query.is_beyond(key, last, self.horizon)
    }

    /// Whether a list may hold a row that matches.
    fn has_match(&self, list: usize) -> bool {
        self.listed
            .is_none_or(|listed| !listed.of(self.number, list).is_empty())
    }

    /// Looks into the lists found; gives how far it came.
    fn probe(
        &mut self,
        nearest: &mut TopK<'_>,
        scratch: &mut Scratch,
        trace: &mut Trace,
    ) -> Result<usize> {
        let live = &self.ground.live;
        let segments = || live.segments_of(self.model.epoch);
        let mut at = 0;
        while let Some((key, list)) = scratch.coarse.lists.get(at).copied() {
            if self.is_done(key, nearest, scratch) {
                break;
            }
            let list = list as usize;
            at += 1;
            let rows: usize = segments().map(|segment| segment.count(list) as usize).sum();
            if rows == 0 {
                continue;
            }
            let matched = self.matched;
            let matching = self.listed.map(|listed| listed.of(self.number, list));
            match matching.filter(|matching| self.costs.is_one_by_one(matching.len(), rows)) {
                Some(matching) => {
                    if let Some((_, next)) = scratch.coarse.lists.get(at) {
                        self.prefetch_rows(*next as usize);
                    }
                    self.matched += matching.len();
                    look_at(self.ground, self.query, matching, nearest, scratch, trace)?;
                }
                None => {
                    if let Some((_, next)) = scratch.coarse.lists.get(at) {
                        segments().for_each(|segment| segment.prefetch(*next as usize));
                    }
                    let mut prepared = false;
                    for segment in segments() {
                        self.scan_list(segment, list, &mut prepared, scratch, trace);
                    }
                }
            }
            // Lists without a match cost little, and count for nothing.
            if self.matched > matched {
                self.left = self.left.saturating_sub(1);
                trace.lists_probed += 1;
            }
            self.rarity.see(rows, self.matched - matched);
            self.near = self.near.saturating_sub(1);
            if self.near == 0 {
                self.judge();
            }
        }
        Ok(at)
    }

    /// Begins to fetch the first rows of a list that match.
    fn prefetch_rows(&self, list: usize) {
        let rows = self.listed.map(|listed| listed.of(self.number, list));
        let first = rows.unwrap_or_default().iter().take(LOOK_AHEAD);
        first.for_each(|row| self.ground.fine.prefetch(*row));
    }

    /// Behind the last near list it is known how rare matches are.
    fn judge(&mut self) {
        // Whatever comes later is not near.
        self.near = usize::MAX;
        self.rare = self.matching.is_some() && self.rarity.is_rare();
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
