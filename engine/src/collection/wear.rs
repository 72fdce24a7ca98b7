//! Dead rows in the log: what they take of the disk, which files hold most of them, and how
//! writers are slowed while compaction is behind.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use nearfield_model::{Context, Result, Selection};

use super::Collection;
use crate::log::file::LogFile;
use crate::points::View;

/// A log file is worn when this share of its rows is dead: numerator and denominator.
const WORN_SHARE: (u64, u64) = (2, 5);
/// Worn files are rewritten once they are this share of the log.
const WORN_BYTES_SHARE: u64 = 8;
/// While there are writes, dead rows may take this share of a full file before any is rewritten:
/// small stores would be compacted all the time.
const FLOOR_SHARE: u64 = 8;
/// Writers are slowed once dead rows take more than this share of what live ones do.
const SLOW_SHARE: f64 = 0.8;
/// How far beyond that writers are slowed as much as they ever are.
const SLOWEST_SHARE: f64 = 0.4;
/// How long a write waits for compaction, at most.
const DELAY_MAX: Duration = Duration::from_millis(100);
/// How long it waits for each of its rows, at most.
const DELAY_ROW: Duration = Duration::from_micros(100);
/// How long a writer waits between two looks, at most.
const DELAY_STEP: Duration = Duration::from_millis(2);
/// Log files are rewritten in rounds of this share of the log, and of one file at least: the files
/// of a round and what becomes of them are on disk together.
const ROUND_SHARE: u64 = 16;
/// Dead rows are looked for anew when they have grown by this share of the log's rows.
const LOOK_SHARE: u64 = 64;

/// What the log of a collection holds, and how compaction fares.
#[derive(Debug, Default)]
pub(crate) struct Wear {
    /// Bytes of the log.
    bytes: AtomicU64,
    /// Rows that it stores, dead ones included.
    rows: AtomicU64,
    /// Dead rows when no file was found that is worth rewriting.
    looked: AtomicU64,
    /// The last round failed, so that waiting for the next helps nobody.
    is_stuck: AtomicBool,
    round: Mutex<()>,
    /// Tells writers who wait that a round is done.
    relieved: Condvar,
}

/// Bytes of the log that rows take, dead and live, as if all were of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shares {
    dead: u64,
    live: u64,
}

impl Shares {
    /// From 0, while writers go on at full speed, to 1.
    fn excess(self, floor: u64) -> f64 {
        let live = self.live.max(1) as f64;
        let share = self.dead.saturating_sub(floor) as f64 / live;
        ((share - SLOW_SHARE) / SLOWEST_SHARE).clamp(0.0, 1.0)
    }
}

impl Wear {
    /// Takes the log as a view has it.
    pub(crate) fn reset(&self, view: &View) {
        let rows = view.files.iter().map(|file| file.stored_rows()).sum();
        self.bytes.store(log_bytes(view), Ordering::Relaxed);
        self.rows.store(rows, Ordering::Relaxed);
        self.looked.store(0, Ordering::Relaxed);
    }

    /// Notes a record of `bytes` that stores `rows`.
    pub(super) fn grew(&self, bytes: u64, rows: u32) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.rows.fetch_add(rows.into(), Ordering::Relaxed);
    }

    /// Notes how a round of compaction ended.
    fn ended(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Release);
        self.relieved.notify_all();
    }

    fn dead_rows(&self, count: u64) -> u64 {
        self.rows.load(Ordering::Relaxed).saturating_sub(count)
    }

    fn shares(&self, count: u64) -> Shares {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let rows = self.rows.load(Ordering::Relaxed).max(1);
        let dead = self.dead_rows(count);
        let dead = (u128::from(bytes) * u128::from(dead) / u128::from(rows)) as u64;
        Shares {
            dead,
            live: bytes.saturating_sub(dead),
        }
    }
}

/// How long a write of `rows` waits.
fn delay(excess: f64, rows: u64) -> Duration {
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    DELAY_MAX
        .min(DELAY_ROW.saturating_mul(rows))
        .mul_f64(excess)
}

/// The points that a selection names; as many as can be if a filter decides.
pub(super) fn rows_of(selection: &Selection<'_>) -> u64 {
    match selection {
        Selection::Ids(ids) => ids.len() as u64,
        Selection::Filter(_) => u64::MAX,
    }
}

impl Collection {
    /// Slows a writer of `rows` while dead rows take too much of the disk: little by little more,
    /// the more they take.
    pub(super) fn wait_for_compaction(&self, context: &Context, rows: u64) -> Result<()> {
        let wanted = || {
            let shares = self.wear.shares(self.view.load().count());
            match self.wear.is_stuck.load(Ordering::Acquire) || self.is_closed() {
                true => Duration::ZERO,
                false => delay(shares.excess(self.dead_bytes_floor()), rows),
            }
        };
        if !self.options.background || wanted().is_zero() {
            return Ok(());
        }
        let clock = &*self.place.io;
        let start = clock.now();
        let waited = || clock.now().saturating_sub(start);
        while let Some(left) = wanted().checked_sub(waited())
            && !left.is_zero()
        {
            context.check()?;
            let round = self.wear.round.lock();
            let round = round.unwrap_or_else(PoisonError::into_inner);
            let _waited = self.wear.relieved.wait_timeout(round, left.min(DELAY_STEP));
        }
        self.index.delayed(waited());
        Ok(())
    }

