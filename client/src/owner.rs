//! The process that has the engine of a shared path, and lets others in.

use std::any::Any;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use nearfield_engine::io::RealIo;
use nearfield_engine::{Engine, Options};
use nearfield_model::{ErrorKind, Result};
use nearfield_shm::fork;
use nearfield_shm::server::{GuestReport, Server, Settings};

use crate::place::Place;

/// The engine of a path, and the socket at which guests ask it.
#[derive(Debug)]
pub(crate) struct Owner {
    /// Goes first: guests look for another owner while the engine closes.
    server: Option<Server>,
    engine: Arc<Engine>,
}

impl Owner {
    /// Takes the lock on a path and opens its engine; guests are let in if `options.shared`, and
    /// if the folder's file system has sockets: some that show folders of another system
    /// to a container have none.
    ///
    /// # Errors
    /// `Locked` if another has the lock, and those of [`Engine::open`].
    pub(crate) fn open(place: &Place, options: &Options) -> Result<Owner> {
        let engine = open_engine(place, options)?;
        if !options.shared {
            return Ok(Owner {
                server: None,
                engine,
            });
        }
        let mut settings = Settings::default();
        settings.group = options.shared_with_group;
        let server = match Server::start(&place.socket(), engine.clone(), settings) {
            Ok(server) => Some(server),
            Err(error) if error.kind() == ErrorKind::Storage => {
                // The lock file says that others may join, and they wait.
                engine.not_shared();
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Owner { server, engine })
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Those that have joined.
    pub(crate) fn guests(&self) -> Vec<GuestReport> {
        self.server.as_ref().map_or(Vec::new(), Server::guests)
    }
}

fn open_engine(place: &Place, options: &Options) -> Result<Arc<Engine>> {
    let io = Arc::new(RealIo::watching_locks(close_in_child));
    Engine::open_with(io, place.root(), options.clone()).map(Arc::new)
}

/// A forked child shares its parent's lock, and would keep it when the parent is gone.
fn close_in_child(lock: BorrowedFd<'_>) -> Box<dyn Any + Send + Sync> {
    Box::new(fork::close_in_child(lock.as_raw_fd()))
}
