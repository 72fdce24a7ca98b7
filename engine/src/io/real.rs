//! The machine itself.
use super::descriptor::Descriptor;
use super::{File, Io, Lock, LockOutcome};
use std::any::Any;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Result};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Told the descriptor of a lock file before the lock is taken; what it gives back lives as
/// long as the descriptor is open.
pub type LockWatch = fn(BorrowedFd<'_>) -> Box<dyn Any + Send + Sync>;

/// Files on disk, the system's clock and its randomness.
#[derive(Clone, Debug)]
pub struct RealIo {
    start: Instant,
    lock_watch: Option<LockWatch>,
}

impl RealIo {
    /// The machine, with its clock at zero now.
    pub fn new() -> RealIo {
        RealIo {
            start: Instant::now(),
            lock_watch: None,
        }
    }

    /// The first bytes of a file that may be one that cannot be written.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn read(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?
            .take(bytes_max)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The machine, and whom to tell of locks: a forked child shares them, so somebody has to
    /// close them there.
    pub fn watching_locks(watch: LockWatch) -> RealIo {
        RealIo {
            lock_watch: Some(watch),
            ..RealIo::new()
        }
    }
}

impl Default for RealIo {
    fn default() -> RealIo {
        RealIo::new()
    }
}

impl Io for RealIo {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>> {
        let file = read_write().create_new(true).open(path)?;
        Ok(Arc::new(Descriptor::shared(file)?))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        Ok(Arc::new(Descriptor::shared(read_write().open(path)?)?))
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        path.try_exists()
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        let parent = parent_of(path);
        self.create_directory(&parent)?;
        match fs::create_dir(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
            outcome => outcome?,
        }
        self.sync_directory(&parent)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path, holder: &[u8]) -> Result<LockOutcome> {
        loop {
            let mut file = read_write().create(true).truncate(false).open(path)?;
            let watch = self.lock_watch.map(|watch| watch(file.as_fd()));
            let mut content = Vec::new();
            match file.try_lock() {
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {
                    file.read_to_end(&mut content)?;
                    return Ok(LockOutcome::Busy { holder: content });
                }
                // Somebody may have removed the file between our opening and locking it.
                Ok(()) if !is_at(&file, path)? => {}
                Ok(()) => {
                    file.read_to_end(&mut content)?;
                    file.write_all_at(holder, 0)?;
                    file.set_len(holder.len() as u64)?;
                    let lock = Box::new(RealLock {
                        _watch: watch,
                        _file: file,
                    });
                    return Ok(LockOutcome::Held {
                        lock,
                        previous: content,
                    });
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        if fill_from_system(bytes).is_err() {
            fill_from_hasher(bytes);
        }
    }

    fn boot_id(&self) -> [u8; 16] {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()
            .and_then(|text| u128::from_str_radix(&text.trim().replace('-', ""), 16).ok())
            .map_or([0; 16], u128::to_be_bytes)
    }

    fn writes_ahead(&self) -> bool {
        true
    }
}

/// An open, locked file. It is released by closing, never by unlocking: in a forked child, which
/// shares the lock, unlocking would take it from the parent, whereas closing leaves it there.
#[derive(Debug)]
struct RealLock {
    /// Goes first: whoever watches must not close another file that gets the same number.
    _watch: Option<Box<dyn Any + Send + Sync>>,
    _file: fs::File,
}

impl Lock for RealLock {}

fn read_write() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

/// The directory that `path` is in; the parent of the bare `data` is `.`.
fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Whether `path` still leads to `file`.
fn is_at(file: &fs::File, path: &Path) -> Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(target_os = "linux")]
fn fill_from_system(bytes: &mut [u8]) -> Result<()> {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn fill_from_system(bytes: &mut [u8]) -> Result<()> {
    fs::File::open("/dev/urandom")?.read_exact(bytes)
}

/// The last resort, for sandboxes without a source of randomness: the standard library's hash
/// keys, which it seeds as well as the system allows.
fn fill_from_hasher(bytes: &mut [u8]) {
    use std::hash::{BuildHasher, RandomState};
    for chunk in bytes.chunks_mut(8) {
        let word = RandomState::new().hash_one(Instant::now()).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}
