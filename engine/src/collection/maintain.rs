//! Work behind the writers' backs: coding rows, making files ahead, checkpoints.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nearfield_model::{Error, ErrorKind, Result};

use super::Collection;
use crate::log::checkpoint;
use crate::log::recovery::Start;
use crate::manifest::{Manifest, checkpoint_path};
use crate::pause::pause;
use crate::points::View;
use crate::retry::{Retry, guarded};
use crate::storage;

/// Rows that may wait for their codes before writers help to make them. Each is compared
/// exactly by searches until then.
const UNENCODED_ROWS_MAX: u32 = 8_192;
/// A checkpoint is due when the log has grown by this share of what the last one held.
const CHECKPOINT_GROWTH: u64 = 8;

impl Collection {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// After a write: helps with the codes if they fall behind.
    pub(super) fn after_write(&self) {
        let backlog = if self.options.background {
            UNENCODED_ROWS_MAX
        } else {
            0
        };
        loop {
            let view = self.view();
            if self.tail.unencoded(view.rows) <= backlog {
                break;
            }
            if !self.encode_some() {
                break;
            }
        }
        if !self.options.background {
            while self.work_some(false) {}
            self.make_file_ahead();
            // It is tried again after the next write; a failing disk shows there.
            let _tried_again = self.checkpoint_if_due();
        }
    }

    /// Does what waits for a moment without writes, unless background threads do.
    pub(crate) fn rest(&self) {
        if !self.options.background {
            while self.work_some(true) {}
        }
    }

    fn work_some(&self, at_rest: bool) -> bool {
        self.upkeep_some(at_rest, &|| false)
            || self.drain_some(at_rest, &|| false)
            || self.compact_some(at_rest)
    }

    /// Does work behind the writers' backs; a panic there is a failure like others. Writers who do
    /// it themselves are told of the panic.
    pub(super) fn guarded<T>(&self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.options.background {
            true => guarded(what, work),
            false => work(),
        }
    }

    /// As [`guarded`](Self::guarded), for work that is put off after a failure; true if it was
    /// done and says so.
    pub(super) fn attempt(
        &self,
        what: &str,
        retry: &Retry,
        work: impl FnOnce() -> Result<bool>,
    ) -> bool {
        let clock = &*self.place.io;
        if self.is_closed() || retry.is_waiting(clock) {
            return false;
        }
        match self.guarded(what, work) {
            Ok(worked) => {
                retry.succeeded();
                worked
            }
            Err(error) => {
                retry.failed(clock, error);
                false
            }
        }
    }

    /// Why some work behind the writers' backs failed when it was tried last, if any did.
    pub(crate) fn fault(&self) -> Option<Error> {
        self.index.fault().or_else(|| self.retry.fault())
    }

    /// Codes some rows; true if there may be more.
    pub(crate) fn encode_some(&self) -> bool {
        self.attempt("coding the tail", &self.retry.codes, || {
            let coded = self.tail.encode_group(&self.schema, &self.view());
            // A row that cannot be read is compared exactly later, which reports it.
            Ok(coded.unwrap_or(false))
        })
    }

    /// Keeps the log's files: makes the next one ahead and, once nobody writes, syncs what was
    /// written without waiting for the disk.
    pub(crate) fn keep_files(&self, is_idle: bool) {
        self.attempt("keeping the log's files", &self.retry.files, || {
            self.make_file_ahead();
            if is_idle {
                self.sync_behind();
            }
            Ok(true)
        });
    }

    /// Writes a checkpoint if it is time, unless the last failed a moment ago.
    pub(crate) fn keep_checkpoint(&self) {
        self.attempt("writing a checkpoint", &self.retry.checkpoints, || {
            self.checkpoint_if_due().map(|()| true)
        });
    }

    /// Makes the next log file ahead, if it is time.
    fn make_file_ahead(&self) {
        let wanted = self.writing().log.wants_ahead();
        if let Some(wanted) = wanted.filter(|_| !self.is_closed()) {
            wanted.run();
        }
    }

