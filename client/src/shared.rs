//! A path that processes share: this one is its owner or a guest, and becomes the one or the
//! other when the owner goes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use nearfield_model::{
    Context, Error, ErrorKind, Request, Reserved, Response, Result, Rights, Service, Stage,
    StageClock, check_reserved,
};

use crate::entrance::Entrance;
use crate::guest::Guest;
use crate::owner::Owner;
use crate::participants::Participants;
use crate::per_process::PerProcess;
use crate::writer::Writer;

/// Pauses between two tries of one call, from the first to the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];
/// How long a thread that waits for another's entering looks at its own cancellation last.
const GLANCE: Duration = Duration::from_millis(20);

/// What this process is on a shared path.
#[derive(Debug)]
pub(crate) enum Role {
    /// It has the engine.
    Owner(Owner),
    /// It asks the owner.
    Guest(Box<Guest>),
}

impl Role {
    fn is_over(&self) -> bool {
        match self {
            Role::Owner(_) => false,
            Role::Guest(guest) => !guest.is_alive(),
        }
    }
}

/// The service behind a path.
#[derive(Debug)]
pub(crate) struct Shared {
    // A child of a fork has no role of its parent's, and finds one of its own.
    state: PerProcess<State>,
    writer: Writer,
    entrance: Entrance,
}

#[derive(Debug)]
struct State {
    role: ArcSwapOption<Role>,
    /// Whether a thread is entering for all.
    is_entering: Mutex<bool>,
    entered: Condvar,
}

impl Shared {
    /// A path that this process has not entered yet.
    ///
    /// # Errors
    /// `Internal` if the operating system gives no random bytes.
    pub(crate) fn new(entrance: Entrance) -> Result<Self> {
        Ok(Shared {
            state: PerProcess::new(),
            writer: Writer::new()?,
            entrance,
        })
    }

    /// Makes sure that this process has a role.
    ///
    /// # Errors
    /// Those of [`Entrance::enter`].
    pub(crate) fn enter(&self) -> Result<()> {
        self.state.with(State::new, |state| {
            let context = Context::default();
            let until = self.entrance.until(&context);
            self.role(state, &context, until).map(|_| ())
        })
    }

    /// Who shares the path.
    ///
    /// # Errors
    /// `Unavailable` if the owner has gone or does not answer.
    pub(crate) fn participants(&self) -> Result<Participants> {
        self.state.with(State::new, |state| {
            let context = Context::default();
            let until = self.entrance.until(&context);
            loop {
                let role = self.role(state, &context, until)?;
                let failure = match &*role {
                    Role::Owner(owner) => {
                        return Ok(Participants::of(self.entrance.root(), owner.guests()));
                    }
                    Role::Guest(_) => match self.entrance.participants() {
                        Err(error) if error.kind() == ErrorKind::Unavailable => error,
                        told => return told,
                    },
                };
                // If the owner has gone, that is noticed by then, and there is another to ask.
                std::thread::sleep(GLANCE);
                if !role.is_over() || Instant::now() >= until {
                    return Err(failure);
                }
            }
        })
    }

    /// The role of this process, which it looks for if it has none or its owner has gone.
    fn role(&self, state: &State, context: &Context, until: Instant) -> Result<Arc<Role>> {
        let mut is_entering = state.lock();
        loop {
            let role = state.role.load_full();
            if let Some(role) = role.filter(|role| !role.is_over()) {
                return Ok(role);
            }
            if !*is_entering {
                break;
            }
            context.check()?;
            if Instant::now() >= until {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the owner of the store has gone and no other was found in time; try again",
                ));
            }
            let waited = state.entered.wait_timeout(is_entering, GLANCE);
            is_entering = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *is_entering = true;
        drop(is_entering);
        let _turn = Turn(state);
        // A guest of nobody goes first, or it would stay until the call that noticed is over.
        state.role.store(None);
        let role = self.entrance.enter(context, until)?;
        state.role.store(Some(Arc::clone(&role)));
        Ok(role)
    }

    /// Asks the owner, whoever it is in the end.
    fn ask(&self, state: &State, context: &Context, request: &Request<'_>) -> Result<Response> {
        let mut until = self.entrance.until(context);
        let mut pause = PAUSES[0];
        loop {
            let role = match state.role.load_full() {
                Some(role) if !role.is_over() => role,
                _ => self.role(state, context, until)?,
            };
            let guest = match &*role {
                Role::Owner(owner) => return owner.engine().call(context, request.borrowed()),
                Role::Guest(guest) => guest,
            };
            let asked = Instant::now();
            match guest.call(context, request.borrowed()) {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    context.check()?;
                    if context.deadline.is_none() {
                        // The search for the next owner began when this one was lost.
                        until += asked.elapsed();
                    }
                    if Instant::now() + pause >= until {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            }
            // An owner that is ending refuses calls before it hangs up.
            state.leave(&role);
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES[1]);
        }
    }
}

impl Service for Shared {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        self.state.with(State::new, |state| {
            if let Some(Role::Owner(owner)) = state.role.load().as_deref() {
                return owner.engine().call(context, request);
            }
            if context.request_id.is_some() || request.right() == Rights::Read {
                return self.ask(state, context, &request);
            }
            // So that a try at the next owner is known for one.
            let numbered = Context {
                deadline: context.deadline,
                cancellation: context.cancellation.clone(),
                request_id: Some(self.writer.next()?),
                rights: context.rights,
                stages: StageClock::default(),
            };
            let outcome = self.ask(state, &numbered, &request);
            for stage in Stage::ALL {
                context.stages.add(stage, numbered.stages.get(stage));
            }
            outcome
        })
    }

    fn reserve(&self, components: usize) -> Result<Box<dyn Reserved>> {
        self.state.with(State::new, |state| {
            let context = Context::default();
            let until = self.entrance.until(&context);
            match &*self.role(state, &context, until)? {
                Role::Owner(owner) => owner.engine().reserve(components),
                Role::Guest(guest) => match guest.reserve(components) {
                    // Any memory will do for who comes next.
                    Err(error) if error.kind() == ErrorKind::Unavailable => {
                        check_reserved(components)?;
                        Ok(Box::new(vec![0.0; components]))
                    }
                    reserved => reserved,
                },
            }
        })
    }
}

impl State {
    fn new() -> Result<Self> {
        Ok(State {
            role: ArcSwapOption::empty(),
            is_entering: Mutex::new(false),
            entered: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_entering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a role up, unless that was done and there is another.
    fn leave(&self, role: &Arc<Role>) {
        self.role.compare_and_swap(role, None);
    }
}

/// The turn to enter; the next one has it when this is dropped.
struct Turn<'s>(&'s State);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.lock() = false;
        self.0.entered.notify_all();
    }
}
