//! The index of a collection as searches see it, and the document that names its files.
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use nearfield_model::{Context, Error, Metric, Result};
use serde::{Deserialize, Serialize};

use super::Rotation;
use super::effort::Calibration;
use super::fine::{Fine, Piece};
use super::model::Model;
use super::model_file;
use super::segment::{Extent, Segment, Workshop, segment_path};
use crate::document;
use crate::io::Io;
use crate::lock::{LOCK_STEP, lock_for};
use crate::log::file::corruption;
use crate::log::writer::Place;
use crate::points::View;
use crate::storage;

const MAGIC: [u8; 8] = *b"NFINDEX\0";
const FILE_NAME: &str = "index.manifest";

/// What an index is at one moment. It never changes; each step of the work makes another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// The epochs that are in use, oldest first: at most two.
    pub(crate) epochs: Vec<Epoch>,
    /// In the order of their rows, without gaps from row 0 on.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The last write that they know of: rows that were dead by then are left out.
    pub(crate) sequence: u64,
}

/// A trained model and how recall is translated for it.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    pub(crate) model: Arc<Model>,
    pub(crate) calibration: Arc<Calibration>,
}

impl Live {
    /// The rows before this one are covered by segments.
    pub(crate) fn covered(&self) -> u32 {
        self.segments.last().map_or(0, |last| last.extent.end_row)
    }

    /// The epoch that new segments are of.
    pub(crate) fn newest(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    /// The segments of an epoch.
    pub(crate) fn segments_of(&self, epoch: u64) -> impl Iterator<Item = &Segment> {
        let segments = self.segments.iter().map(|segment| &**segment);
        segments.filter(move |segment| segment.extent.epoch == epoch)
    }

    /// The model of a segment.
    pub(crate) fn model_of(&self, segment: &Segment) -> Option<&Arc<Model>> {
        let epoch = segment.extent.epoch;
        let models = self.epochs.iter().map(|epoch| &epoch.model);
        models.into_iter().find(|model| model.epoch == epoch)
    }

    /// Rows of the fullest list of the newest epoch.
    pub(crate) fn fullest_list(&self) -> u64 {
        let Some(newest) = self.newest() else {
            return 0;
        };
        let segments: Vec<_> = self.segments_of(newest.model.epoch).collect();
        let rows = |list| {
            let counts = segments
                .iter()
                .map(|segment| u64::from(segment.count(list)));
            counts.sum()
        };
        (0..newest.model.lists()).map(rows).max().unwrap_or(0)
    }

    /// Whether a segment goes behind the others: its first row is the first that is not covered,
    /// and its epoch is in use.
    pub(crate) fn continues(&self, segment: &Segment) -> bool {
        segment.extent.first_row == self.covered() && self.model_of(segment).is_some()
    }

    /// Lets go of all epochs but the newest that have no segments.
    pub(crate) fn forget_epochs(&mut self) {
        let newest = self.newest().map(|epoch| epoch.model.epoch);
        let segments = &self.segments;
        self.epochs.retain(|epoch| {
            let number = epoch.model.epoch;
            let mut of_segments = segments.iter().map(|segment| segment.extent.epoch);
            Some(number) == newest || of_segments.any(|epoch| epoch == number)
        });
    }

    fn to_record(&self, next_number: u64) -> Record {
        Record {
            next_number,
            sequence: self.sequence,
            epochs: self
                .epochs
                .iter()
                .map(|epoch| EpochRecord {
                    epoch: epoch.model.epoch,
                    calibration: Calibration::clone(&epoch.calibration),
                })
                .collect(),
            segments: self.segments.iter().map(|segment| segment.extent).collect(),
        }
    }
}

/// What the index's document says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    /// No segment has had this number yet.
    next_number: u64,
    /// The last write that the segments know of.
    sequence: u64,
    epochs: Vec<EpochRecord>,
    segments: Vec<Extent>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct EpochRecord {
    epoch: u64,
    calibration: Calibration,
}

/// The index of a collection.
#[derive(Debug)]
pub(crate) struct Index {
    live: ArcSwap<Live>,
    /// 8-bit codes, if they are kept.
    fine: ArcSwap<Fine>,
    /// Held while 8-bit codes are added.
    adding: Mutex<()>,
    /// The number of the next segment; held while the document changes.
    next_number: Mutex<u64>,
    /// Rows of the batch under way that are coded.
    pub(crate) progress: AtomicU32,
    /// The last write, plus one, after which nothing was left to do.
    pub(crate) settled: AtomicU64,
    /// Tells writers who wait that the index came nearer.
    progressed: Condvar,
    /// Microseconds that writers waited for the index.
    pub(crate) delayed_us: AtomicU64,
    fault: Mutex<Option<Error>>,
    /// What could not be used when the index was opened.
    pub(crate) lost: Vec<Error>,
    /// Held by whoever replaces segments.
    work: Mutex<()>,
    /// Held by whoever is the next to do so.
    turn: Mutex<()>,
    looked: Mutex<Looked>,
}

/// When lists were last compared, and what came of it when the epoch began.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// The epoch, and the rows that were in lists.
    pub(crate) at: (u64, u32),
    /// How many times the rows of an even share the fullest list had at the first look of the epoch.
    pub(crate) crowding: u64,
}

