//! Snapshots, and stores made from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearfield_model::{Context, Error, ErrorKind, Result, SnapshotTaken, check_collection_name};

use crate::catalog::{Catalog, Entry, directory};
use crate::collection::Collection;
use crate::collection::snapshot::{Copied, copy};
use crate::engine::Engine;
use crate::io::{Io, RealIo};
use crate::options::Options;
use crate::storage;

/// What the change that a snapshot was taken by is called.
const VERB: &str = "snapshot";

/// Copies a collection into a store of its own at `destination`, which must not exist, unless an
/// earlier try of this request made it. It is there whole or not at all. One at a time: two would
/// fill one folder, if they have one destination.
pub(crate) fn snapshot(
    io: &Arc<dyn Io>,
    context: &Context,
    collection: &Collection,
    destination: &Path,
) -> Result<SnapshotTaken> {
    let taken = |copied: Copied| SnapshotTaken {
        path: destination.display().to_string(),
        sequence: copied.sequence,
        count: copied.count,
        bytes: copied.bytes,
    };
    if let Some(copied) = earlier(&**io, context, &collection.name, destination) {
        return Ok(taken(copied));
    }
    let half_made = vacant(&**io, destination)?;
    let copied = (|| {
        let entry = Entry {
            directory: 1,
            mark: collection.place.collection,
            schema: collection.schema.clone(),
        };
        let folder = directory(&half_made, entry.directory);
        io.create_directory(&folder)
            .map_err(|error| storage::error("make", &folder, &error))?;
        let copied = collection.copy_to(context, &folder)?;
        let mut catalog = Catalog {
            next_directory: 2,
            ..Catalog::default()
        };
        catalog.collections.insert(collection.name.clone(), entry);
        if let Some(id) = &context.request_id {
            catalog.remember_copy(id, VERB, &collection.name, Some(copied));
        }
        catalog.save(&**io, &half_made)?;
        Ok(copied)
    })();
    finish(&**io, &half_made, destination, copied).map(taken)
}

/// What an earlier try of this request copied to `destination`: its answer may have been lost with
/// the owner who made it.
fn earlier(io: &dyn Io, context: &Context, collection: &str, destination: &Path) -> Option<Copied> {
    let id = context.request_id.as_ref()?;
    // Whatever else is there, whole or not, is none of ours.
    let catalog = Catalog::load(io, destination).ok()??;
    let change = catalog.earlier(id)?;
    let is_ours = change.verb == VERB && change.collection == collection;
    change.copied.filter(|_| is_ours)
}

/// Where a folder is made before it gets its name.
fn vacant(io: &dyn Io, destination: &Path) -> Result<PathBuf> {
    let fail = |error| storage::error("make", destination, &error);
    if io.exists(destination).map_err(fail)? {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            format!(
                "{} exists; choose a path that does not",
                destination.display()
            ),
        )
        .in_field("destination"));
    }
    let mut name = destination.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let half_made = destination.with_file_name(name);
    if io.exists(&half_made).map_err(fail)? {
        io.remove_directory(&half_made).map_err(fail)?;
    }
    io.create_directory(&half_made).map_err(fail)?;
    Ok(half_made)
}

/// Gives a folder its name, or removes it if it could not be filled.
fn finish<T>(io: &dyn Io, half_made: &Path, destination: &Path, filled: Result<T>) -> Result<T> {
    let parent = match destination.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let named = filled.and_then(|filled| {
        io.rename(half_made, destination)
            .and_then(|()| io.sync_directory(parent))
            .map(|()| filled)
            .map_err(|error| storage::error("make", destination, &error))
    });
    if named.is_err() {
        let _half_made = io.remove_directory(half_made);
    }
    named
}

/// Puts the collection of a snapshot into the store at `path`, which is made if there is none,
/// under `name` or the name that it had. Gives the name.
///
/// The snapshot is checked byte by byte on the way.
///
/// # Errors
/// `NotFound` if there is no snapshot, `Corruption` if it is damaged, `AlreadyExists` if the
/// store has a collection of that name, and those of [`Engine::open`].
pub fn restore(
    snapshot: &Path,
    path: &Path,
    name: Option<&str>,
    options: Options,
) -> Result<String> {
    let io: Arc<dyn Io> = Arc::new(RealIo::new());
    let source = Catalog::load(&*io, snapshot)?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "there is no snapshot at {}; check the path",
                snapshot.display()
            ),
        )
    })?;
    let mut entries = source.collections.into_iter();
    let (Some((old_name, entry)), None) = (entries.next(), entries.next()) else {
        return Err(Error::invalid(format!(
            "{} is not a snapshot of one collection; copy a whole store as a folder instead, while nobody has it open",
            snapshot.display()
        )));
    };
    let name = name.unwrap_or(&old_name).to_owned();
    check_collection_name(&name)?;
    let report = crate::doctor::doctor(snapshot, &options)?;
    if let Some(finding) = report.findings.iter().find(|finding| finding.is_fault) {
        return Err(Error::new(ErrorKind::Corruption, finding.message.clone()));
    }
    let engine = Engine::open(
        path,
        Options {
            background: false,
            shared: false,
            ..options
        },
    )?;
    engine.adopt(
        &name,
        entry.schema,
        &directory(snapshot, entry.directory),
        entry.mark,
    )?;
    Ok(name)
}

/// Copies all files of a folder.
pub(crate) fn copy_files(io: &dyn Io, from: &Path, to: &Path) -> Result<()> {
    let names = io
        .list(from)
        .map_err(|error| storage::error("list", from, &error))?;
    for name in names {
        copy(io, &from.join(&name), &to.join(&name), u64::MAX)?;
    }
    io.sync_directory(to)
        .map_err(|error| storage::error("sync", to, &error))
}
