//! Where the parts of other languages are: beside the program, or in the source tree that it was
//! built in.

use std::path::{Path, PathBuf};

/// The source tree that holds the program, if there is one.
pub(super) fn root(program: &Path) -> Option<PathBuf> {
    let is_root =
        |folder: &&Path| folder.join("bindings").is_dir() && folder.join("engine").is_dir();
    program.ancestors().find(is_root).map(Path::to_owned)
}

/// The first of some files that is there.
pub(super) fn first(files: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    files.into_iter().find(|file| file.is_file())
}

/// When the newest file below a folder was written; files that are built are passed over.
pub(super) fn newest(folder: &Path) -> Option<std::time::SystemTime> {
    let mut newest = None;
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        let time = match entry.file_type().ok()?.is_dir() {
            true if path.ends_with("target") => None,
            true => self::newest(&path),
            false => entry.metadata().ok().and_then(|data| data.modified().ok()),
        };
        newest = newest.max(time);
    }
    newest
}
