//! Where a shared store is: its folder, the socket in it, and what tells it from others.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nearfield_engine::io::{Io, RealIo};
use nearfield_engine::storage_error;
use nearfield_model::{Error, ErrorKind, Result};

use crate::network_folder;

/// The socket's name in the folder of a store.
const SOCKET: &str = "socket";

/// The folder of a store. It keeps its meaning when the process changes its directory.
#[derive(Debug)]
pub(crate) struct Place {
    root: PathBuf,
    /// Kept open, so that the number of the folder is not given to another one.
    folder: File,
    identity: Identity,
}

/// What tells one folder from another, by whatever path they are reached.
pub(crate) type Identity = (u64, u64);

impl Place {
    /// The folder at `path`, which is made if `create` says so.
    ///
    /// # Errors
    /// `NotFound` if it is not there, `Storage` if it cannot be made or opened, `Unsupported` on
    /// a network file system.
    pub(crate) fn find(path: &Path, create: bool) -> Result<Place> {
        if create {
            RealIo::new()
                .create_directory(path)
                .map_err(|error| match error.kind() {
                    // A file where a folder was to be made.
                    io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
                    _ => error,
                })
                .map_err(|error| storage_error("make", path, &error))?;
        }
        let root = path
            .canonicalize()
            .map_err(|error| unusable(path, &error))?;
        let folder = File::open(&root).map_err(|error| unusable(path, &error))?;
        network_folder::refuse(&folder, path)?;
        let metadata = folder.metadata().map_err(|error| unusable(path, &error))?;
        if !metadata.is_dir() {
            return Err(unusable(path, &io::ErrorKind::NotADirectory.into()));
        }
        Ok(Place {
            root,
            folder,
            identity: (metadata.dev(), metadata.ino()),
        })
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What tells it from others.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether this process may make files here.
    pub(crate) fn may_be_written(&self) -> bool {
        let writing = rustix::fs::Access::WRITE_OK;
        rustix::fs::accessat(&self.folder, ".", writing, rustix::fs::AtFlags::EACCESS).is_ok()
    }

    /// The socket of the store's owner.
    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join(SOCKET)
    }
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(
            ErrorKind::NotFound,
            format!(
                "there is no store at {}; check the path, or import something first",
                path.display()
            ),
        ),
        _ => storage_error("open", path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_has_one_identity_by_all_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let link = folder.path().join("link");
        let place = Place::find(&store, true).unwrap();
        std::os::unix::fs::symlink(&store, &link).unwrap();
        let linked = Place::find(&link, false).unwrap();
        assert_eq!(linked.identity(), place.identity());
        assert_eq!(linked.root(), place.root());
        let other = Place::find(&folder.path().join("other"), true).unwrap();
        assert_ne!(other.identity(), place.identity());
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let kind = |path: &Path, create| Place::find(path, create).unwrap_err().kind();
        assert_eq!(kind(&file, false), ErrorKind::Storage);
        assert_eq!(kind(&file, true), ErrorKind::Storage);
        assert_eq!(
            kind(&folder.path().join("none"), false),
            ErrorKind::NotFound
        );
    }
}
