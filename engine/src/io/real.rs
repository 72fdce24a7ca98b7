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

/// Told each descriptor before a lock is taken on it; what it gives back lives as long as the
/// descriptor is open.
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

    /// A file or folder, locked; nothing if somebody else has its lock.
    fn try_lock(&self, file: fs::File) -> Result<Option<Locked>> {
        let locked = Locked {
            _watch: self.lock_watch.map(|watch| watch(file.as_fd())),
            file,
        };
        match locked.file.try_lock() {
            Ok(()) => Ok(Some(locked)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
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
        // The folder's lock is what decides, as it cannot be removed while the store is there. It
        // is no lock of ours where the file system has none for folders.
        let folder = match self.try_lock(fs::File::open(parent_of(path))?) {
            Ok(None) => return busy(path),
            folder => folder.ok().flatten(),
        };
        loop {
            let file = read_write().create(true).truncate(false).open(path)?;
            let Some(mut file) = self.try_lock(file)? else {
                return busy(path);
            };
            // Somebody may have removed the file between our opening and locking it.
            if !is_at(&file.file, path)? {
                continue;
            }
            let mut previous = Vec::new();
            file.file.read_to_end(&mut previous)?;
            file.file.write_all_at(holder, 0)?;
            file.file.set_len(holder.len() as u64)?;
            let lock = Box::new(RealLock {
                _file: file,
                _folder: folder,
            });
            return Ok(LockOutcome::Held { lock, previous });
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

/// The locks on a file and its folder. The folder's goes last, so that who gets it finds the file
/// free.
#[derive(Debug)]
struct RealLock {
    _file: Locked,
    _folder: Option<Locked>,
}

/// An open, locked file or folder. It is released by closing, never by unlocking: in a forked
/// child, which shares the lock, unlocking would take it from the parent, whereas closing leaves
/// it there.
#[derive(Debug)]
struct Locked {
    /// Goes first: whoever watches must not close another file that gets the same number.
    _watch: Option<Box<dyn Any + Send + Sync>>,
    file: fs::File,
}

impl Lock for RealLock {}

/// Somebody has the lock, as the file tells if it is there.
fn busy(path: &Path) -> Result<LockOutcome> {
    match fs::read(path) {
        Ok(holder) => Ok(LockOutcome::Busy { holder }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(LockOutcome::Busy { holder: Vec::new() })
        }
        Err(error) => Err(error),
    }
}

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
