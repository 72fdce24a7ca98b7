//! Copies of a collection: a consistent view, as files that another store opens.

use std::io::IoSlice;
use std::path::Path;

use nearfield_model::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Collection;
use crate::io::{File, Io};
use crate::log::file::file_name;
use crate::manifest::{Manifest, checkpoint_path};
use crate::pause::pause;
use crate::storage;

const COPY_STEP_BYTES: usize = 1 << 20;

/// What a copy holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) sequence: u64,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl Collection {
    /// Copies the collection's files into a folder that is there and empty.
    pub(crate) fn copy_to(&self, context: &Context, directory: &Path) -> Result<Copied> {
        // Nobody replaces files while this is held.
        let mut manifest = self.manifest();
        // Taken before the view: what these segments leave out is dead in it.
        let live = self.index.live();
        pause();
        let view = self.checkpoint_into(&mut manifest)?;
        pause();
        let io = &*self.place.io;
        let start = manifest.start;
        let mut copied = Copied {
            sequence: start.sequence,
            count: view.count(),
            bytes: 0,
        };
        for file in view
            .files
            .iter()
            .filter(|file| file.header.number <= start.file)
        {
            context.check()?;
            let last = file.header.number == start.file;
            let bytes = if last {
                start.position
            } else {
                file.settled_bytes()
            };
            let name = file_name(file.header.number, file.header.generation);
            copied.bytes += copy(io, &file.path, &directory.join(name), bytes)?;
        }
        let from = checkpoint_path(&self.place.directory, manifest.checkpoint);
        let to = checkpoint_path(directory, manifest.checkpoint);
        copied.bytes += copy(io, &from, &to, u64::MAX)?;
        copied.bytes += self.index.copy_to(io, directory, &live)?;
        let own = Manifest {
            cuts: Vec::new(),
            ..manifest.clone()
        };
        own.save(io, directory)?;
        Ok(copied)
    }
}

/// Copies the first `bytes` of a file, or all, and syncs the copy.
pub(crate) fn copy(io: &dyn Io, from: &Path, to: &Path, bytes: u64) -> Result<u64> {
    let source = io
        .open(from)
        .map_err(|error| storage::error("read", from, &error))?;
    copy_open(io, &*source, from, to, bytes)
}

/// As [`copy`], from a file that is open.
pub(crate) fn copy_open(
    io: &dyn Io,
    source: &dyn File,
    from: &Path,
    to: &Path,
    bytes: u64,
) -> Result<u64> {
    let length = source
        .len()
        .map_err(|error| storage::error("read", from, &error))?
        .min(bytes);
    let target = io
        .create(to)
        .map_err(|error| storage::error("write", to, &error))?;
    let mut block = vec![0; COPY_STEP_BYTES];
    let mut at = 0;
    while at < length {
        let step = (length - at).min(COPY_STEP_BYTES as u64) as usize;
        source
            .read_at(at, &mut block[..step])
            .map_err(|error| storage::error("read", from, &error))?;
        target
            .write_at(at, &[IoSlice::new(&block[..step])])
            .map_err(|error| storage::error("write", to, &error))?;
        at += step as u64;
    }
    target
        .sync_data()
        .map_err(|error| storage::error("sync", to, &error))?;
    Ok(length)
}
