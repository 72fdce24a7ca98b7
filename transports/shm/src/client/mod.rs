//! A guest: a service that stands on the owner of a store, in another process of this machine.

mod answer;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(not(target_os = "linux"))]
#[path = "no_memory.rs"]
mod memory;
mod patience;
#[cfg(target_os = "linux")]
mod pieces;
mod settings;
#[cfg(target_os = "linux")]
mod sleepers;
#[cfg(not(target_os = "linux"))]
#[path = "no_sleepers.rs"]
mod sleepers;
mod sockets;
mod watch;

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nearfield_model::{
    Context, Error, ErrorKind, Request, Reserved, Response, Result, Service, check_reserved,
};

use self::memory::Memory;
use self::patience::Patience;
use self::sockets::Sockets;
use self::watch::{State, Watch};
use crate::address;
use crate::handshake::{Hello, Mode};
use crate::peer::Peer;
use crate::time::after;

pub use self::settings::Settings;

/// Whether this platform has shared memory of the kind that is needed: memory that its other
/// holder cannot shorten.
pub const HAS_MEMORY: bool = cfg!(target_os = "linux");

/// A client of the owner of a store. Threads share it.
///
/// It does not connect again: once the owner is gone, every call fails with `Unavailable`. In a
/// forked child it is of no use either, and says the same.
pub struct Client {
    settings: Settings,
    owner: Peer,
    watch: Watch,
    sockets: Sockets,
    memory: Option<Box<Memory>>,
    next_call: AtomicU64,
}

impl Client {
    /// Connects to the owner that listens at a socket. Where one of the two gets no memory to
    /// share, as under limits of a process, all goes over the socket.
    ///
    /// # Errors
    /// `Unavailable` if no process answers there, `Forbidden` if it does not take this user,
    /// `Unsupported` if it is of another version.
    pub fn connect(socket: &Path, mut settings: Settings) -> Result<Client> {
        settings.memory &= HAS_MEMORY;
        match Client::join(socket, settings.clone()) {
            Err(error) if settings.memory && error.kind() == ErrorKind::OutOfMemory => {
                settings.memory = false;
                Client::join(socket, settings)
            }
            joined => joined,
        }
    }

    fn join(socket: &Path, settings: Settings) -> Result<Client> {
        let until = after(settings.connect_timeout);
        let stream = address::connect_by(socket, until)?;
        let owner = Peer::of(&stream)?;
        owner.check_owner(socket)?;
        let mut guest = [0; 16];
        getrandom::fill(&mut guest)
            .map_err(|error| Error::internal(format!("no random bytes: {error}")))?;
        let state = Arc::new(State::default());
        let shared = match settings.memory {
            true => Some(Memory::make(Arc::clone(&state))?),
            false => None,
        };
        let (memory, descriptor) = shared.unzip();
        let mut hello = Hello {
            mode: Mode::Frames,
            guest,
            program: settings.program.clone(),
        };
        if memory.is_some() {
            hello.mode = Mode::Memory;
        }
        let descriptor = descriptor.as_ref().map(AsFd::as_fd);
        let control = sockets::greet(stream, &hello, descriptor, until)?;
        hello.mode = Mode::Frames;
        Ok(Client {
            sockets: Sockets::new(socket, hello, Arc::clone(&state)),
            watch: Watch::start(state, control, owner.end())?,
            memory: memory.map(Box::new),
            settings,
            owner,
            next_call: AtomicU64::new(1),
        })
    }

    /// Whether the owner is there, as far as is known.
    pub fn is_alive(&self) -> bool {
        self.watch.is_alive()
    }

    /// The owner's number, if this process sees it.
    pub fn owner_pid(&self) -> Option<u32> {
        self.owner.pid
    }

    fn gone(&self) -> Error {
        let owner = self
            .owner
            .pid
            .map_or(String::new(), |pid| format!(" (process {pid})"));
        Error::new(
            ErrorKind::Unavailable,
            format!("the owner of the store{owner} is gone"),
        )
    }
}

impl Service for Client {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        context.check()?;
        request.check()?;
        if !self.is_alive() {
            return Err(self.gone());
        }
        let patience = Patience::new(context, &request, self.settings.timeout);
        let call = self.next_call.fetch_add(1, Ordering::Relaxed);
        let answered = match &self.memory {
            Some(memory) => memory.call(context, &request, call, &patience),
            None => self.sockets.call(context, &request, call, &patience),
        };
        answered.map_err(|lost| match patience.end(&lost) {
            Some(error) => error,
            None => {
                // One more connection may be refused by an owner that lives.
                if lost.kind() != std::io::ErrorKind::ConnectionRefused {
                    self.watch.end();
                }
                self.gone()
            }
        })?
    }

    fn reserve(&self, components: usize) -> Result<Box<dyn Reserved>> {
        match &self.memory {
            Some(memory) if self.is_alive() => memory.reserve(components),
            _ => {
                check_reserved(components)?;
                Ok(Box::new(vec![0.0; components]))
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("owner", &self.owner)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
