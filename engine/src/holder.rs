//! The lock on a store's path, and what it tells about who holds it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use nearfield_model::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::io::{Io, Lock, LockOutcome};
use crate::options::Options;
use crate::storage;

const FILE_NAME: &str = "lock";

/// Who holds a store, as its lock file tells others.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    program: String,
    /// Seconds since 1970.
    since: u64,
    /// The boot of the machine in which it was written.
    boot: [u8; 16],
}

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Held {
    _lock: Box<dyn Lock>,
    /// Whether the machine has not restarted since the last holder.
    pub(crate) same_boot: bool,
}

/// Locks the store at `root` for this process.
///
/// # Errors
/// `Locked` if another holder has it, named in the message.
pub(crate) fn lock(io: &dyn Io, root: &Path, options: &Options) -> Result<Held> {
    let path = root.join(FILE_NAME);
    let boot = io.boot_id();
    let since = io
        .wall_clock()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let holder = Holder {
        pid: std::process::id(),
        program: options.program.clone(),
        since: since.as_secs(),
        boot,
    };
    let text = serde_json::to_vec(&holder)
        .map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
    match io
        .lock(&path, &text)
        .map_err(|error| storage::error("lock", &path, &error))?
    {
        LockOutcome::Held { lock, previous } => {
            let previous: Option<Holder> = serde_json::from_slice(&previous).ok();
            let same_boot = boot != [0; 16] && previous.is_some_and(|holder| holder.boot == boot);
            Ok(Held {
                _lock: lock,
                same_boot,
            })
        }
        LockOutcome::Busy { holder } => Err(busy(root, &holder, since)),
    }
}

fn busy(root: &Path, holder: &[u8], now: Duration) -> Error {
    let root = root.display();
    let message = match serde_json::from_slice::<Holder>(holder) {
        Ok(holder) => {
            let whose = if holder.pid == std::process::id() {
                "this process, "
            } else {
                "process "
            };
            format!(
                "{root} is held by {whose}{} ({}), for {} s; close it there first, or use another path",
                holder.pid,
                holder.program,
                now.as_secs().saturating_sub(holder.since)
            )
        }
        Err(_) => {
            format!("{root} is held by another process; close it there first, or use another path")
        }
    };
    Error::new(ErrorKind::Locked, message)
}
