//! What a store takes on disk.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::Result;

/// Bytes of a block, as the system counts what a file takes.
const BLOCK_BYTES: u64 = 512;

/// Bytes on disk, by what they are for. Zeros that were written ahead count, holes do not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) log: u64,
    pub(crate) checkpoint: u64,
    /// The index, and a few small files.
    pub(crate) other: u64,
}

impl Usage {
    /// Of all files below a folder. A file that goes meanwhile does not count.
    pub(crate) fn of(path: &Path) -> Result<Usage> {
        let mut usage = Usage::default();
        for file in files(path)? {
            let Some(metadata) = still_there(fs::metadata(&file))? else {
                continue;
            };
            let ending = file.extension().and_then(|ending| ending.to_str());
            let bytes = match ending {
                Some("log") => &mut usage.log,
                Some("checkpoint") => &mut usage.checkpoint,
                _ => &mut usage.other,
            };
            *bytes += metadata.blocks() * BLOCK_BYTES;
        }
        Ok(usage)
    }

    pub(crate) fn total(&self) -> u64 {
        self.log + self.checkpoint + self.other
    }
}

/// Bytes that are left on the file system of `path`.
pub(crate) fn free_bytes(path: &Path) -> Result<u64> {
    let system = rustix::fs::statvfs(path)?;
    Ok(system.f_bavail * system.f_frsize)
}

/// All files below a folder.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        for entry in still_there(fs::read_dir(path))?.into_iter().flatten() {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// `None` of a file or folder that was removed meanwhile.
fn still_there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_for_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        for (name, kib) in [
            ("1.log", 8),
            ("2.log", 4),
            ("3.checkpoint", 4),
            ("lists", 16),
        ] {
            fs::write(inner.join(name), vec![1; kib << 10]).unwrap();
        }
        let usage = Usage::of(folder.path()).unwrap();
        let blocks = |bytes: u64| bytes >= 1 && bytes.is_multiple_of(BLOCK_BYTES);
        assert!(blocks(usage.log) && blocks(usage.checkpoint) && blocks(usage.other));
        assert!(usage.log > usage.checkpoint && usage.other > usage.log);
        assert_eq!(files(folder.path()).unwrap().len(), 4);
        assert_eq!(Usage::of(&folder.path().join("gone")).unwrap().total(), 0);
    }
}