impl Index {
    /// When lists were last compared.
    pub(crate) fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets nobody else replace segments as long as it is held.
    pub(crate) fn working(&self) -> MutexGuard<'_, ()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`working`](Self::working), for a caller who does not wait beyond his deadline.
    pub(crate) fn working_for(&self, context: &Context) -> Result<MutexGuard<'_, ()>> {
        let wait = || self.wait(LOCK_STEP);
        let _turn = lock_for(context, &self.turn, &wait)?;
        lock_for(context, &self.work, &wait)
    }

    /// The index as it is now.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The 8-bit codes that there are now.
    pub(crate) fn fine(&self) -> Arc<Fine> {
        self.fine.load_full()
    }

    /// Adds 8-bit codes.
    pub(crate) fn add_fine(&self, piece: Piece) {
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let fine = self.fine.load().with(piece);
        self.fine.store(Arc::new(fine));
    }

    /// Lets go of 8-bit codes of rows that are dead in a view, where they are many; false if
    /// they are not.
    pub(crate) fn forget_fine(&self, view: &View) -> bool {
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = self.fine.load().without_dead(view);
        let is_worn = rest.is_some();
        if let Some(rest) = rest {
            self.fine.store(Arc::new(rest));
        }
        is_worn
    }

    /// Why the last piece of work on the index failed, if it did.
    pub(crate) fn fault(&self) -> Option<Error> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes how a piece of work on the index ended.
    pub(crate) fn note(&self, fault: Option<Error>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Opens the index whose files lie beside the log, which ends with row `rows` and write
    /// `sequence`: what cannot be used is left out and made again. With `repair`, files that are
    /// not in use are removed.
    ///
    /// # Errors
    /// `Storage` if files cannot be listed or removed.
    pub(crate) fn open(
        place: &Place,
        metric: Metric,
        rotation: &Arc<Rotation>,
        rows: u32,
        sequence: u64,
        repair: bool,
    ) -> Result<Index> {
        let io = &*place.io;
        let path = document_path(&place.directory);
        let mut lost = Vec::new();
        let record = match document::load::<Record>(io, &path, &MAGIC) {
            Ok(Some(record)) => record,
            Ok(None) => {
                // It is made before the first segment.
                if names(place)?.iter().any(|name| name.ends_with(".segment")) {
                    lost.push(corruption(&path, 0, "the file, which is missing,"));
                }
                Record::default()
            }
            Err(error) => {
                lost.push(error);
                Record::default()
            }
        };
        let mut live = Live {
            sequence: record.sequence,
            ..Live::default()
        };
        for EpochRecord { epoch, calibration } in record.epochs {
            match model_file::read(
                io,
                &place.directory,
                &place.collection,
                epoch,
                metric,
                rotation,
            ) {
                Ok(model) => live.epochs.push(Epoch {
                    model: Arc::new(model),
                    calibration: Arc::new(calibration),
                }),
                Err(error) => lost.push(error),
            }
        }
        let segments = if record.sequence <= sequence {
            record.segments
        } else {
            // The end of the log is lost: what it had removed is there again.
            lost.push(corruption(&path, 0, "the number of the last write"));
            live.sequence = 0;
            Vec::new()
        };
        for extent in segments {
            let epochs = live.epochs.iter();
            let model = epochs
                .map(|epoch| &epoch.model)
                .find(|model| model.epoch == extent.epoch);
            // Segments follow on each other: what is behind one that is lost is made again too.
            let Some(model) = model else { break };
            if extent.first_row != live.covered()
                || !(extent.first_row..=rows).contains(&extent.end_row)
            {
                lost.push(corruption(&path, 0, "the list of segments"));
                break;
            }
            let opened = Segment::open(
                io,
                &place.directory,
                &place.collection,
                extent,
                model.lists(),
                model.padded(),
            );
            match opened {
                Ok(segment) => live.segments.push(Arc::new(segment)),
                Err(error) => {
                    lost.push(error);
                    break;
                }
            }
        }
        let index = Index {
            next_number: Mutex::new(record.next_number.max(1)),
            live: ArcSwap::from_pointee(live),
            fine: ArcSwap::default(),
            adding: Mutex::new(()),
            progress: AtomicU32::new(0),
            settled: AtomicU64::new(0),
            progressed: Condvar::new(),
            delayed_us: AtomicU64::new(0),
            fault: Mutex::new(lost.last().cloned()),
            lost,
            work: Mutex::new(()),
            turn: Mutex::new(()),
            looked: Mutex::default(),
        };
        if repair {
            index.remove_leftovers(place)?;
        }
        Ok(index)
    }

    /// Removes segments and models that are not in use. They stay away: the document may still
    /// name them, and their rows be of other vectors by the time that it is written next.
    fn remove_leftovers(&self, place: &Place) -> Result<()> {
        let io = &*place.io;
        let live = self.live();
        let directory = &place.directory;
        let mut in_use: Vec<PathBuf> = live.segments.iter().map(|s| s.path.clone()).collect();
        let epochs = live.epochs.iter();
        in_use.extend(epochs.map(|epoch| model_file::path(directory, epoch.model.epoch)));
        let mut removed = false;
        for name in names(place)? {
            let path = directory.join(&name);
            let is_ours = name.ends_with(".segment") || name.ends_with(".model");
            if is_ours && !in_use.contains(&path) {
                io.remove(&path)
                    .map_err(|error| storage::error("remove", &path, &error))?;
                removed = true;
            }
        }
        if removed {
            io.sync_directory(directory)
                .map_err(|error| storage::error("sync", directory, &error))?;
        }
        Ok(())
    }

    /// A number for a new segment.
    pub(crate) fn take_number(&self) -> u64 {
        let mut next = self
            .next_number
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        *next - 1
    }

    /// Changes the index: the document on disk first, then what searches see. Files that are
    /// not named any more are removed. Everything that the new state names must be on disk.
    pub(crate) fn change(
        &self,
        place: &Place,
        change: impl FnOnce(&mut Live) -> Result<()>,
    ) -> Result<()> {
        let next_number = self
            .next_number
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = self.live();
        let mut after = Live::clone(&before);
        change(&mut after)?;
        let io = &*place.io;
        let path = document_path(&place.directory);
        if let Err(error) = document::save(io, &path, &MAGIC, &after.to_record(*next_number)) {
            self.remove_unnamed(io, &path, &after);
            return Err(error);
        }
        let after = Arc::new(after);
        self.live.store(after.clone());
        let kept: Vec<u64> = after.segments.iter().map(|s| s.extent.number).collect();
        for segment in &before.segments {
            if !kept.contains(&segment.extent.number) {
                // What cannot be removed now is removed at the next opening.
                let _leftover = io.remove(&segment.path);
            }
        }
        for epoch in &before.epochs {
            let number = epoch.model.epoch;
            if !after.epochs.iter().any(|e| e.model.epoch == number) {
                let _leftover = io.remove(&model_file::path(&place.directory, number));
            }
        }
        Ok(())
    }

    /// Removes the segments of a state that could not be saved, so that the next try finds room
    /// for its own; not those that the document names all the same.
    fn remove_unnamed(&self, io: &dyn Io, path: &Path, state: &Live) {
        let there = match document::load::<Record>(io, path, &MAGIC) {
            Ok(there) => there.unwrap_or_default(),
            Err(_) => return,
        };
        let live = self.live();
        let shown = live.segments.iter().map(|segment| segment.extent);
        let named: Vec<Extent> = there.segments.into_iter().chain(shown).collect();
        for segment in &state.segments {
            if !named.contains(&segment.extent) {
                // What cannot be removed now is removed at the next opening.
                let _leftover = io.remove(&segment.path);
            }
        }
    }

    /// Writes the document and the files of `live`, which this index was at some moment, into
    /// another folder; gives their bytes.
    pub(crate) fn copy_to(&self, io: &dyn Io, directory: &Path, live: &Live) -> Result<u64> {
        if live.epochs.is_empty() {
            return Ok(0);
        }
        let mut bytes = 0;
        for epoch in &live.epochs {
            // The file may be gone meanwhile, so the model is written anew.
            bytes += model_file::write(io, directory, &epoch.model.mark, &epoch.model)?;
        }
        for segment in &live.segments {
            let to = segment_path(directory, segment.extent.number);
            bytes += crate::collection::snapshot::copy_open(
                io,
                &*segment.file,
                &segment.path,
                &to,
                u64::MAX,
            )?;
        }
        let next_number = *self
            .next_number
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        document::save(
            io,
            &document_path(directory),
            &MAGIC,
            &live.to_record(next_number),
        )?;
        Ok(bytes)
    }

    /// Bytes of memory that the index takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let live = self.live();
        let models = live.epochs.iter().map(|epoch| epoch.model.memory_bytes());
        let segments = live.segments.iter().map(|segment| segment.memory_bytes());
        models.sum::<usize>() + segments.sum::<usize>() + self.fine.load().memory_bytes()
    }

    /// Notes how many rows of the batch under way are coded.
    pub(crate) fn progress(&self, rows: u32) {
        self.progress.store(rows, Ordering::Release);
        self.progressed.notify_all();
    }

    /// Waits until the index comes nearer, or for `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        // Progress that is missed costs a wait of `limit`, no more.
        let _waited = self.progressed.wait_timeout(fault, limit);
    }

    /// Adds to the time that writers waited.
    pub(crate) fn delayed(&self, time: Duration) {
        self.delayed_us
            .fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }
}

/// Where segments of an epoch are made.
pub(crate) fn workshop<'a>(place: &'a Place, model: &Model) -> Workshop<'a> {
    Workshop {
        io: &*place.io,
        directory: &place.directory,
        mark: &place.collection,
        lists: model.lists(),
        padded: model.padded(),
    }
}

/// The names in the collection's folder.
fn names(place: &Place) -> Result<Vec<String>> {
    let directory = &place.directory;
    let listed = place.io.list(directory);
    listed.map_err(|error| storage::error("list", directory, &error))
}

fn document_path(directory: &Path) -> PathBuf {
    directory.join(FILE_NAME)
}
