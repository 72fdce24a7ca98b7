//! Paths that this process has open, each once, whatever their names.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nearfield_engine::Options;
use nearfield_model::{Error, Result};

use crate::entrance::{Entrance, Way};
use crate::per_process::PerProcess;
use crate::place::{Identity, Place};
use crate::remote::Remote;
use crate::shared::Shared;

type Paths = Mutex<BTreeMap<Identity, Weak<Shared>>>;

static OPEN: PerProcess<Paths> = PerProcess::new();

/// Opens a path that processes share. If this process has it open already, with whatever
/// options, that is what comes back.
///
/// # Errors
/// Those of [`Place::find`] and [`Entrance::enter`].
pub(crate) fn open(path: &Path, options: Options, remote: &Remote) -> Result<Arc<Shared>> {
    let place = Place::find(path, options.create)?;
    let identity = place.identity();
    let entrance = Entrance::new(Way::Share(place), options, remote, true);
    let shared = OPEN.with(
        || Ok(Paths::default()),
        |open| {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(shared) = open.get(&identity).and_then(Weak::upgrade) {
                return Ok(shared);
            }
            open.retain(|_, shared| shared.strong_count() > 0);
            let shared = Arc::new(Shared::new(entrance)?);
            open.insert(identity, Arc::downgrade(&shared));
            Ok(shared)
        },
    )?;
    shared.enter()?;
    Ok(shared)
}

/// Opens a path for this process alone.
///
/// # Errors
/// `Locked` if somebody has it, and as [`open`].
pub(crate) fn open_alone(path: &Path, options: Options, remote: &Remote) -> Result<Arc<Shared>> {
    let place = Place::find(path, options.create)?;
    enter(Entrance::new(Way::Alone(place), options, remote, true))
}

/// Joins the owner of a path, by shared memory if `memory` says so and else over the socket
/// alone. The path is the folder of a store, or a socket.
///
/// # Errors
/// `Unavailable` if there is no owner.
pub(crate) fn join(
    path: &Path,
    options: Options,
    remote: &Remote,
    memory: bool,
) -> Result<Arc<Shared>> {
    let path = std::path::absolute(path)
        .map_err(|error| Error::invalid(format!("{}: {error}", path.display())))?;
    enter(Entrance::new(Way::Join(path), options, remote, memory))
}

fn enter(entrance: Entrance) -> Result<Arc<Shared>> {
    let shared = Shared::new(entrance)?;
    shared.enter()?;
    Ok(Arc::new(shared))
}
