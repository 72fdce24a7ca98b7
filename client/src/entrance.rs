//! How a process enters a shared path: it joins the owner, or takes the lock and is the owner.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearfield_engine::{Holder, Options};
use nearfield_model::{Context, Error, ErrorKind, Result};
use nearfield_shm::client::Settings;

use crate::guest::Guest;
use crate::owner::Owner;
use crate::participants::Participants;
use crate::place::Place;
use crate::remote::Remote;
use crate::shared::Role;

/// Pauses between two tries, from the first to the longest.
const PAUSES: [Duration; 2] = [Duration::from_micros(500), Duration::from_millis(10)];
/// Whoever waits for longer waits for ever.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);
/// How long the lock file may still tell of the holder before.
const STALE_MAX: Duration = Duration::from_millis(200);

/// Ways into a path.
#[derive(Debug)]
pub(crate) enum Way {
    /// Owner or guest, as it comes.
    Share(Place),
    /// Owner without guests.
    Alone(Place),
    /// Guest, of an owner that listens in this folder or at this socket.
    Join(PathBuf),
}

/// What is needed to enter.
#[derive(Debug)]
pub(crate) struct Entrance {
    way: Way,
    options: Options,
    settings: Settings,
    timeout: Duration,
    /// Whether this process has been a guest here.
    has_joined: AtomicBool,
}

impl Entrance {
    /// The way in, with the settings of the engine, should it be opened here, and of the
    /// connection to an owner. `memory` tells whether to share memory with it.
    pub(crate) fn new(way: Way, mut options: Options, remote: &Remote, memory: bool) -> Self {
        let mut settings = Settings::default();
        settings.memory = memory;
        settings.program.clone_from(&options.program);
        settings.timeout = remote.timeout;
        options.shared = matches!(way, Way::Share(_));
        Entrance {
            way,
            options,
            settings,
            timeout: remote.timeout,
            has_joined: AtomicBool::new(false),
        }
    }

    /// When a search for an owner that begins now is over.
    pub(crate) fn until(&self, context: &Context) -> Instant {
        let latest = || Instant::now() + self.timeout.min(TIMEOUT_MAX);
        context.deadline.unwrap_or_else(latest)
    }

    /// Who shares the path, as its owner tells.
    ///
    /// # Errors
    /// Those of [`Participants::ask`].
    pub(crate) fn participants(&self) -> Result<Participants> {
        let timeout = self.settings.connect_timeout;
        match &self.way {
            Way::Share(place) | Way::Alone(place) => {
                Participants::ask(Some(place.root()), &place.socket(), timeout)
            }
            Way::Join(path) if path.is_dir() => {
                let place = Place::find(path, false)?;
                Participants::ask(Some(place.root()), &place.socket(), timeout)
            }
            Way::Join(socket) => Participants::ask(None, socket, timeout),
        }
    }

    /// The folder, if this is one that this process may own.
    pub(crate) fn root(&self) -> Option<&Path> {
        match &self.way {
            Way::Share(place) | Way::Alone(place) => Some(place.root()),
            Way::Join(_) => None,
        }
    }

    /// Enters, and waits until `until` for an owner that is about to let others in.
    ///
    /// # Errors
    /// `Locked` if the holder lets nobody in; `Unavailable` if it did not in time, or if there is
    /// no owner to join; and those of [`Owner::open`] and [`Guest::join`].
    pub(crate) fn enter(&self, context: &Context, until: Instant) -> Result<Arc<Role>> {
        let started = Instant::now();
        let mut pause = PAUSES[0];
        loop {
            let failure = match self.try_enter(until)? {
                Entered::As(role) => return Ok(role),
                Entered::Refused(failure) if started.elapsed() > STALE_MAX => return Err(failure),
                Entered::Refused(failure) | Entered::NotYet(failure) => failure,
            };
            context.check()?;
            if Instant::now() + pause >= until {
                return Err(failure);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    fn try_enter(&self, until: Instant) -> Result<Entered> {
        match &self.way {
            Way::Share(place) => self.share(place, until),
            Way::Alone(place) => Owner::open(place, &self.options).map(Entered::owner),
            Way::Join(path) => self.join(path, until),
        }
    }

    fn share(&self, place: &Place, until: Instant) -> Result<Entered> {
        let holder = Holder::of(place.root());
        // Where the lock's file was removed, an owner may be there all the same.
        let joined = match holder.is_none_or(|holder| holder.shared) {
            true => Guest::join(&place.socket(), &self.settings, until),
            false => Ok(None),
        };
        if let Ok(Some(guest)) = joined {
            self.has_joined.store(true, Ordering::Relaxed);
            return Ok(Entered::guest(guest));
        }
        // Whatever refuses this one has the lock, or it is no owner.
        let opened = Owner::open(place, &self.options);
        let locked = match (opened, joined) {
            (Ok(owner), _) => return Ok(Entered::owner(owner)),
            (Err(error), Err(refused)) if error.kind() != ErrorKind::Corruption => {
                return Err(refused);
            }
            (Err(error), _) if error.kind() == ErrorKind::Locked => error,
            (Err(error), _) if place.may_be_written() => return Err(error),
            (Err(error), _) => return self.wait_for_an_owner(place, &error),
        };
        Ok(match Holder::of(place.root()) {
            Some(holder) if !holder.shared => Entered::Refused(locked),
            Some(holder) => Entered::NotYet(not_let_in(place.root(), &holder)),
            None => Entered::NotYet(Error::new(ErrorKind::Unavailable, locked.message())),
        })
    }

    /// A process that may not write can be a guest alone. If it has been one, another owner
    /// may come.
    fn wait_for_an_owner(&self, place: &Place, error: &Error) -> Result<Entered> {
        let root = place.root().display();
        let error = Error::new(
            error.kind(),
            format!(
                "{}; this process may not write there, but can join one that may: `nearfield serve \
                 {root}`",
                error.message()
            ),
        );
        match self.has_joined.load(Ordering::Relaxed) {
            true => Ok(Entered::NotYet(error)),
            false => Err(error),
        }
    }

    fn join(&self, path: &Path, until: Instant) -> Result<Entered> {
        let joined = match path.is_dir() {
            true => Guest::insist(&Place::find(path, false)?.socket(), &self.settings, until),
            false => Guest::insist(path, &self.settings, until),
        };
        match joined {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                Ok(Entered::NotYet(no_owner(path, &error)))
            }
            joined => joined.map(Entered::guest),
        }
    }
}

/// What a try came to.
enum Entered {
    As(Arc<Role>),
    /// The holder lets nobody in.
    Refused(Error),
    /// Who holds the lock may let others in soon.
    NotYet(Error),
}

impl Entered {
    fn guest(guest: Guest) -> Self {
        Entered::As(Arc::new(Role::Guest(Box::new(guest))))
    }

    fn owner(owner: Owner) -> Self {
        Entered::As(Arc::new(Role::Owner(owner)))
    }
}

fn no_owner(path: &Path, reason: &Error) -> Error {
    let path = path.display();
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "no process lets this one join {path}: {}; if none has it, open it by its path alone, \
             without a scheme, or start one that has it: `nearfield serve {path}`",
            reason.message()
        ),
    )
}

fn not_let_in(root: &Path, holder: &Holder) -> Error {
    let Holder { pid, program, .. } = holder;
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "{} is held by process {pid} ({program}), which did not let this one in: it is still \
             opening the store, or stopped; wait and try again, let it go on (`kill -CONT {pid}`), \
             or end it",
            root.display()
        ),
    )
}
