//! The lock on a store's path, and what it tells about who holds it.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nearfield_model::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::io::{Io, Lock, LockOutcome, RealIo};
use crate::options::Options;
use crate::storage;

const FILE_NAME: &str = "lock";
/// A lock file that is longer was not written by us.
const BYTES_MAX: u64 = 1 << 16;

/// Who holds a store, or held it last, as its lock file tells others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// The process, by its number where it runs: that means nothing in another container.
    pub pid: u32,
    /// What the process says it is, such as `nearfield import`.
    pub program: String,
    /// When it took the lock, in seconds since 1970.
    pub since: u64,
    /// Whether it lets others join it.
    #[serde(default)]
    pub shared: bool,
    /// The boot of the machine in which the store was last opened to the end; zeros while it
    /// is being opened. What a recovery that was cut short left cannot be told from damage by
    /// the next one that trusts this.
    boot: [u8; 16],
}

impl Holder {
    /// Who holds the store at `root`, or held it last; `None` while that is being written, and
    /// where there is no store.
    pub fn of(root: &Path) -> Option<Holder> {
        let text = RealIo::new().read(&root.join(FILE_NAME), BYTES_MAX).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Held {
    _lock: Box<dyn Lock>,
    path: PathBuf,
    holder: Holder,
    previous_boot: [u8; 16],
    boot: [u8; 16],
    /// Whether the machine has not restarted since the store was last opened to the end.
    pub(crate) same_boot: bool,
}

impl Held {
    /// Notes that the store was opened to the end in this boot.
    pub(crate) fn opened(&mut self, io: &dyn Io) {
        self.note(io, self.boot);
    }

    /// Leaves behind what was found, as nothing was recovered.
    pub(crate) fn unchanged(&mut self, io: &dyn Io) {
        self.note(io, self.previous_boot);
    }

    /// Tells others that they are not let in after all.
    pub(crate) fn not_shared(&self, io: &dyn Io) {
        self.write(
            io,
            &Holder {
                shared: false,
                ..self.holder.clone()
            },
        );
    }

    fn note(&mut self, io: &dyn Io, boot: [u8; 16]) {
        self.holder.boot = boot;
        self.write(io, &self.holder);
    }

    /// If it cannot be written the next opening assumes a restart, which is always safe.
    fn write(&self, io: &dyn Io, holder: &Holder) {
        let Ok(text) = serde_json::to_vec(holder) else {
            return;
        };
        let _best_effort = io.open(&self.path).and_then(|file| {
            file.write_at(0, &[IoSlice::new(&text)])?;
            file.set_len(text.len() as u64)
        });
    }
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
        shared: options.shared,
        boot: [0; 16],
    };
    let text = serde_json::to_vec(&holder)
        .map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
    match io
        .lock(&path, &text)
        .map_err(|error| storage::error("lock", &path, &error))?
    {
        LockOutcome::Held { lock, previous } => {
            let previous: Option<Holder> = serde_json::from_slice(&previous).ok();
            let previous_boot = previous.map_or([0; 16], |holder| holder.boot);
            Ok(Held {
                _lock: lock,
                path,
                holder,
                previous_boot,
                boot,
                same_boot: boot != [0; 16] && previous_boot == boot,
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
                "{root} is held by {whose}{} ({}), {}for {} s; close it there first, or use another path",
                holder.pid,
                holder.program,
                if holder.shared {
                    ""
                } else {
                    "which does not share it, "
                },
                now.as_secs().saturating_sub(holder.since)
            )
        }
        Err(_) => {
            format!("{root} is held by another process; close it there first, or use another path")
        }
    };
    Error::new(ErrorKind::Locked, message)
}
