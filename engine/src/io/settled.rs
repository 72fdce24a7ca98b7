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
    /// The offsets at which writes under way begin.
    writing: Mutex<Vec<u64>>,
}

impl Settled {
    /// The settled length. Whoever sees it also sees the bytes below it.
    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Begins a change to the bytes from `offset` on, which lasts until the guard is dropped.
    pub(super) fn begin(&self, offset: u64) -> Result<Change<'_>> {
        let mut writing = self.writing();
        if offset < self.len() {
            let message = "these bytes of the file are settled";
            return Err(Error::new(ErrorKind::PermissionDenied, message));
        }
        writing.push(offset);
        Ok(Change {
            settled: self,
            offset,
        })
    }

    /// Settles the first `len` bytes of a file whose present length `file_len` tells.
    pub(super) fn raise(&self, len: u64, file_len: impl Fn() -> Result<u64>) -> Result<()> {
        let writing = self.writing();
        if len <= self.len() {
            return Ok(());
        }
        if writing.iter().any(|&offset| offset < len) {
            return Err(invalid("a write to the bytes to settle is under way"));
        }
        // Asked under the lock: a cut that began earlier would have shown in `writing`.
        if file_len()? < len {
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
    }

    fn writing(&self) -> MutexGuard<'_, Vec<u64>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change under way; see [`Settled::begin`].
#[derive(Debug)]
pub(super) struct Change<'a> {
    settled: &'a Settled,
    offset: u64,
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let mut writing = self.settled.writing();
        if let Some(at) = writing.iter().position(|&offset| offset == self.offset) {
            writing.swap_remove(at);
        }
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
