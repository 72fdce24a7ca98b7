//! The index's work behind the writers' backs: training, draining the tail into lists,
//! assigning anew after an epoch, merging.
//!
//! Each step makes files, then names them in the index's document, then shows them to searches:
//! what a crash interrupts is made again. Segments cover only rows that are on disk.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nearfield_model::{Context, Error, Result};

use super::Collection;
use crate::index::calibration::calibrate;
use crate::index::coded::{CodedRows, rotate};
use crate::index::fine::Piece;
use crate::index::live::{Epoch, Live, workshop};
use crate::index::model::Model;
use crate::index::model_file;
use crate::index::sample::Sample;
use crate::index::segment::{Extent, Segment};
use crate::index::train::{Purpose, lists_for, sample_for, train};
use crate::kernel::{Floats, give_memory_back};
use crate::pause::pause;
use crate::points::View;
use crate::retry::Retry;

/// A new epoch is trained when the collection is so many times as large as at the last: lists
/// grow to as many times the rows that they began with.
const EPOCH_GROWTH: u64 = 4;
/// A calibration is good until half the rows are gone, or half of those there are are newer.
const CALIBRATION_GROWTH: u64 = 2;
/// Rows that are drained at a time, at least, while there are writes.
const BATCH_ROWS_MIN: u32 = 8_192;
/// Fewer rows than this stay in the tail when the collection is at rest; for a small
/// collection, fewer than [`REST_SHARE`] of its rows.
const REST_ROWS_MAX: u32 = 4_096;
const REST_SHARE: u32 = 256;
/// Rows that are coded between two looks at whether to stop.
const STEP_ROWS: u32 = 2_048;
/// Rows that are assigned anew in one piece.
const PIECE_ROWS: u32 = 1 << 16;
/// Rows that get 8-bit codes at a time after opening.
const BATCH_ROWS_FINE: u32 = 1 << 16;
/// Rows without a list that writers may be ahead of the index.
const BACKLOG_ROWS_MAX: u32 = 1 << 16;
/// As long as no list has a row, writers may be so many times as far ahead.
const FIRST_BACKLOG: u32 = 3;
/// What writers may be ahead falls by a row per so many rows that get a list: after the first
/// epoch they are slowed little by little.
const BACKLOG_DECAY: u32 = 8;
/// How long a writer waits for the index per batch, at most: an index that lags for long must
/// not stop writes.
const DELAY_MAX: Duration = Duration::from_millis(100);
/// How long a writer waits between two looks at the backlog, at most.
const DELAY_STEP: Duration = Duration::from_millis(2);
/// So many segments of about one size become one.
const MERGE_SEGMENTS: usize = 4;
/// At rest, segments become one unless the first is so many times as large as the others.
const REST_GROWTH: u64 = 16;
/// A segment is written anew when this share of its rows is dead.
const DEAD_SHARE: u32 = 5;

/// Rows without a list that writers may be ahead of the index while `covered` rows have one.
fn backlog_max(covered: u32) -> u32 {
    (FIRST_BACKLOG * BACKLOG_ROWS_MAX)
        .saturating_sub(covered / BACKLOG_DECAY)
        .max(BACKLOG_ROWS_MAX)
}

/// Whether work is to be given up.
pub(crate) type Stop<'a> = dyn Fn() -> bool + 'a;

impl Collection {
    /// Moves a batch of the tail into lists, if there is enough to move: at rest, less is
    /// enough. True if there may be more.
    pub(crate) fn drain_some(&self, at_rest: bool, stop: &Stop<'_>) -> bool {
        let stop = || self.is_closed() || stop();
        if self.retry.drain.is_waiting(&*self.place.io) {
            return false;
        }
        let worked = self.guarded("draining the tail", || self.drain(at_rest, &stop));
        self.index.progress(0);
        self.ended(worked, &self.retry.drain, &stop)
    }

