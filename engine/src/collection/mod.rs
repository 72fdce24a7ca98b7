//! One collection: its log, points and indexes, kept in step.

mod compact;
mod crowding;
#[cfg(test)]
mod faults;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod indexing;
#[cfg(test)]
mod interleavings;
mod maintain;
pub(crate) mod matching;
pub(crate) mod memory;
mod open;
pub(crate) mod read;
mod removals;
#[cfg(test)]
mod resurrection;
mod scrub;
pub(crate) mod snapshot;
mod wear;
pub(crate) mod write;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use nearfield_model::{Calibration, Description, Error, IndexDescription};

use crate::filter::Fields;
use crate::index::live::{Index, Live};
use crate::index::tail::Tail;
use crate::log::outcomes::Outcomes;
use crate::log::recovery::Cut;
use crate::log::syncer::Syncer;
use crate::log::writer::{Place, Writer};
use crate::manifest::Manifest;
use crate::options::Options;
use crate::points::View;
use crate::points::id_map::IdMap;
use crate::retry::Retries;
use crate::storage::Schema;
use matching::Recent;
use scrub::Scrub;
use wear::Wear;

/// A collection that is open.
///
/// One writer at a time holds `writer`; it appends to the log, then brings `fields`, `ids`
/// and `view` up to date. Readers load `view` and never wait for a write to reach the disk.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) name: String,
    pub(crate) schema: Schema,
    pub(crate) place: Place,
    pub(crate) options: Options,
    writer: Mutex<Writing>,
    syncer: Arc<Syncer>,
    view: ArcSwap<View>,
    ids: RwLock<IdMap>,
    /// What id hashes are made under.
    seed: u64,
    fields: RwLock<Fields>,
    pub(crate) tail: Tail,
    pub(crate) index: Index,
    wear: Wear,
    retry: Retries,
    /// What recent filters matched.
    pub(crate) recent: Recent,
    /// What the files are, and the one task at a time that changes that.
    manifest: Mutex<Manifest>,
    /// Why the checkpoint could not be used when the collection was opened.
    checkpoint_fault: Option<Error>,
    pub(crate) scrub: Scrub,
    /// Set when the collection is dropped or its store closes: maintenance stops.
    pub(crate) closed: AtomicBool,
}

/// What the one writer holds.
#[derive(Debug)]
struct Writing {
    log: Writer,
    outcomes: Outcomes,
}

impl Collection {
    /// The newest view.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ids(&self) -> RwLockReadGuard<'_, IdMap> {
        self.ids.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ids_mut(&self) -> RwLockWriteGuard<'_, IdMap> {
        self.ids.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fields(&self) -> RwLockReadGuard<'_, Fields> {
        self.fields.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn fields_mut(&self) -> RwLockWriteGuard<'_, Fields> {
        self.fields.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn manifest(&self) -> MutexGuard<'_, Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the checkpoint could not be used when the collection was opened, if it could not.
    pub(crate) fn checkpoint_fault(&self) -> Option<&Error> {
        self.checkpoint_fault.as_ref()
    }

    /// What was cut from the end of the log in the past.
    pub(crate) fn cuts(&self) -> Vec<Cut> {
        self.manifest().cuts.clone()
    }

    /// The schema and state, for people.
    pub(crate) fn describe(&self) -> Description {
        let view = self.view();
        let memory_bytes = self.memory_bytes();
        let fields = self.fields();
        let live = self.index.live();
        Description {
            collection: self.name.clone(),
            dimension: self.schema.dimension,
            metric: self.schema.metric,
            storage: self.schema.storage,
            unindexed_fields: self.schema.unindexed_fields.clone(),
            count: view.count(),
            unindexed: view.rows.saturating_sub(live.covered()).into(),
            unencoded: self.tail.unencoded(view.rows).into(),
            sequence: view.sequence,
            synced: self.syncer.synced(),
            log_files: view.files.len() as u64,
            log_bytes: view.files.iter().map(|file| file.settled_bytes()).sum(),
            dead_rows: view
                .files
                .iter()
                .map(|file| file.stored_rows())
                .sum::<u64>()
                .saturating_sub(view.count()),
            memory_bytes,
            damage: self.scrub.damage(),
            write_delay_us: self.index.delayed_us.load(Ordering::Relaxed),
            index: describe_index(&self.index, &live, &view, self.fault()),
            fields: fields.describe(),
        }
    }
}

/// The index, for people; none before an epoch was trained, unless something fails.
fn describe_index(
    index: &Index,
    live: &Live,
    view: &View,
    fault: Option<Error>,
) -> Option<IndexDescription> {
    let newest = live.newest();
    if newest.is_none() && fault.is_none() {
        return None;
    }
    let older = live.epochs.iter().rev().skip(1);
    let older = older.flat_map(|epoch| live.segments_of(epoch.model.epoch));
    let efforts = newest.map(|epoch| epoch.calibration.efforts.iter());
    let calibration = efforts.into_iter().flatten().map(|effort| Calibration {
        limit: effort.limit.into(),
        recall: effort.recall,
        probes: effort.probes.into(),
        epsilon: effort.epsilon,
        measured: effort.measured,
    });
    let segments = || live.segments.iter();
    Some(IndexDescription {
        epoch: newest.map_or(0, |epoch| epoch.model.epoch),
        lists: newest.map_or(0, |epoch| epoch.model.lists() as u64),
        trained_rows: newest.map_or(0, |epoch| epoch.model.trained_rows),
        rows: live.covered().into(),
        dead_rows: segments()
            .map(|segment| u64::from(segment.dead_rows(view)))
            .sum(),
        older_epoch_rows: older.map(|segment| u64::from(segment.extent.rows())).sum(),
        segments: live.segments.len() as u64,
        bytes: segments().map(|segment| segment.bytes).sum(),
        settled: index.settled.load(Ordering::Acquire) == view.sequence + 1,
        calibration: calibration.collect(),
        fault: fault.map(|error| error.to_string()),
    })
}
