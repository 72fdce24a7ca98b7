//! The owner's side: answers the guests that connect to a socket.

mod call;
mod connection;
mod frames;
mod guest;
mod link;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(not(target_os = "linux"))]
#[path = "no_memory.rs"]
mod memory;
mod settings;
mod shared;
mod watcher;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use nearfield_model::{Error, Result, Service};

use self::shared::Shared;
use crate::address;

pub use self::guest::GuestReport;
pub use self::settings::Settings;

/// How long threads may take to see that the server is gone.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers guests until it is dropped. Then no more calls are taken, those under way are answered
/// within [`Settings::drain_timeout`], the socket's file is removed, and everybody is hung up on. A
/// guest that stands still in the middle of its call is not waited for.
pub struct Server {
    shared: Arc<Shared>,
    socket: PathBuf,
    generation: u64,
    watcher: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `socket`, and answers with `service`. A socket that is there already is replaced:
    /// the caller holds the store's lock, so its owner is gone.
    ///
    /// # Errors
    /// `Storage` if no socket can be made there.
    pub fn start(socket: &Path, service: Arc<dyn Service>, settings: Settings) -> Result<Server> {
        let listener = address::listen(socket, settings.group)?;
        let shared = Arc::new(Shared::new(service, settings)?);
        let watched = Arc::clone(&shared);
        let watcher = std::thread::Builder::new()
            .name("nearfield-owner".to_owned())
            .spawn(move || watcher::run(&watched, listener))
            .map_err(|error| Error::internal(format!("no threads: {error}")))?;
        Ok(Server {
            shared,
            socket: socket.to_owned(),
            generation: crate::fork::generation(),
            watcher: Some(watcher),
        })
    }

    /// The guests that are connected.
    pub fn guests(&self) -> Vec<GuestReport> {
        self.shared.guests.report()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.generation != crate::fork::generation() {
            // The threads are in the parent, and so is the socket.
            std::mem::forget(self.watcher.take());
            return;
        }
        // Nobody finds the socket from here on. It may be gone with its folder.
        let _ = std::fs::remove_file(&self.socket);
        self.shared.close();
        // A watcher that panicked watches no more; nothing waits for it.
        let _ended = self.watcher.take().map(JoinHandle::join);
        self.shared.wait_for_threads(FAREWELL);
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("socket", &self.socket)
            .field("guests", &self.guests())
            .finish_non_exhaustive()
    }
}
