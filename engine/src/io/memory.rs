//! A machine whose files live in RAM and go with it, for `:memory:` stores.
use super::tree::Tree;
use super::{File, Io, LockOutcome, RealIo};
use std::io::{ErrorKind, IoSlice, Result};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Files in RAM; the clock and randomness of the machine. A clone sees the same files.
///
/// Each file takes a descriptor for as long as its name or a handle exists.
#[derive(Clone, Debug)]
pub struct MemoryIo {
    machine: RealIo,
    tree: Arc<Mutex<Tree>>,
}

impl MemoryIo {
    /// An empty root directory.
    pub fn new() -> MemoryIo {
        MemoryIo {
            machine: RealIo::new(),
            tree: Arc::new(Mutex::new(Tree::new())),
        }
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryIo {
    fn default() -> MemoryIo {
        MemoryIo::new()
    }
}

impl Io for MemoryIo {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>> {
        let (_, _, content) = self.tree().create(path)?;
        Ok(content)
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        let (_, content) = self.tree().file(path)?;
        Ok(content)
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        self.tree().list(directory)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        match self.tree().find(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.tree().create_directory(path).map(drop)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.tree().rename(from, to).map(drop)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.tree().remove(path).map(drop)
    }

    fn remove_directory(&self, path: &Path) -> Result<()> {
        self.tree().remove_directory(path).map(drop)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.tree().list(path).map(drop)
    }

    fn lock(&self, path: &Path, holder: &[u8]) -> Result<LockOutcome> {
        let mut tree = self.tree();
        let Some(lock) = tree.try_lock(path)? else {
            let holder = tree.holder(path)?;
            return Ok(LockOutcome::Busy { holder });
        };
        let previous = tree.holder(path)?;
        let content = match tree.create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => tree.file(path)?.1,
            created => created?.2,
        };
        content.write_at(0, &[IoSlice::new(holder)])?;
        content.set_len(holder.len() as u64)?;
        Ok(LockOutcome::Held { lock, previous })
    }

    fn is_memory(&self) -> bool {
        true
    }

    fn now(&self) -> Duration {
        self.machine.now()
    }

    fn wall_clock(&self) -> SystemTime {
        self.machine.wall_clock()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.machine.fill_random(bytes);
    }

    fn boot_id(&self) -> [u8; 16] {
        self.machine.boot_id()
    }

    fn writes_ahead(&self) -> bool {
        false
    }
}
