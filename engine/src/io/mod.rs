//! Files, clock and chance: all that the engine takes from the machine comes through [`Io`].
//!
//! [`RealIo`] is the machine itself, [`MemoryIo`] keeps its files in RAM, and `SimulatedIo`
//! (feature `simulation`, for tests) is a disk that loses power and fails on demand.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room where the machine comes in"
)]

mod descriptor;
mod map;
mod memory;
mod real;
mod settled;
#[cfg(feature = "simulation")]
mod simulated;
mod tree;

use std::fmt::Debug;
use std::io::{IoSlice, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use map::Map;
pub use memory::MemoryIo;
pub use real::{LockWatch, RealIo};
#[cfg(feature = "simulation")]
pub use simulated::SimulatedIo;

#[cfg(not(unix))]
compile_error!("the io room is written for Unix: it needs pwritev and flock");

/// The machine as the engine sees it.
///
/// What a call changes in a directory (a name made, moved or removed) survives a power loss
/// only after [`sync_directory`](Io::sync_directory) on that directory, and what is written to
/// a file only after [`File::sync_data`]; neither implies the other.
pub trait Io: Send + Sync + Debug {
    /// Makes a new, empty file; `AlreadyExists` if the name is taken.
    fn create(&self, path: &Path) -> Result<Arc<dyn File>>;

    /// Opens a file that is there, for reading and writing.
    fn open(&self, path: &Path) -> Result<Arc<dyn File>>;

    /// The names in a directory, of files and directories, sorted. Names that are not UTF-8
    /// are not ours and are left out.
    fn list(&self, directory: &Path) -> Result<Vec<String>>;

    /// Whether there is a file or directory of this name.
    fn exists(&self, path: &Path) -> Result<bool>;

    /// Makes a directory and those above it; fine if it is there. A directory that this call
    /// made is durable when it returns.
    fn create_directory(&self, path: &Path) -> Result<()>;

    /// Moves a file or directory, replacing a file at `to` in one step: whatever happens, `to`
    /// is the old file or the new one. Durable once the directory of `to` is synced.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file. Handles and maps of it stay usable.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Removes a directory with all it holds. It is not atomic: rename it first to hide it.
    fn remove_directory(&self, path: &Path) -> Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> Result<()>;

    /// Tries to take the exclusive lock that the file `path` stands for. It is on the file's
    /// directory as well, so that it holds though the file be removed. The winner's `holder` bytes
    /// become the content of the file, which is made if needed, for the others to read. They are
    /// not synced.
    fn lock(&self, path: &Path, holder: &[u8]) -> Result<LockOutcome>;

    /// Time since some fixed moment; never runs backwards.
    fn now(&self) -> Duration;

    /// The time of day.
    fn wall_clock(&self) -> SystemTime;

    /// Fills `bytes` with random ones.
    fn fill_random(&self, bytes: &mut [u8]);

    /// A number that changes when the machine restarts. All zeros where the system has none to
    /// offer: then nothing can be concluded, and a restart must be assumed.
    fn boot_id(&self) -> [u8; 16];

    /// Whether files take memory of this process.
    fn is_memory(&self) -> bool {
        false
    }

    /// Whether writing zeros ahead of an append makes its sync cheaper.
    fn writes_ahead(&self) -> bool;
}

/// An open file. All handles of one file share its settled length.
pub trait File: Send + Sync + Debug {
    /// Writes all of `parts`, one after the other, from `offset` on; the file grows if needed.
    /// After an error any part of it may have been written. `PermissionDenied` if it would
    /// touch [settled](File::settle) bytes.
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> Result<()>;

    /// Fills `into` from `offset` on; `UnexpectedEof` if the file is shorter.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()>;

    /// The length in bytes.
    fn len(&self) -> Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file or extends it with zeros, which take no room until written.
    /// `PermissionDenied` if it would cut settled bytes.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Makes the content and length durable; the file's name is its directory's affair. After
    /// an error the state of what was written since the last sync is unknown for good: a later
    /// success says nothing about it.
    fn sync_data(&self) -> Result<()>;

    /// Declares the first `len` bytes final: from now on they cannot be written or cut, and
    /// maps show them. A smaller `len` than before changes nothing. `InvalidInput` if the file
    /// is shorter, or if a write to these bytes is under way.
    ///
    /// It lasts as long as any handle or map of the file does; a file opened afresh has no
    /// settled bytes, so its torn end can be cut or written over.
    fn settle(&self, len: u64) -> Result<()>;

    /// Maps the first `len` bytes for reading. `len` may exceed the file's length, so that one
    /// map serves a file while it grows: only settled bytes can be read from it.
    fn map(&self, len: u64) -> Result<Map>;
}

/// What came of trying to take a lock.
#[derive(Debug)]
pub enum LockOutcome {
    /// It is ours until `lock` is dropped.
    Held {
        /// Releases when dropped.
        lock: Box<dyn Lock>,
        /// What the last holder had written; empty if there was none.
        previous: Vec<u8>,
    },
    /// Somebody else has it.
    Busy {
        /// What the holder wrote. For the moment between taking the lock and writing, it is
        /// what the holder before wrote, or nothing: who cannot make sense of it asks again.
        /// Nothing, too, if the file was removed.
        holder: Vec<u8>,
    },
}

/// A lock that is held; dropping it releases. It is also released when the process dies.
pub trait Lock: Send + Sync + Debug {}
