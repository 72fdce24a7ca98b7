//! The process that has the engine of a shared path, and lets others in.

use std::any::Any;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use nearfield_engine::io::RealIo;
use nearfield_engine::{Engine, Options};
use nearfield_model::Result;
use nearfield_shm::fork;
use nearfield_shm::server::{Server, Settings};

use crate::place::Place;

/// The engine of a path, and the socket at which guests ask it.
#[derive(Debug)]
pub(crate) struct Owner {
    /// Goes first: guests look for another owner while the engine closes.
    _server: Option<Server>,
    engine: Arc<Engine>,
}

impl Owner {
    /// Takes the lock on a path and opens its engine; guests are let in if `options.shared`.
    ///
    /// # Errors
    /// `Locked` if another has the lock, and those of [`Engine::open`].
    pub(crate) fn open(place: &Place, options: &Options) -> Result<Owner> {
        let io = Arc::new(RealIo::watching_locks(close_in_child));
        let engine = Arc::new(Engine::open_with(io, place.root(), options.clone())?);
        let server = match options.shared {
            true => Some(Server::start(
                &place.socket(),
                engine.clone(),
                Settings::default(),
            )?),
            false => None,
        };
        Ok(Owner {
            _server: server,
            engine,
        })
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// A forked child shares its parent's lock, and would keep it when the parent is gone.
fn close_in_child(lock: BorrowedFd<'_>) -> Box<dyn Any + Send + Sync> {
    Box::new(fork::close_in_child(lock.as_raw_fd()))
}