    /// Bytes that dead rows may take in any case.
    fn dead_bytes_floor(&self) -> u64 {
        self.options.log_file_bytes / FLOOR_SHARE
    }

    /// Rewrites some of the files that are worn, those with most dead rows first, once they are
    /// many. True if there may be more.
    pub(crate) fn compact_some(&self, at_rest: bool) -> bool {
        if self.is_closed() || self.retry.compaction.is_waiting(&*self.place.io) {
            return false;
        }
        let worked = self.guarded("compaction of the log", || self.compact_worn_files(at_rest));
        self.wear.ended(worked.is_err());
        match worked {
            Ok(worked) => {
                self.retry.compaction.succeeded();
                worked
            }
            Err(error) => {
                // Writers who do the work themselves try with each write.
                if self.options.background {
                    self.retry.compaction.failed(&*self.place.io, error);
                }
                false
            }
        }
    }

    /// Whether there are files to rewrite.
    pub(super) fn is_worn(&self, at_rest: bool) -> bool {
        !self.retry.compaction.is_waiting(&*self.place.io)
            && !self.worn_files(&self.view(), at_rest).is_empty()
    }

    fn compact_worn_files(&self, at_rest: bool) -> Result<bool> {
        let view = self.view();
        let worn = self.worn_files(&view, at_rest);
        let Some(most) = worn.first() else {
            return Ok(false);
        };
        if view
            .files
            .last()
            .is_some_and(|last| Arc::ptr_eq(last, most))
        {
            self.seal_log()?;
        }
        let round: Vec<u64> = self.first_round(&worn, log_bytes(&view));
        let done = self.rewrite_files(&Context::default(), &round)?;
        Ok(done.files > 0)
    }

    /// The files that are worth rewriting, those with most dead rows first. The one that is
    /// written to counts if dead rows take so much that writers may be slowed.
    fn worn_files(&self, view: &View, at_rest: bool) -> Vec<Arc<LogFile>> {
        let dead = self.wear.dead_rows(view.count());
        let rows = self.wear.rows.load(Ordering::Relaxed);
        let shares = self.wear.shares(view.count());
        let floor = self.dead_bytes_floor();
        let least = rows * WORN_SHARE.0 / WORN_SHARE.1 / WORN_BYTES_SHARE;
        let looked = self.wear.looked.load(Ordering::Relaxed);
        if dead == 0
            || dead < least
            || !at_rest && (shares.dead <= floor || dead < looked + rows / LOOK_SHARE)
        {
            return Vec::new();
        }
        let is_pressing =
            shares.dead.saturating_sub(floor) as f64 > shares.live as f64 * SLOW_SHARE / 2.0;
        let last = view.files.len().saturating_sub(1);
        let candidates = view
            .files
            .iter()
            .enumerate()
            .filter(|(at, file)| *at < last || is_pressing && file.settled_bytes() >= floor);
        let mut worn: Vec<(u64, &Arc<LogFile>)> = candidates
            .map(|(_, file)| (dead_rows(view, file), file))
            .filter(|(dead, file)| {
                *dead > 0 && dead * WORN_SHARE.1 >= file.stored_rows() * WORN_SHARE.0
            })
            .collect();
        let worn_bytes: u64 = worn.iter().map(|(_, file)| file.settled_bytes()).sum();
        if worn_bytes * WORN_BYTES_SHARE < log_bytes(view) {
            worn.clear();
        }
        if worn.is_empty() {
            self.wear.looked.store(dead, Ordering::Relaxed);
        }
        worn.sort_by_key(|(dead, _)| std::cmp::Reverse(*dead));
        worn.into_iter().map(|(_, file)| file.clone()).collect()
    }

    /// The numbers of the first of these files that are rewritten together.
    pub(super) fn first_round(&self, files: &[Arc<LogFile>], log_bytes: u64) -> Vec<u64> {
        let bytes_max = (log_bytes / ROUND_SHARE).max(self.dead_bytes_floor());
        let mut bytes = 0;
        let round = files.iter().take_while(|file| {
            let is_first = bytes == 0;
            bytes += file.settled_bytes();
            is_first || bytes <= bytes_max
        });
        round.map(|file| file.header.number).collect()
    }
}

/// Rows that a file stores and that are dead.
pub(super) fn dead_rows(view: &View, file: &LogFile) -> u64 {
    let live: u64 = file
        .records()
        .map(|place| {
            let end = (place.first_row + place.rows).min(view.rows);
            u64::from(view.live_between(place.first_row, end))
        })
        .sum();
    file.stored_rows().saturating_sub(live)
}

/// Bytes of all files of the log.
pub(super) fn log_bytes(view: &View) -> u64 {
    view.files.iter().map(|file| file.settled_bytes()).sum()
}