    /// Syncs what was written without waiting for the disk.
    fn sync_behind(&self) {
        if self.syncer.is_behind() {
            // A failure stops the writers, who report it.
            let _reported_by_writers = self.flush();
        }
    }

    /// Writes a checkpoint if the log has grown enough since the last.
    pub(crate) fn checkpoint_if_due(&self) -> Result<()> {
        let view = self.view();
        let bytes: u64 = view.files.iter().map(|file| file.settled_bytes()).sum();
        let held: u64 = {
            let manifest = self.manifest();
            let start = manifest.start;
            view.files
                .iter()
                .filter(|file| file.header.number <= start.file)
                .map(|file| {
                    if file.header.number == start.file {
                        start.position
                    } else {
                        file.settled_bytes()
                    }
                })
                .sum()
        };
        let grown = bytes.saturating_sub(held);
        if grown < self.options.checkpoint_bytes || grown < held / CHECKPOINT_GROWTH {
            return Ok(());
        }
        self.checkpoint()
    }

    /// Writes a checkpoint of the present state.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let mut manifest = self.manifest();
        self.checkpoint_into(&mut manifest).map(|_| ())
    }

    /// Writes a checkpoint and makes `manifest` name it; it is saved in the same step as what
    /// the caller changed in it. Gives the view that the checkpoint holds.
    pub(super) fn checkpoint_into(&self, manifest: &mut Manifest) -> Result<Arc<View>> {
        if self.is_closed() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the collection was dropped",
            ));
        }
        let (view, outcomes, start) = {
            let writing = self.writing();
            let (file, position, previous) = writing.log.end();
            let start = Start {
                file: file.header.number,
                position,
                sequence: writing.log.sequence(),
                rows: writing.log.rows(),
                previous,
            };
            (self.view(), writing.outcomes.clone(), start)
        };
        // Replay begins at the checkpoint, so all before it has to be on disk.
        self.syncer.check()?;
        self.syncer.sync_with_marks(start.sequence)?;
        pause();
        let io = &*self.place.io;
        // A number that is taken may be named by a manifest whose saving failed half-way.
        let mut number = manifest.checkpoint + 1;
        let mut path = checkpoint_path(&self.place.directory, number);
        while io.exists(&path).unwrap_or(false) {
            number += 1;
            path = checkpoint_path(&self.place.directory, number);
        }
        let written = checkpoint::write(
            io,
            &path,
            &view,
            &self.tail.chunks(),
            &self.fields,
            &outcomes,
        );
        if let Err(error) = written {
            let _half_made = io.remove(&path);
            return Err(error);
        }
        let old = manifest.checkpoint;
        // The checkpoint tells where records lie in these very files, also after a compaction
        // whose own saving failed.
        let generations = view
            .files
            .iter()
            .filter(|file| file.header.generation > 0)
            .map(|file| (file.header.number, file.header.generation));
        let next = Manifest {
            checkpoint: number,
            start,
            generations: generations.collect(),
            ..manifest.clone()
        };
        next.save(io, &self.place.directory)?;
        *manifest = next;
        if old > 0 {
            let path = checkpoint_path(&self.place.directory, old);
            match io.remove(&path) {
                // It was lost, and made good when the collection was opened.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(|error| storage::error("remove", &path, &error))?,
            }
        }
        Ok(view)
    }

    /// Brings everything to rest before the store closes.
    pub(crate) fn close(&self) -> Result<()> {
        if self.syncer.check().is_err() {
            return Ok(());
        }
        self.flush()?;
        let view = self.view();
        if view.sequence > self.manifest().start.sequence {
            self.checkpoint()?;
        }
        self.closed.store(true, Ordering::Release);
        let mut writing = self.writing();
        writing.log.mark()?;
        writing.log.trim()
    }
}
