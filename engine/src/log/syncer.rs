//! Durability: which writes are on disk, and one `fdatasync` for all callers who wait.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nearfield_model::{Error, ErrorKind, Result};

use super::file::LogFile;

/// Group commit. Callers who wait for a sync share it: one of them syncs everything that is
/// written by then, the others wait for the result.
#[derive(Debug, Default)]
pub(crate) struct Syncer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The last write that the operating system has.
    written: u64,
    /// The last write that the disk has.
    synced: u64,
    /// Files written to since they were last synced.
    dirty: Vec<Arc<LogFile>>,
    /// How often a writer waited for the disk.
    waits: u64,
    /// A caller is syncing.
    syncing: bool,
    /// Why no write is taken any more.
    failed: Option<Error>,
}

impl State {
    fn touch(&mut self, file: &Arc<LogFile>) {
        let last = self.dirty.last();
        if !last.is_some_and(|dirty| Arc::ptr_eq(dirty, file)) {
            self.dirty.push(file.clone());
        }
    }
}

impl Syncer {
    /// A syncer for a log whose writes up to `sequence` are on disk.
    pub(crate) fn new(sequence: u64) -> Syncer {
        let state = State {
            written: sequence,
            synced: sequence,
            ..State::default()
        };
        Syncer {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails if a write or a sync failed before.
    pub(crate) fn check(&self) -> Result<()> {
        self.lock().failed.clone().map_or(Ok(()), Err)
    }

    /// The last write that the disk has; fails as [`check`](Self::check).
    pub(crate) fn checked_synced(&self) -> Result<u64> {
        let state = self.lock();
        match &state.failed {
            None => Ok(state.synced),
            Some(error) => Err(error.clone()),
        }
    }

    /// Stops all writes from now on.
    pub(crate) fn fail(&self, path: &Path, error: &std::io::Error) -> Error {
        let error = Error::new(
            ErrorKind::WritesStopped,
            format!(
                "writing to {} failed: {error}; no more writes are taken until the store is opened \
                 again, which keeps all that was acknowledged as synced",
                path.display()
            ),
        );
        self.lock().failed.get_or_insert(error).clone()
    }

    /// Notes a write to `file`.
    pub(crate) fn wrote(&self, sequence: u64, file: &Arc<LogFile>) {
        let mut state = self.lock();
        state.written = sequence;
        state.touch(file);
    }

    /// Notes a mark in `file`, for the next sync.
    pub(crate) fn marked(&self, file: &Arc<LogFile>) {
        self.lock().touch(file);
    }

    /// The last write that the disk has.
    pub(crate) fn synced(&self) -> u64 {
        self.lock().synced
    }

    /// Notes that a writer waits for the disk; see [`waits`](Self::waits).
    pub(crate) fn note_wait(&self) {
        self.lock().waits += 1;
    }

    /// How often a writer waited for the disk.
    pub(crate) fn waits(&self) -> u64 {
        self.lock().waits
    }

    /// Whether there are writes that the disk does not have.
    pub(crate) fn is_behind(&self) -> bool {
        let state = self.lock();
        state.synced < state.written && state.failed.is_none()
    }

    /// Returns once the disk has all writes up to `sequence`; true if this caller synced.
    pub(crate) fn sync_to(&self, sequence: u64) -> Result<bool> {
        self.sync_until(|state| state.synced >= sequence)
    }

    /// As [`sync_to`](Self::sync_to), for the marks that end files, too.
    pub(crate) fn sync_with_marks(&self, sequence: u64) -> Result<bool> {
        self.sync_until(|state| {
            state.synced >= sequence && state.dirty.is_empty() && !state.syncing
        })
    }

    fn sync_until(&self, is_done: impl Fn(&State) -> bool) -> Result<bool> {
        let mut state = self.lock();
        loop {
            if is_done(&state) {
                return Ok(false);
            }
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if !state.syncing {
                break;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.syncing = true;
        let target = state.written;
        let dirty = std::mem::take(&mut state.dirty);
        drop(state);

        let failure = dirty
            .iter()
            .find_map(|file| file.file.sync_data().err().map(|error| (file, error)))
            .map(|(file, error)| self.fail(&file.path, &error));
        let mut state = self.lock();
        state.syncing = false;
        self.changed.notify_all();
        match failure {
            Some(error) => Err(error),
            None => {
                state.synced = state.synced.max(target);
                Ok(true)
            }
        }
    }
}
