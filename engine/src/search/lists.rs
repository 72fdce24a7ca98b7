//! Candidates from the lists of the index: the nearest lists' codes, or the rows of them that
//! match a filter.

#[cfg(test)]
mod tests;

use nearfield_model::Result;
use roaring::RoaringBitmap;

use super::candidates::{Scratch, rerank};
use super::plan::{Ground, Mask, Reach};
use super::query::Query;
use super::top_k::TopK;
use super::trace::{Stage, Trace};
use crate::index::live::Live;
use crate::index::model::Model;
use crate::index::segment::Segment;
use crate::kernel::BLOCK_ROWS;
use crate::points::bits;

/// Lists beyond those wanted that are ordered too, as some may be empty.
const SPARE_LISTS: usize = 8;

/// Looks at the codes of each epoch's nearest lists; at more of them than wanted if those hold
/// too few rows.
pub(super) fn probe_lists(
    ground: &Ground<'_>,
    query: &Query<'_>,
    matching: Option<&Mask>,
    reach: &Reach,
    scratch: &mut Scratch,
    trace: &mut Trace,
) {
    for (epoch, probes) in ground.live.epochs.iter().zip(&reach.probes) {
        let model = &*epoch.model;
        let segments = || ground.live.segments_of(model.epoch);
        if segments().next().is_none() {
            continue;
        }
        let mut probing = Probing {
            ground,
            query,
            matching,
            epsilon: reach.epsilon,
            model,
            left: *probes,
        };
        let wanted = probes.saturating_add(SPARE_LISTS);
        model.nearest_lists(&query.rotated, wanted, &mut scratch.coarse);
        trace.lap(Stage::Coarse);
        let tried = probing.probe(0, scratch, trace);
        if probing.is_done(scratch) || tried >= model.lists() {
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
    epsilon: f32,
    model: &'a Model,
    /// Lists with rows that are still wanted.
    left: usize,
}

impl Probing<'_> {
    /// Whether enough lists were looked into, and enough rows found.
    fn is_done(&self, scratch: &Scratch) -> bool {
        self.left == 0 && scratch.found.is_enough()
    }

    /// Looks into the lists found, from position `from` on; gives how far it came.
    fn probe(&mut self, from: usize, scratch: &mut Scratch, trace: &mut Trace) -> usize {
        let live = &self.ground.live;
        let segments = || live.segments_of(self.model.epoch);
        let mut at = from;
        while let Some((_, list)) = scratch.coarse.lists.get(at) {
            if self.is_done(scratch) {
                break;
            }
            let list = *list as usize;
            at += 1;
            if segments().all(|segment| segment.count(list) == 0) {
                continue;
            }
            if let Some((_, next)) = scratch.coarse.lists.get(at) {
                segments().for_each(|segment| segment.prefetch(*next as usize));
            }
            let cell = self.model.cell(list);
            let code = &mut scratch.code;
            cell.query_into(&self.query.rotated, self.epsilon, code);
            for segment in segments() {
                self.scan_list(segment, list, scratch, trace);
            }
            self.left = self.left.saturating_sub(1);
            trace.lists_probed += 1;
        }
        at
    }

    #[inline]
    fn scan_list(&self, segment: &Segment, list: usize, scratch: &mut Scratch, trace: &mut Trace) {
        let (mut estimates, mut lower) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
        let view = &*self.ground.view;
        let Scratch { code, found, .. } = scratch;
        for block in segment.list(list) {
            trace.rows_scanned += block.len() as u64;
            let near = code.scan_block(&block.codes, found.threshold(), &mut estimates, &mut lower);
            let there = u64::MAX >> (BLOCK_ROWS - block.len());
            for place in bits(near & there) {
                let place = place as usize;
                let row = block.row(place);
                let matches = self.matching.is_none_or(|mask| mask.contains(row));
                // The threshold may have fallen since the block was scanned.
                if matches && lower[place] <= found.threshold() && view.is_live(row) {
                    found.push(row, estimates[place], lower[place]);
                }
            }
        }
    }
}

/// The rows that match a filter, by epoch and list, and those in no list.
pub(crate) struct ListedRows {
    /// Epoch by position among the live ones, list, row; sorted.
    listed: Vec<(u8, u16, u32)>,
    unlisted: Vec<u32>,
}

impl ListedRows {
    pub(super) fn new(live: &Live, rows: &RoaringBitmap) -> ListedRows {
        let mut listed = Vec::with_capacity(rows.len() as usize);
        let mut unlisted = Vec::new();
        let mut segments = live.segments.iter();
        let mut segment = segments.next();
        let epoch_of = |segment: &Segment| {
            let mut epochs = live.epochs.iter();
            epochs.position(|epoch| epoch.model.epoch == segment.extent.epoch)
        };
        let mut epoch = segment.and_then(|segment| epoch_of(segment));
        for row in rows {
            while segment.is_some_and(|segment| row >= segment.extent.end_row) {
                segment = segments.next();
                epoch = segment.and_then(|segment| epoch_of(segment));
            }
            match (segment.and_then(|segment| segment.home(row)), epoch) {
                (Some(list), Some(epoch)) => listed.push((epoch as u8, list, row)),
                _ => unlisted.push(row),
            }
        }
        listed.sort_unstable();
        ListedRows { listed, unlisted }
    }

    /// Compares the rows of the nearest lists exactly, and those in no list.
    pub(super) fn compare(
        &self,
        ground: &Ground<'_>,
        query: &Query<'_>,
        reach: &Reach,
        nearest: &mut TopK<'_>,
        scratch: &mut Scratch,
        trace: &mut Trace,
    ) -> Result<()> {
        let unlisted = self.unlisted.iter().copied();
        rerank(ground, query, unlisted, nearest, trace)?;
        let mut chosen: Vec<(f32, &[(u8, u16, u32)])> = Vec::new();
        for of_epoch in self.listed.chunk_by(|a, b| a.0 == b.0) {
            let epoch = usize::from(of_epoch[0].0);
            let (model, probes) = (&ground.live.epochs[epoch].model, reach.probes[epoch]);
            let keys = model.all_lists(&query.rotated, &mut scratch.coarse);
            chosen.clear();
            let lists = of_epoch.chunk_by(|a, b| a.1 == b.1);
            chosen.extend(lists.map(|rows| (keys[usize::from(rows[0].1)], rows)));
            trace.lap(Stage::Coarse);
            chosen.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1[0].1.cmp(&b.1[0].1)));
            let mut compared = 0;
            let wanted = chosen.iter().enumerate().take_while(|(at, (_, rows))| {
                let goes_on = *at < probes || compared < nearest.limit();
                compared += rows.len();
                goes_on
            });
            let wanted = wanted.count();
            trace.lists_probed += wanted as u64;
            let rows = chosen[..wanted].iter().flat_map(|(_, rows)| rows.iter());
            rerank(ground, query, rows.map(|(_, _, row)| *row), nearest, trace)?;
            trace.lap(Stage::Rerank);
        }
        Ok(())
    }
}
