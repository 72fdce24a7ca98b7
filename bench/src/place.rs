//! Where stores and files of a run are: on a real disk, and gone afterwards.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Result;
use crate::machine::file_system;

/// A folder that goes with this value.
#[derive(Debug)]
pub(crate) struct Place(TempDir);

impl Place {
    /// A folder inside `path`, by default inside the target folder that this program is in.
    ///
    /// # Errors
    /// If it cannot be made, or lies in memory: that is no disk to measure.
    pub(crate) fn make(path: Option<&Path>) -> Result<Place> {
        let parent = match path {
            Some(path) => path.to_owned(),
            None => target_folder()?,
        };
        fs::create_dir_all(&parent)?;
        let place = Place(
            tempfile::Builder::new()
                .prefix("nearfield-bench-")
                .tempdir_in(parent)?,
        );
        match file_system(place.path()).as_deref() {
            Some(kind @ ("tmpfs" | "ramfs")) => {
                Err(format!("the folder is on {kind}; give one on a disk with --path").into())
            }
            _ => Ok(place),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path inside that does not exist: what a leg before left there is removed, and the
    /// disk has written all it was given.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        self.settle()?;
        Ok(path)
    }

    /// Waits until the disk has all that was written to the file system.
    pub(crate) fn settle(&self) -> Result<()> {
        Ok(rustix::fs::syncfs(File::open(self.path())?)?)
    }
}

/// The folder `release` or `debug` that this program was built into, or the one it is in.
fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().ok_or("this program is in no folder")?;
    Ok(folder.join("bench"))
}
