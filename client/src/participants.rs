//! Who shares a path.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nearfield_engine::Holder;
use nearfield_model::Result;
use nearfield_shm::look;
use nearfield_shm::server::GuestReport;

/// The processes that share a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participants {
    /// The one that has the engine, if its folder can be seen from here.
    pub owner: Option<Participant>,
    /// Those that have joined it, in the order in which they came.
    pub guests: Vec<Participant>,
}

/// A process that shares a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// Its number, as the owner sees it: that means nothing in another container. `None` if the
    /// owner does not see it.
    pub pid: Option<u32>,
    /// What it says it is, such as `nearfield import`.
    pub program: String,
    /// When it came.
    pub since: SystemTime,
    /// Requests that a guest has sent.
    pub requests: u64,
    /// Vectors that a guest has sent, to be stored or to search with.
    pub vectors: u64,
}

impl Participants {
    /// Asks the owner at a socket.
    ///
    /// # Errors
    /// `Unavailable` if it has gone or does not answer in time.
    pub(crate) fn ask(root: Option<&Path>, socket: &Path, timeout: Duration) -> Result<Self> {
        Ok(Participants::of(root, look::guests(socket, timeout)?))
    }

    /// The guests that the owner tells of, and the owner of the folder `root`.
    pub(crate) fn of(root: Option<&Path>, guests: Vec<GuestReport>) -> Self {
        Participants {
            owner: root.and_then(Holder::of).map(Participant::from),
            guests: guests.into_iter().map(Participant::from).collect(),
        }
    }
}

impl From<Holder> for Participant {
    fn from(holder: Holder) -> Self {
        Participant {
            pid: Some(holder.pid),
            program: holder.program,
            since: UNIX_EPOCH + Duration::from_secs(holder.since),
            requests: 0,
            vectors: 0,
        }
    }
}

impl From<GuestReport> for Participant {
    fn from(guest: GuestReport) -> Self {
        Participant {
            pid: guest.pid,
            program: guest.program,
            since: guest.since,
            requests: guest.requests,
            vectors: guest.vectors,
        }
    }
}
