//! The gate in front of the engine, for all doors: it opens once the store is open, bounds the
//! calls under way, and closes when the server ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use nearfield_model::{Context, Error, ErrorKind, Request, Response, Result, Service};

/// A [`Service`] that refuses what the one behind it should not be asked: more calls at once
/// than were allowed (`Overloaded`), calls before it is open or after it was stopped
/// (`Unavailable`).
pub struct Limited {
    service: OnceLock<Arc<dyn Service>>,
    calls_max: usize,
    under_way: AtomicUsize,
    stopped: AtomicBool,
}

impl Limited {
    /// A gate that is closed until [`open`](Self::open).
    pub fn closed(calls_max: usize) -> Self {
        Limited {
            service: OnceLock::new(),
            calls_max,
            under_way: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// A gate in front of a service that is ready.
    pub fn new(service: Arc<dyn Service>, calls_max: usize) -> Self {
        let limited = Limited::closed(calls_max);
        limited.open(service);
        limited
    }

    /// Lets calls through to `service`. The first service stays.
    pub fn open(&self, service: Arc<dyn Service>) {
        // A gate opens once; a second service would be another store.
        let _first = self.service.set(service);
    }

    /// Refuses all calls from here on; those under way go on.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Whether calls are let through.
    pub fn is_ready(&self) -> bool {
        self.service.get().is_some() && !self.stopped.load(Ordering::Acquire)
    }

    /// The calls under way.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }
}

impl Service for Limited {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        let before = self.under_way.fetch_add(1, Ordering::AcqRel);
        let _leaving = Leaving(&self.under_way);
        if self.stopped.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the server is ending; retry in a moment",
            ));
        }
        if before >= self.calls_max {
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!("{before} calls are under way, as many as are allowed; retry in a moment"),
            ));
        }
        match self.service.get() {
            Some(service) => service.call(context, request),
            None => Err(Error::new(
                ErrorKind::Unavailable,
                "the store is being opened; retry in a moment",
            )),
        }
    }
}

/// Counts a call out, whichever way it ends.
struct Leaving<'a>(&'a AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