    /// Does the most urgent of the other work on the index. True if there may be more.
    pub(crate) fn upkeep_some(&self, at_rest: bool, stop: &Stop<'_>) -> bool {
        let stop = || self.is_closed() || stop();
        if self.retry.upkeep.is_waiting(&*self.place.io) {
            return false;
        }
        let _one_at_a_time = self.index.working();
        let view = self.view();
        let worked = self.guarded("upkeep of the index", || self.upkeep(at_rest, &stop));
        let worked = self.ended(worked, &self.retry.upkeep, &stop);
        let live = self.index.live();
        let is_done = !worked && !stop() && self.index.fault().is_none();
        if at_rest && is_done && self.due(&live, &view, true).is_none() && !self.is_worn(true) {
            let settled = view.sequence + 1;
            if self.index.settled.swap(settled, Ordering::AcqRel) != settled {
                give_memory_back();
            }
        }
        worked
    }

    /// Notes how work ended; a failure is tried again after a while and the next write.
    fn ended(&self, worked: Result<bool>, retry: &Retry, stop: &Stop<'_>) -> bool {
        let clock = &*self.place.io;
        match worked {
            Ok(true) => {
                self.index.note(None);
                retry.succeeded();
                true
            }
            Ok(false) => false,
            Err(_) if stop() => false,
            Err(error) => {
                self.index.note(Some(error.clone()));
                // Writers who do the work themselves try with each write.
                if self.options.background {
                    retry.failed(clock, error);
                }
                false
            }
        }
    }

    /// Holds a writer back as long as the index lags too far behind.
    pub(super) fn wait_for_index(&self, context: &Context) -> Result<()> {
        if !self.options.background || !self.lags() {
            return Ok(());
        }
        let clock = &*self.place.io;
        let start = clock.now();
        while self.lags()
            && clock.now().saturating_sub(start) < DELAY_MAX
            && self.index.fault().is_none()
            && self.retry.index_fault().is_none()
            && !self.is_closed()
        {
            context.check()?;
            self.index.wait(DELAY_STEP);
        }
        self.index.delayed(clock.now().saturating_sub(start));
        Ok(())
    }

    /// Whether more rows than may be are in no list and not about to be.
    fn lags(&self) -> bool {
        let view = self.view.load();
        let live = self.index.live();
        if live.newest().is_none() {
            // The first epoch is trained once as many points are there, which takes a moment.
            let points = u32::try_from(view.count()).unwrap_or(u32::MAX);
            return points.saturating_sub(self.options.index_rows) > backlog_max(0);
        }
        let covered = live.covered() + self.index.progress.load(Ordering::Acquire);
        view.rows.saturating_sub(covered) > backlog_max(covered)
    }

    /// Rows at a time from the tail: more for a larger collection, as each segment has a piece
    /// of every list.
    fn batch_rows(&self, covered: u32) -> u32 {
        (covered / 8).clamp(self.batch_rows_min(), self.options.index_batch_rows.max(1))
    }

    fn batch_rows_min(&self) -> u32 {
        BATCH_ROWS_MIN.min(self.options.index_batch_rows.max(1))
    }

    fn drain(&self, at_rest: bool, stop: &Stop<'_>) -> Result<bool> {
        let live = self.index.live();
        let Some(epoch) = live.newest() else {
            return Ok(false);
        };
        pause();
        let view = self.view();
        let first = live.covered();
        let Some(rows) = self.due(&live, &view, at_rest) else {
            return Ok(false);
        };
        pause();
        let end = first + rows;
        let mut fine = (!self.options.lean).then(|| Piece::new(first, end, epoch.model.padded()));
        let progress = |rows| self.index.progress(rows);
        let segment = self.segment_of(
            &epoch.model,
            &view,
            first,
            end,
            fine.as_mut(),
            &progress,
            stop,
        )?;
        let Some(segment) = segment else {
            return Ok(false);
        };
        pause();
        let segment = Arc::new(segment);
        let mut fits = true;
        let changed = self.index.change(&self.place, |live| {
            fits = live.continues(&segment);
            if !fits {
                return Err(Error::internal("others drained or trained meanwhile"));
            }
            live.segments.push(segment.clone());
            live.sequence = live.sequence.max(view.sequence);
            Ok(())
        });
        if !fits {
            let _unused = self.place.io.remove(&segment.path);
            return Ok(true);
        }
        changed?;
        if let Some(fine) = fine {
            self.index.add_fine(fine);
        }
        pause();
        self.tail.release(end);
        Ok(true)
    }

