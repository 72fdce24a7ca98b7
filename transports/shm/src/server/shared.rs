//! What all threads of a server share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use nearfield_model::{Error, ErrorKind, Result, Service};

use super::guest::Guests;
use super::link::Link;
use super::settings::Settings;
use crate::signal::Signal;

/// How long a guest may stand still in the middle of a call once the server closes: send nothing of
/// its request, or take nothing of its answer.
pub(super) const STILL: Duration = Duration::from_millis(200);

/// The service, its guests, and what is under way.
pub(super) struct Shared {
    pub(super) service: Arc<dyn Service>,
    pub(super) settings: Settings,
    pub(super) guests: Guests,
    /// The connections that are watched.
    pub(super) links: Mutex<Vec<Arc<Link>>>,
    /// Has the watcher look again.
    pub(super) signal: Signal,
    is_closing: AtomicBool,
    inside: AtomicUsize,
    /// Threads that serve connections.
    threads: Mutex<usize>,
    quiet: Condvar,
}

impl Shared {
    pub(super) fn new(service: Arc<dyn Service>, settings: Settings) -> Result<Self> {
        Ok(Shared {
            service,
            settings,
            guests: Guests::default(),
            links: Mutex::default(),
            signal: Signal::new()?,
            is_closing: AtomicBool::new(false),
            inside: AtomicUsize::new(0),
            threads: Mutex::new(0),
            quiet: Condvar::new(),
        })
    }

    /// Whether no more calls are taken.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }

    /// Takes no more calls.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.signal.send();
    }

    /// Counts a call in.
    ///
    /// # Errors
    /// `Unavailable` if no more calls are taken.
    pub(super) fn enter(&self) -> Result<Inside<'_>> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let inside = Inside(self);
        if self.is_closing() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the owner of the store is closing it; retry",
            ));
        }
        Ok(inside)
    }

    /// Waits until no call is under way; false if there is one after all that time.
    pub(super) fn wait_for_calls(&self, timeout: Duration) -> bool {
        self.wait(timeout, |_| self.inside.load(Ordering::SeqCst) == 0)
    }

    /// Waits until no thread serves a connection.
    pub(super) fn wait_for_threads(&self, timeout: Duration) {
        self.wait(timeout, |threads| *threads == 0);
    }

    /// Past the timeout what is under way is left alone.
    fn wait(&self, timeout: Duration, is_over: impl Fn(&usize) -> bool) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .quiet
            .wait_timeout_while(threads, timeout, |threads| !is_over(threads));
        let (_threads, result) = waited.unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }

    /// Counts a thread in.
    pub(super) fn add_thread(self: &Arc<Self>) -> Serving {
        *self.threads.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Serving(Arc::clone(self))
    }
}

/// A call under way.
pub(super) struct Inside<'s>(&'s Shared);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let shared = self.0;
        if shared.inside.fetch_sub(1, Ordering::SeqCst) == 1 && shared.is_closing() {
            drop(shared.threads.lock());
            shared.quiet.notify_all();
        }
    }
}

/// A thread that serves.
pub(super) struct Serving(pub(super) Arc<Shared>);

impl Drop for Serving {
    fn drop(&mut self) {
        let shared = &self.0;
        *shared
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner) -= 1;
        shared.quiet.notify_all();
    }
}
