//! A process that has joined the owner of a shared path.

use std::path::Path;
use std::time::Instant;

use nearfield_model::{Context, Error, ErrorKind, Request, Reserved, Response, Result, Service};
use nearfield_shm::client::{Client, Settings};

/// The way to the owner.
#[derive(Debug)]
pub(crate) struct Guest {
    client: Client,
}

impl Guest {
    /// Joins who listens at `socket`; `None` if nobody does, or lets nobody in by `until`.
    ///
    /// # Errors
    /// `Unsupported` if the owner is of another version, `Forbidden` if it lets this user not in.
    pub(crate) fn join(
        socket: &Path,
        settings: &Settings,
        until: Instant,
    ) -> Result<Option<Guest>> {
        match Guest::insist(socket, settings, until) {
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(None),
            joined => joined.map(Some),
        }
    }

    /// Joins who listens at `socket`.
    ///
    /// # Errors
    /// `Unavailable` with the reason if nobody does, or lets nobody in by `until`; and as
    /// [`join`](Self::join).
    pub(crate) fn insist(socket: &Path, settings: &Settings, until: Instant) -> Result<Guest> {
        let mut settings = settings.clone();
        let left = until.saturating_duration_since(Instant::now());
        settings.connect_timeout = settings.connect_timeout.min(left);
        let client = Client::connect(socket, settings)?;
        Ok(Guest { client })
    }

    /// Sends a request to the owner.
    ///
    /// # Errors
    /// `Unavailable` if the owner has gone, and those of the request.
    pub(crate) fn call(&self, context: &Context, mut request: Request<'_>) -> Result<Response> {
        if let Request::Snapshot(snapshot) = &mut request {
            let destination = snapshot.destination.take();
            snapshot.destination = destination.map(as_seen_from_here).transpose()?;
        }
        self.client.call(context, request).map_err(|error| {
            if error.kind() != ErrorKind::DeadlineExceeded || !self.is_alive() {
                return error;
            }
            let advice = match self.client.owner_pid() {
                Some(pid) => format!("process {pid}, which has the store, did not answer in time: it has much to do, or is stopped, in which case `kill -CONT {pid}` lets it go on, and another process takes over once it is ended"),
                None => "the process that has the store, in another container, did not answer in time: it has much to do, or is stopped; another takes over once it is ended".to_owned(),
            };
            Error::new(
                ErrorKind::DeadlineExceeded,
                format!("{}; {advice}", error.message()),
            )
        })
    }

    /// Memory that the owner takes vectors from.
    ///
    /// # Errors
    /// As [`Service::reserve`].
    pub(crate) fn reserve(&self, components: usize) -> Result<Box<dyn Reserved>> {
        self.client.reserve(components)
    }

    /// Whether the owner has not hung up.
    pub(crate) fn is_alive(&self) -> bool {
        self.client.is_alive()
    }
}

/// A path that means the same to the owner, which may work in another folder.
///
/// # Errors
/// `InvalidArgument` if it is no path, or if this folder's name is no text, as paths in requests are.
fn as_seen_from_here(path: String) -> Result<String> {
    let absolute = std::path::absolute(&path)
        .map_err(|error| {
            Error::invalid(format!("the destination is not a path: {error}"))
                .in_field("destination")
        })?
        .into_os_string();
    absolute.into_string().map_err(|absolute| {
        let absolute = absolute.display();
        Error::invalid(format!("{absolute} is not UTF-8; name another place"))
            .in_field("destination")
    })
}