    /// How many rows are to be drained next, if any are.
    fn due(&self, live: &Live, view: &View, at_rest: bool) -> Option<u32> {
        live.newest()?;
        let covered = live.covered();
        let waiting = view.rows.saturating_sub(covered);
        let batch = self.batch_rows(covered);
        if waiting >= batch {
            return Some(batch);
        }
        let rest = (covered / REST_SHARE).clamp(1, REST_ROWS_MAX);
        (at_rest && waiting >= rest).then_some(waiting)
    }

    /// Makes a segment of the rows from `first` to `end`, and their 8-bit codes if `fine` is given
    /// to take them; `progress` is told of the rows that are coded. `None` if told to stop.
    #[allow(
        clippy::too_many_arguments,
        reason = "what a segment is made of, and who is told or asked meanwhile"
    )]
    fn segment_of(
        &self,
        model: &Model,
        view: &View,
        first: u32,
        end: u32,
        mut fine: Option<&mut Piece>,
        progress: &dyn Fn(u32),
        stop: &Stop<'_>,
    ) -> Result<Option<Segment>> {
        let mut coded = Vec::new();
        for from in (first..end).step_by(STEP_ROWS as usize) {
            if stop() {
                return Ok(None);
            }
            let to = end.min(from.saturating_add(STEP_ROWS));
            coded.push(CodedRows::code(
                model,
                &self.schema,
                view,
                from,
                to,
                fine.as_deref_mut(),
            )?);
            progress(to - first);
        }
        self.sync_before(view)?;
        let extent = Extent {
            number: self.index.take_number(),
            epoch: model.epoch,
            first_row: first,
            end_row: end,
        };
        workshop(&self.place, model).build(extent, &coded).map(Some)
    }

    /// Has all that a view holds on disk before its segment is: rows that are left out of one
    /// must not come back with a write that a power loss takes.
    fn sync_before(&self, view: &View) -> Result<()> {
        self.syncer.check()?;
        if self.syncer.sync_to(view.sequence)? {
            self.mark();
        }
        Ok(())
    }

    fn upkeep(&self, at_rest: bool, stop: &Stop<'_>) -> Result<bool> {
        let live = self.index.live();
        let view = self.view();
        let count = view.count();
        let Some(newest) = live.newest() else {
            if count < u64::from(self.options.index_rows) {
                return Ok(false);
            }
            return self.train(&view, 1, stop);
        };
        if self.merge_some(at_rest)? {
            return Ok(true);
        }
        if !self.options.lean
            && let Some((from, to)) = self.index.fine().gap(live.covered(), BATCH_ROWS_FINE)
        {
            return self.code_fine(&view, from, to).map(|()| true);
        }
        let is_older = |segment: &&Arc<Segment>| segment.extent.epoch != newest.model.epoch;
        if let Some(older) = live.segments.iter().find(is_older) {
            return self.assign_anew(&newest.model, older, at_rest, stop);
        }
        if live.epochs.len() > 1 {
            pause();
            self.index.change(&self.place, |live| {
                live.forget_epochs();
                Ok(())
            })?;
            return Ok(true);
        }
        if count >= newest.model.trained_rows.saturating_mul(EPOCH_GROWTH) {
            return self.train(&view, newest.model.epoch + 1, stop);
        }
        let calibrated = &newest.calibration;
        let newer = u64::from(view.rows.saturating_sub(calibrated.written));
        let is_stale =
            newer * CALIBRATION_GROWTH >= count || count * CALIBRATION_GROWTH <= calibrated.rows;
        if is_stale && count > 0 {
            return self.calibrate_anew(&view, newest, stop);
        }
        if self.is_crowded(&live, newest) {
            return self.train(&view, newest.model.epoch + 1, stop);
        }
        let is_worn = |segment: &&Arc<Segment>| {
            let dead = segment.dead_rows(&view);
            dead > 0 && u64::from(dead) * u64::from(DEAD_SHARE) >= u64::from(segment.stored())
        };
        if let Some(worn) = live.segments.iter().find(is_worn) {
            return self
                .merge(std::slice::from_ref(worn), &|| Ok(()))
                .map(|()| true);
        }
        Ok(self.index.forget_fine(&view))
    }

    /// Makes the 8-bit codes of rows that an earlier process drained.
    fn code_fine(&self, view: &View, first: u32, end: u32) -> Result<()> {
        let rotation = &self.tail.rotation;
        let mut piece = Piece::new(first, end, rotation.padded());
        let mut rotated = Floats::zeros(rotation.padded());
        let live = (first..end).filter(|row| view.is_live(*row));
        view.visit_vectors(&self.schema, live, |row, vector, scale| {
            rotate(rotation, vector, scale, &mut rotated);
            piece.put(row, &rotated, rotation.kernel());
            Ok(())
        })?;
        self.index.add_fine(piece);
        Ok(())
    }

    /// Trains an epoch on the rows that there are.
    fn train(&self, view: &View, epoch: u64, stop: &Stop<'_>) -> Result<bool> {
        // What it needs for a while comes on top of what there is.
        give_memory_back();
        let rows = view.count();
        let sampling = self.sampling(epoch, rows);
        let sampled = view.live_rows(0).filter(|row| sampling.takes(*row));
        let sample = Sample {
            schema: &self.schema,
            view,
            rotation: &self.tail.rotation,
            rows: sampled.take(2 * sampling.wanted).collect(),
        };
        if sample.rows.is_empty() {
            return Ok(false);
        }
        let purpose = Purpose {
            mark: self.place.collection,
            epoch,
            trained_rows: rows,
            metric: self.schema.metric,
            rotation: self.tail.rotation.clone(),
            lists: sampling.lists,
        };
        let model = train(purpose, &sample)?;
        let spare = |row: u32| sampling.spares(row);
        let calibration = calibrate(&model, &self.schema, view, &spare, stop)?;
        let Some(calibration) = calibration else {
            return Ok(false);
        };
        model_file::write(
            &*self.place.io,
            &self.place.directory,
            &self.place.collection,
            &model,
        )?;
        let next = Epoch {
            model: Arc::new(model),
            calibration: Arc::new(calibration),
        };
        self.index.change(&self.place, |live| {
            live.epochs.push(next);
            Ok(())
        })?;
        Ok(true)
    }

    fn sampling(&self, epoch: u64, rows: u64) -> Sampling {
        Sampling::new(epoch, rows, self.options.index_list_rows)
    }

    fn calibrate_anew(&self, view: &View, newest: &Epoch, stop: &Stop<'_>) -> Result<bool> {
        let sampling = self.sampling(newest.model.epoch, newest.model.trained_rows);
        let spare = |row: u32| sampling.spares(row);
        let calibrated = calibrate(&newest.model, &self.schema, view, &spare, stop)?;
        let Some(calibration) = calibrated.map(Arc::new) else {
            return Ok(false);
        };
        let lists = newest.model.lists();
        if view.count() >= u64::from(self.options.index_rows)
            && newest.calibration.is_outworn_by(&calibration, lists)
        {
            return self.train(view, newest.model.epoch + 1, stop);
        }
        self.index.change(&self.place, |live| {
            if let Some(last) = live.epochs.last_mut() {
                last.calibration = calibration;
            }
            Ok(())
        })?;
        Ok(true)
    }

    /// Assigns the rows of a segment to the lists of a newer model.
    fn assign_anew(
        &self,
        model: &Model,
        older: &Arc<Segment>,
        at_rest: bool,
        stop: &Stop<'_>,
    ) -> Result<bool> {
        let Extent {
            first_row, end_row, ..
        } = older.extent;
        let mut pieces = Vec::new();
        let mut sequence = 0;
        for from in (first_row..end_row).step_by(PIECE_ROWS as usize) {
            let to = end_row.min(from.saturating_add(PIECE_ROWS));
            let view = self.view();
            let made = self.segment_of(model, &view, from, to, None, &|_| (), stop);
            let made = made.and_then(|piece| {
                let is_made = piece.is_some();
                pieces.extend(piece.map(Arc::new));
                // What is drained meanwhile does not wait for the last piece.
                self.merge_some(at_rest).map(|_| is_made)
            });
            if !matches!(made, Ok(true)) {
                for piece in &pieces {
                    let _half_made = self.place.io.remove(&piece.path);
                }
                return made;
            }
            sequence = view.sequence;
        }
        self.replace(std::slice::from_ref(older), pieces, sequence)?;
        Ok(true)
    }

    /// Merges segments if there are too many of one size.
    fn merge_some(&self, at_rest: bool) -> Result<bool> {
        let live = self.index.live();
        let Some(parts) = due_for_merging(&live, self.batch_rows_min(), at_rest) else {
            return Ok(false);
        };
        self.merge(parts, &|| Ok(()))?;
        Ok(true)
    }

    /// Makes one segment of several; `check` is asked now and then whether to go on.
    fn merge(&self, parts: &[Arc<Segment>], check: &dyn Fn() -> Result<()>) -> Result<()> {
        let live = self.index.live();
        let Some(model) = parts.first().and_then(|part| live.model_of(part)) else {
            return Err(Error::internal("a segment without a model"));
        };
        let view = self.view();
        pause();
        self.sync_before(&view)?;
        let number = self.index.take_number();
        let merged = workshop(&self.place, model).merge(number, parts, &view, check)?;
        pause();
        self.replace(parts, vec![Arc::new(merged)], view.sequence)
    }

    /// Puts segments in the place of others that cover the same rows. They were made of a view
    /// up to the write `sequence`.
    fn replace(&self, old: &[Arc<Segment>], new: Vec<Arc<Segment>>, sequence: u64) -> Result<()> {
        self.index.change(&self.place, |live| {
            let first = old.first().map(|segment| segment.extent.number);
            let at = live
                .segments
                .iter()
                .position(|segment| Some(segment.extent.number) == first)
                .ok_or_else(|| Error::internal("the segments to replace are gone"))?;
            live.segments.splice(at..at + old.len(), new);
            live.sequence = live.sequence.max(sequence);
            Ok(())
        })
    }

    /// Writes all segments anew as one, without rows that are dead.
    pub(super) fn compact_index(&self, context: &Context) -> Result<()> {
        let _one_at_a_time = self.index.working_for(context)?;
        let live = self.index.live();
        let view = self.view();
        for parts in live
            .segments
            .chunk_by(|a, b| a.extent.epoch == b.extent.epoch)
        {
            if parts.len() > 1 || parts.iter().any(|part| part.dead_rows(&view) > 0) {
                self.merge(parts, &|| context.check())?;
            }
        }
        Ok(())
    }
}

