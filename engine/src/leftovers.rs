//! What an opening finds in the folder of a store that no catalog names.

use std::path::{Path, PathBuf};

use nearfield_model::Result;

use crate::catalog::{Catalog, collections_directory, directory, snapshots_directory};
use crate::io::Io;
use crate::log::file::corruption;
use crate::storage;

/// Refuses a store whose collections are there and whose catalog is not: the catalog is made
/// before the first collection.
pub(crate) fn refuse_orphans(io: &dyn Io, root: &Path) -> Result<()> {
    let parent = collections_directory(root);
    let names = io
        .list(&parent)
        .map_err(|error| storage::error("list", &parent, &error))?;
    if names.iter().any(|name| is_numbered(name)) {
        return Err(corruption(
            &Catalog::path(root),
            0,
            "the catalog is missing though there are collections: it",
        ));
    }
    Ok(())
}

/// Whether a folder's name is that of a collection's folder.
fn is_numbered(name: &str) -> bool {
    name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Removes folders of collections that were dropped, or whose creation was cut short, and
/// snapshots that were.
pub(crate) fn remove_leftovers(io: &dyn Io, root: &Path, catalog: &Catalog) -> Result<()> {
    let unnamed = Catalog::path(root).with_extension("new");
    if io.exists(&unnamed).unwrap_or(false) {
        io.remove(&unnamed)
            .map_err(|error| storage::error("remove", &unnamed, &error))?;
    }
    let parent = collections_directory(root);
    let known: Vec<PathBuf> = catalog
        .collections
        .values()
        .map(|entry| directory(root, entry.directory))
        .collect();
    for name in io
        .list(&parent)
        .map_err(|error| storage::error("list", &parent, &error))?
    {
        let path = parent.join(&name);
        if is_numbered(&name) && !known.contains(&path) {
            io.remove_directory(&path)
                .map_err(|error| storage::error("remove", &path, &error))?;
        }
    }
    let snapshots = snapshots_directory(root);
    if io.exists(&snapshots).unwrap_or(false) {
        for name in io
            .list(&snapshots)
            .map_err(|error| storage::error("list", &snapshots, &error))?
        {
            let path = snapshots.join(&name);
            if name.ends_with(".partial") {
                io.remove_directory(&path)
                    .map_err(|error| storage::error("remove", &path, &error))?;
            }
        }
    }
    Ok(())
}
