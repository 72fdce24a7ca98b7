//! A file behind a descriptor: on disk for [`RealIo`](super::RealIo), in RAM for the others.
use super::settled::Settled;
use super::{File, Map};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How many parts the kernel takes in one write; POSIX promises 16, Linux and macOS take 1,024.
const PARTS_MAX: usize = 1_024;

/// An open file.
#[derive(Debug)]
pub(super) struct Descriptor {
    // Dropped first: a file's number is given to another file only once this one is closed, and
    // by then nobody must find the old settled length under that number.
    settled: Arc<Settled>,
    file: fs::File,
}

impl Descriptor {
    /// Wraps a file on disk, which may be open elsewhere in this process.
    pub(super) fn shared(file: fs::File) -> Result<Descriptor> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let settled = settled_of(metadata.dev(), metadata.ino());
        Ok(Descriptor { settled, file })
    }

    /// A new file in RAM, which no path leads to.
    pub(super) fn anonymous() -> Result<Descriptor> {
        Ok(Descriptor {
            settled: Arc::default(),
            file: anonymous_file()?,
        })
    }

    /// Another anonymous file of the same content, with nothing settled.
    #[cfg(feature = "simulation")]
    pub(super) fn copy(&self) -> Result<Descriptor> {
        let copy = Descriptor::anonymous()?;
        let len = self.len()?;
        copy.set_len(len)?;
        for (start, end) in self.extents(0)? {
            let mut bytes = vec![0; (end - start) as usize];
            self.read_at(start, &mut bytes)?;
            copy.overwrite(start, &bytes)?;
        }
        Ok(copy)
    }

    /// The stretches from `offset` on that are not holes, as start and end.
    #[cfg(feature = "simulation")]
    pub(super) fn extents(&self, offset: u64) -> Result<Vec<(u64, u64)>> {
        use rustix::fs::{SeekFrom, seek};
        let mut extents = Vec::new();
        let mut at = offset;
        loop {
            match seek(&self.file, SeekFrom::Data(at)) {
                Ok(start) => {
                    at = seek(&self.file, SeekFrom::Hole(start))?;
                    extents.push((start, at));
                }
                Err(rustix::io::Errno::NXIO) => return Ok(extents),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What a handle keeps so that the settled length lasts. The first one since all others,
    /// and all maps, are gone begins with nothing settled.
    #[cfg(feature = "simulation")]
    pub(super) fn hold(&self) -> Arc<Settled> {
        let hold = Arc::clone(&self.settled);
        if Arc::strong_count(&hold) == 2 {
            hold.forget();
        }
        hold
    }

    /// Writes without asking what is settled, as a failing disk does.
    #[cfg(feature = "simulation")]
    pub(super) fn overwrite(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Cuts or extends without asking what is settled.
    #[cfg(feature = "simulation")]
    pub(super) fn force_len(&self, len: u64) -> Result<()> {
        self.settled.forget_from(len);
        self.file.set_len(len)
    }
}

impl File for Descriptor {
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> Result<()> {
        let change = self.settled.begin(offset)?;
        let end = write_all(&self.file, offset, parts)?;
        change.reached(end);
        Ok(())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(into, offset)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let _change = self.settled.begin_cut(len)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn settle(&self, len: u64) -> Result<()> {
        self.settled.raise(len, || self.len())
    }

    fn map(&self, len: u64) -> Result<Map> {
        Map::new(&self.file, len, Arc::clone(&self.settled))
    }
}

/// Writes all parts, however many calls it takes, nearly always one; gives where they end.
fn write_all(file: &fs::File, mut offset: u64, parts: &[IoSlice<'_>]) -> Result<u64> {
    for parts in parts.chunks(PARTS_MAX) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let end = offset
            .checked_add(len as u64)
            .ok_or(ErrorKind::FileTooLarge)?;
        let written = write_some(file, offset, parts)?;
        if written < len {
            let mut rest = parts.to_vec();
            let mut rest = rest.as_mut_slice();
            IoSlice::advance_slices(&mut rest, written);
            offset += written as u64;
            while offset < end {
                let written = write_some(file, offset, rest)?;
                if written == 0 {
                    return Err(ErrorKind::WriteZero.into());
                }
                IoSlice::advance_slices(&mut rest, written);
                offset += written as u64;
            }
        }
        offset = end;
    }
    Ok(offset)
}

fn write_some(file: &fs::File, offset: u64, parts: &[IoSlice<'_>]) -> Result<usize> {
    loop {
        match rustix::io::pwritev(file, parts, offset) {
            Err(rustix::io::Errno::INTR) => {}
            outcome => return outcome.map_err(Error::from),
        }
    }
}

/// The settled length of the file with this device and number, one for all its handles.
fn settled_of(device: u64, number: u64) -> Arc<Settled> {
    static OPEN: Mutex<BTreeMap<(u64, u64), Weak<Settled>>> = Mutex::new(BTreeMap::new());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(settled) = open.get(&(device, number)).and_then(Weak::upgrade) {
        return settled;
    }
    open.retain(|_, settled| settled.strong_count() > 0);
    let settled = Arc::<Settled>::default();
    open.insert((device, number), Arc::downgrade(&settled));
    settled
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn anonymous_file() -> Result<fs::File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(fs::File::from(memfd_create(
        "nearfield",
        MemfdFlags::CLOEXEC,
    )?))
}

/// Elsewhere a temporary file that is unlinked at once. Not checked on any such system.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn anonymous_file() -> Result<fs::File> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nearfield-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut options = fs::OpenOptions::new();
        match options.read(true).write(true).create_new(true).open(&path) {
            Ok(file) => return fs::remove_file(&path).map(|()| file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