/// Segments that are to become one; the smallest are of about `batch_rows` rows.
fn due_for_merging(live: &Live, batch_rows: u32, at_rest: bool) -> Option<&[Arc<Segment>]> {
    let newest = live.newest()?.model.epoch;
    let start = live
        .segments
        .iter()
        .rposition(|segment| segment.extent.epoch != newest)
        .map_or(0, |older| older + 1);
    let segments = &live.segments[start..];
    if at_rest {
        let mut from = segments.len();
        let mut behind = 0;
        while let Some(before) = from.checked_sub(1) {
            let rows = u64::from(segments[before].extent.rows());
            if behind > 0 && rows > behind * REST_GROWTH {
                break;
            }
            behind += rows;
            from = before;
        }
        return Some(&segments[from..]).filter(|due| due.len() > 1);
    }
    let class = |segment: &Arc<Segment>| (segment.extent.rows() / batch_rows).max(1).ilog2() / 2;
    let largest = segments.iter().map(class).max()?;
    (0..=largest).find_map(|size| {
        let mut runs = segments.split(|segment| class(segment) > size);
        runs.find(|run| run.len() >= MERGE_SEGMENTS)
    })
}

/// Which rows an epoch is trained on: a number of them that their row numbers decide.
struct Sampling {
    epoch: u64,
    lists: usize,
    wanted: usize,
    /// One row in so many.
    one_in: u64,
}

impl Sampling {
    fn new(epoch: u64, rows: u64, list_rows: u32) -> Sampling {
        let lists = lists_for(rows, list_rows.into());
        let wanted = sample_for(lists);
        Sampling {
            epoch,
            lists,
            wanted,
            one_in: (rows / wanted as u64).max(1),
        }
    }

    fn takes(&self, row: u32) -> bool {
        let mut random = crate::index::random::SplitMix(self.epoch << 32 | u64::from(row));
        random.next().is_multiple_of(self.one_in)
    }

    /// Whether a row does not play a query, as it was trained on. Where all were, all play.
    fn spares(&self, row: u32) -> bool {
        self.one_in > 1 && self.takes(row)
    }
}
