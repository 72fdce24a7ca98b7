//! Where calls that block run, so that they never stall the runtime: on the thread that read the
//! request as long as others are left for everybody else, otherwise on a thread of their own.
//! `docs/decisions/0012-where-calls-run.md` says why.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{JoinHandle, park, sleep};
use std::time::Duration;

use nearfield_model::{Error, Result};
use tokio::runtime::Handle;

/// How long a call may keep the only thread that looks at the sockets.
const LONG: Duration = Duration::from_millis(1);
/// So often the guard looks for long calls after the last one began, before it sleeps.
const LOOKS: usize = 20;

/// Who waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The only request of the connection of this number.
    Alone(u64),
    /// One of several requests of a connection, of which the others must not wait for this one.
    Shared,
}

/// Counts the runtime's threads that are inside a call.
#[derive(Debug)]
pub(crate) struct Turns {
    shared: Arc<Shared>,
    inside_max: usize,
    guard: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    runtime: Handle,
    inside: AtomicUsize,
    /// Calls that began on a thread of the runtime.
    begun: AtomicUsize,
    /// The connection that called last.
    last: AtomicU64,
    guard_sleeps: AtomicBool,
    is_over: AtomicBool,
}

impl Turns {
    /// Of the `threads` of the runtime all but one may be inside a call.
    pub(crate) fn new(threads: usize, runtime: &Handle) -> Result<Self> {
        let shared = Arc::new(Shared {
            runtime: runtime.clone(),
            inside: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            guard_sleeps: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let guarded = Arc::clone(&shared);
        let guard = std::thread::Builder::new()
            .name("nearfield-guard".to_owned())
            .spawn(move || guarded.guard())
            .map_err(|error| Error::internal(format!("no threads: {error}")))?;
        Ok(Turns {
            shared,
            inside_max: threads.saturating_sub(1),
            guard: Some(guard),
        })
    }

    /// Runs work that may block.
    pub(crate) fn run<T>(&self, caller: Caller, work: impl FnOnce() -> T) -> T {
        let Caller::Alone(connection) = caller else {
            return tokio::task::block_in_place(work);
        };
        let (before, inside) = self.enter();
        if before >= self.inside_max {
            drop(inside);
            return tokio::task::block_in_place(work);
        }
        self.notice(connection);
        work()
    }

    /// Waits for work of a connection that runs on this thread as well, some of which may block.
    pub(crate) async fn watch<F: Future>(&self, connection: u64, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            let (_, _inside) = self.enter();
            self.notice(connection);
            work.as_mut().poll(context)
        })
        .await
    }

    /// Counts a call in, and tells how many there were before.
    fn enter(&self) -> (usize, Inside<'_>) {
        let before = self.shared.inside.fetch_add(1, Ordering::Relaxed);
        (before, Inside(&self.shared.inside))
    }

    /// Has others look at the sockets while a call runs: at once if there is more than one
    /// caller, otherwise if it lasts.
    fn notice(&self, connection: u64) {
        let shared = &*self.shared;
        shared.begun.fetch_add(1, Ordering::SeqCst);
        if shared.last.swap(connection, Ordering::Relaxed) != connection {
            shared.relieve();
        }
        if shared.guard_sleeps.swap(false, Ordering::SeqCst) {
            self.wake_guard();
        }
    }

    fn wake_guard(&self) {
        if let Some(guard) = &self.guard {
            guard.thread().unpark();
        }
    }
}

impl Shared {
    /// Has a thread of the runtime look at the sockets that until then slept: those that sleep
    /// are woken for new tasks, not for sockets.
    fn relieve(&self) {
        drop(self.runtime.spawn(async {}));
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Relieves the threads that stay inside a call for long. It sleeps while there are none.
    fn guard(&self) {
        let mut relieved = 0;
        while !self.is_over() {
            let mut seen = self.begun.load(Ordering::Relaxed);
            let mut looks = 0;
            while looks < LOOKS && !self.is_over() {
                sleep(LONG);
                let begun = self.begun.load(Ordering::Relaxed);
                if begun != seen {
                    (seen, looks) = (begun, 0);
                    continue;
                }
                looks += 1;
                if self.inside.load(Ordering::Relaxed) > 0 && relieved != begun {
                    relieved = begun;
                    self.relieve();
                }
            }
            self.guard_sleeps.store(true, Ordering::SeqCst);
            // A call that began before could not see it.
            let rests = self.begun.load(Ordering::SeqCst) == seen;
            while rests && self.guard_sleeps.load(Ordering::Acquire) && !self.is_over() {
                park();
            }
            self.guard_sleeps.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.wake_guard();
        // A guard that panicked guards no more; nothing waits for it.
        let _ended = self.guard.take().map(JoinHandle::join);
    }
}

struct Inside<'a>(&'a AtomicUsize);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
