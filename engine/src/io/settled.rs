//! How much of a file is final. Readers borrow those bytes straight from a map, which is sound
//! only because nothing in this process can write to them any more: this is where that is
//! enforced.
use std::io::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The settled length of one file, shared by its handles and maps. It only grows.
#[derive(Debug, Default)]
pub(super) struct Settled {
    len: AtomicU64,
    changes: Mutex<Changes>,
}

/// What this process has under way and done to a file.
#[derive(Debug, Default)]
struct Changes {
    /// The offsets at which those under way begin.
    offsets: Vec<u64>,
    /// The file is at least this long: it was written up to here, and not cut since.
    reaches: u64,
    /// How often the file's length was set.
    cuts: u64,
}

impl Settled {
    /// The settled length. Whoever sees it also sees the bytes below it.
    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Begins a write from `offset` on, which lasts until the guard is dropped.
    pub(super) fn begin(&self, offset: u64) -> Result<Change<'_>> {
        let mut changes = self.changes();
        if offset < self.len() {
            let message = "these bytes of the file are settled";
            return Err(Error::new(ErrorKind::PermissionDenied, message));
        }
        changes.offsets.push(offset);
        Ok(Change {
            settled: self,
            offset,
            cuts: changes.cuts,
            reached: 0,
        })
    }

    /// Begins to set the file's length, which lasts until the guard is dropped.
    pub(super) fn begin_cut(&self, len: u64) -> Result<Change<'_>> {
        let change = self.begin(len)?;
        self.forget_from(len);
        Ok(change)
    }

    /// Forgets that the file was written beyond `len`, also by writes that are under way.
    pub(super) fn forget_from(&self, len: u64) {
        let mut changes = self.changes();
        changes.reaches = changes.reaches.min(len);
        changes.cuts += 1;
    }

    /// Settles the first `len` bytes of a file whose present length `file_len` tells, where this
    /// process has not written as far.
    pub(super) fn raise(&self, len: u64, file_len: impl Fn() -> Result<u64>) -> Result<()> {
        let changes = self.changes();
        if len <= self.len() {
            return Ok(());
        }
        if changes.offsets.iter().any(|&offset| offset < len) {
            return Err(invalid("a write to the bytes to settle is under way"));
        }
        // Asked under the lock: a cut that began earlier would have shown in `offsets`.
        if changes.reaches < len && file_len()? < len {
            return Err(invalid(
                "the bytes to settle lie beyond the end of the file",
            ));
        }
        self.len.store(len, Ordering::Release);
        Ok(())
    }

    /// Forgets what was settled; for a file that no handle and no map is left of.
    #[cfg(feature = "simulation")]
    pub(super) fn forget(&self) {
        self.len.store(0, Ordering::Release);
        self.forget_from(0);
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change under way; see [`Settled::begin`].
#[derive(Debug)]
pub(super) struct Change<'a> {
    settled: &'a Settled,
    offset: u64,
    /// How often the length had been set when it began.
    cuts: u64,
    reached: u64,
}

impl Change<'_> {
    /// Notes that the bytes before `end` are written.
    pub(super) fn reached(mut self, end: u64) {
        self.reached = end;
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let mut changes = self.settled.changes();
        if let Some(at) = changes
            .offsets
            .iter()
            .position(|&offset| offset == self.offset)
        {
            changes.offsets.swap_remove(at);
        }
        // A cut since the beginning may have come after the write.
        if changes.cuts == self.cuts {
            changes.reaches = changes.reaches.max(self.reached);
        }
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
