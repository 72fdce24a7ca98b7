//! A machine for tests, whose disk loses power and fails on demand, all from a seed.
//!
//! The disk writes back what it likes when it likes. A write is certain to survive a power loss
//! once its file was synced, a name once its directory was. Of everything else each sector of
//! 512 bytes may be there, missing, or torn; each length old or new; each name made, moved or
//! removed, or not. What fails to sync stays visible but is not written by a later sync, as on
//! Linux.
mod disk;
mod fate;
mod faults;
mod journal;
mod names;
mod random;

use super::descriptor::Descriptor;
use super::settled::Settled;
use super::tree::Number;
use super::{File, Io, LockOutcome, Map};
use disk::Disk;
use fate::Fate;
use journal::Journaled;
use names::Change;
use std::io::{ErrorKind, IoSlice, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// A simulated machine. A clone is the same machine, so that a test keeps the strings while the
/// engine runs.
#[derive(Clone)]
pub struct SimulatedIo {
    disk: Arc<Mutex<Disk>>,
}

impl SimulatedIo {
    /// A machine with an empty disk.
    pub fn new(seed: u64) -> SimulatedIo {
        SimulatedIo::of(Disk::new(seed))
    }

    fn of(disk: Disk) -> SimulatedIo {
        SimulatedIo {
            disk: Arc::new(Mutex::new(disk)),
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power goes. From now on this machine and all its files answer with an I/O error; the
    /// machine returned is the one that starts afterwards, on what the disk had written, which
    /// the seed decides. Several may be started from one loss, each with another seed.
    pub fn crash(&self, seed: u64) -> Result<SimulatedIo> {
        let mut disk = self.disk();
        disk.dead = true;
        Ok(SimulatedIo::of(
            disk.after_power_loss(seed, disk.fate(seed))?,
        ))
    }

    /// As [`crash`](Self::crash), with a disk that had written nothing but what was synced.
    pub fn crash_losing_all(&self, seed: u64) -> Result<SimulatedIo> {
        let mut disk = self.disk();
        disk.dead = true;
        Ok(SimulatedIo::of(
            disk.after_power_loss(seed, Fate::nothing())?,
        ))
    }

    /// The process dies. As after [`crash`](Self::crash) the old machine is dead, but the one
    /// returned has all that was written, still to be synced, and the same boot id. Locks are
    /// released.
    pub fn kill(&self) -> Result<SimulatedIo> {
        let mut disk = self.disk();
        disk.dead = true;
        Ok(SimulatedIo::of(disk.after_kill()?))
    }

    /// How many operations have changed, or tried to change, the disk: those that make, write,
    /// cut, move, remove, lock or sync.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Lets `count` more operations happen; then the power goes, and everything answers with an
    /// I/O error. [`crash`](Self::crash) starts the machine again.
    pub fn power_off_after(&self, count: u64) {
        let mut disk = self.disk();
        disk.operations_max = disk.operations.saturating_add(count);
    }

    /// Lets `bytes` more bytes be written; then the disk is full. The write that hits the end
    /// gets through in part.
    pub fn fail_writes_after(&self, bytes: u64) {
        self.disk().faults.room = Some(bytes);
    }

    /// Lets the `n`th write from now, the next being the first, fail after a part of it.
    pub fn fail_nth_write(&self, n: u64, kind: ErrorKind) {
        self.disk().faults.write = Some((n, kind));
    }

    /// Lets the `n`th sync from now fail, be it of a file or of a directory. A file's changes
    /// are then forgotten: no later sync writes them. A directory's are not.
    pub fn fail_nth_sync(&self, n: u64) {
        self.disk().faults.sync = Some(n);
    }

    /// Lets every rename fail.
    pub fn fail_renames(&self) {
        self.disk().faults.renames = true;
    }

    /// Takes back all failures that were ordered and have not come to pass.
    pub fn heal(&self) {
        self.disk().faults = Default::default();
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.disk().now += time;
    }

    /// Flips bit 0 to 7 of the byte at `offset`, on the disk and in every map. Nobody may be
    /// borrowing it from a map meanwhile.
    pub fn flip_bit(&self, path: &Path, offset: u64, bit: u32) -> Result<()> {
        self.corrupt(path, |file| {
            let mut byte = [0];
            file.content.read_at(offset, &mut byte)?;
            file.corrupt(offset, &[byte[0] ^ (1 << (bit % 8))])
        })
    }

    /// Puts other bytes at `offset`, on the disk and in every map. Nobody may be borrowing them
    /// from a map meanwhile.
    pub fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        self.corrupt(path, |file| file.corrupt(offset, bytes))
    }

    /// Cuts or extends a file on the disk. Nobody may read from a map of it afterwards what was
    /// cut: touching that memory ends the process.
    pub fn truncate(&self, path: &Path, len: u64) -> Result<()> {
        self.corrupt(path, |file| file.corrupt_len(len))
    }

    fn corrupt(&self, path: &Path, with: impl FnOnce(&mut Journaled) -> Result<()>) -> Result<()> {
        let mut disk = self.disk();
        let (number, _) = disk.tree.file(path)?;
        with(disk.files.get_mut(&number).ok_or(ErrorKind::NotFound)?)
    }

    /// All files with their lengths, in the order of their paths.
    pub fn files(&self) -> Result<Vec<(PathBuf, u64)>> {
        let disk = self.disk();
        let mut files = Vec::new();
        let mut directories = vec![PathBuf::from("/")];
        while let Some(directory) = directories.pop() {
            for name in disk.tree.list(&directory)? {
                let path = directory.join(name);
                match disk.tree.file(&path) {
                    Ok((_, content)) => files.push((path, content.len()?)),
                    Err(_) => directories.push(path),
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Makes a file whose name awaits the sync of its directory.
    fn create_in(&self, disk: &mut Disk, path: &Path) -> Result<Arc<dyn File>> {
        let (place, number, content) = disk.tree.create(path)?;
        disk.files
            .insert(number, Journaled::new(Arc::clone(&content))?);
        let stamp = disk.stamp();
        disk.names.change(stamp, Change::Add(place, number));
        Ok(self.handle(number, content))
    }

    fn handle(&self, number: Number, content: Arc<Descriptor>) -> Arc<dyn File> {
        Arc::new(SimulatedFile {
            machine: self.clone(),
            number,
            _settled: content.hold(),
            content,
        })
    }
}

impl std::fmt::Debug for SimulatedIo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedIo").finish_non_exhaustive()
    }
}

impl Io for SimulatedIo {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>> {
        let mut disk = self.disk();
        disk.operate()?;
        self.create_in(&mut disk, path)
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        let disk = self.disk();
        disk.alive()?;
        let (number, content) = disk.tree.file(path)?;
        Ok(self.handle(number, content))
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let disk = self.disk();
        disk.alive()?;
        disk.tree.list(directory)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        let disk = self.disk();
        disk.alive()?;
        match disk.tree.find(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        let mut disk = self.disk();
        disk.operate()?;
        for (place, number) in disk.tree.create_directory(path)? {
            disk.names.change_durably(Change::Add(place, number));
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut disk = self.disk();
        disk.operate()?;
        disk.faults.rename()?;
        let (from, to, number) = disk.tree.rename(from, to)?;
        if from != to {
            let stamp = disk.stamp();
            disk.names.change(stamp, Change::Move(from, to, number));
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut disk = self.disk();
        disk.operate()?;
        let (place, number) = disk.tree.remove(path)?;
        let stamp = disk.stamp();
        disk.names.change(stamp, Change::Remove(place, number));
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> Result<()> {
        let mut disk = self.disk();
        disk.operate()?;
        for (place, number) in disk.tree.remove_directory(path)? {
            let stamp = disk.stamp();
            disk.names.change(stamp, Change::Remove(place, number));
        }
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        let mut disk = self.disk();
        disk.operate()?;
        disk.tree.list(path)?;
        disk.faults.sync()?;
        let directory = disk.tree.find(path)?;
        disk.names.sync(directory);
        disk.forget_removed();
        Ok(())
    }

    fn lock(&self, path: &Path, holder: &[u8]) -> Result<LockOutcome> {
        let mut disk = self.disk();
        disk.operate()?;
        let Some(lock) = disk.tree.try_lock(path)? else {
            let holder = disk.tree.holder(path)?;
            return Ok(LockOutcome::Busy { holder });
        };
        let previous = disk.tree.holder(path)?;
        if let Err(error) = self.create_in(&mut disk, path)
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let (number, content) = disk.tree.file(path)?;
        disk.write(number, &content, 0, holder)?;
        disk.set_len(number, &content, holder.len() as u64)?;
        Ok(LockOutcome::Held { lock, previous })
    }

    fn now(&self) -> Duration {
        let mut disk = self.disk();
        let tick = Duration::from_nanos(100 + disk.random.below(1_900));
        disk.now += tick;
        disk.now
    }

    fn wall_clock(&self) -> SystemTime {
        // 2026-01-01.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.disk().random.fill(bytes);
    }

    fn boot_id(&self) -> [u8; 16] {
        self.disk().boot_id
    }

    fn writes_ahead(&self) -> bool {
        true
    }
}

/// A file on the simulated disk.
#[derive(Debug)]
struct SimulatedFile {
    machine: SimulatedIo,
    number: Number,
    /// Dropped with the handle, so that a file opened afresh has nothing settled.
    _settled: Arc<Settled>,
    content: Arc<Descriptor>,
}

impl SimulatedFile {
    /// The machine, if it still runs.
    fn alive(&self) -> Result<MutexGuard<'_, Disk>> {
        let disk = self.machine.disk();
        disk.alive()?;
        Ok(disk)
    }
}

impl File for SimulatedFile {
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> Result<()> {
        let mut disk = self.machine.disk();
        disk.operate()?;
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let len = bytes.len() as u64;
        let part = disk.random.below(len + 1);
        let (through, outcome) = disk.faults.write(len, part);
        disk.write(
            self.number,
            &self.content,
            offset,
            &bytes[..through as usize],
        )?;
        outcome
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        let _disk = self.alive()?;
        self.content.read_at(offset, into)
    }

    fn len(&self) -> Result<u64> {
        let _disk = self.alive()?;
        self.content.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut disk = self.machine.disk();
        disk.operate()?;
        disk.set_len(self.number, &self.content, len)
    }

    fn sync_data(&self) -> Result<()> {
        let mut disk = self.machine.disk();
        disk.operate()?;
        let outcome = disk.faults.sync();
        if let Some(file) = disk.files.get_mut(&self.number) {
            match outcome {
                Ok(()) => file.sync(),
                Err(_) => file.fail_sync(),
            }
        }
        outcome
    }

    fn settle(&self, len: u64) -> Result<()> {
        let _disk = self.alive()?;
        self.content.settle(len)
    }

    fn map(&self, len: u64) -> Result<Map> {
        let _disk = self.alive()?;
        self.content.map(len)
    }
}
