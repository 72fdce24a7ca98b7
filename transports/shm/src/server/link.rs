//! One connection of a guest: what hangs up when either side ends.

use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nearfield_model::Cancellation;
use rustix::net::Shutdown;

use crate::descriptor::Descriptor;

/// A connection that is watched.
#[derive(Debug)]
pub(super) struct Link {
    /// Shared with the thread that reads from it.
    pub(super) socket: Arc<Descriptor>,
    /// Tells the end of the guest's process.
    pub(super) end: Option<Descriptor>,
    is_over: AtomicBool,
    /// Abandons the calls under way.
    cancellations: Mutex<Vec<(u64, Cancellation)>>,
}

impl Link {
    pub(super) fn new(socket: Arc<Descriptor>, end: Option<Descriptor>) -> Self {
        Link {
            socket,
            end,
            is_over: AtomicBool::new(false),
            cancellations: Mutex::default(),
        }
    }

    /// Whether the guest is gone, or is to go.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Ends the connection: nothing more is read from it, and what is under way is abandoned.
    pub(super) fn hang_up(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        // A socket whose other end is gone already is not connected any more.
        let _ = rustix::net::shutdown(self.socket.as_fd(), Shutdown::Both);
        for (_, cancellation) in self.lock().iter() {
            cancellation.cancel();
        }
    }

    /// Lets a call be abandoned until what is returned is dropped.
    pub(super) fn begin(&self, call: u64) -> UnderWay<'_> {
        let cancellation = Cancellation::default();
        self.lock().push((call, cancellation.clone()));
        if self.is_over() {
            cancellation.cancel();
        }
        UnderWay {
            link: self,
            call,
            cancellation,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Cancellation)>> {
        self.cancellations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that can be abandoned.
pub(super) struct UnderWay<'l> {
    link: &'l Link,
    call: u64,
    pub(super) cancellation: Cancellation,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut calls = self.link.lock();
        if let Some(place) = calls.iter().position(|(call, _)| *call == self.call) {
            calls.swap_remove(place);
        }
    }
}
