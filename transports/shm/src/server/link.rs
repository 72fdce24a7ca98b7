//! One connection of a guest: what hangs up when either side ends.

use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nearfield_model::Cancellation;
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown};

use crate::descriptor::Descriptor;

/// Wakes threads.
struct Wake(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wake")
    }
}

/// A connection that is watched.
#[derive(Debug)]
pub(super) struct Link {
    /// Shared with the thread that reads from it.
    pub(super) socket: Arc<Descriptor>,
    /// Tells the end of the guest's process, once that was let in.
    end: OnceLock<Descriptor>,
    has_memory: AtomicBool,
    is_over: AtomicBool,
    /// Wakes threads that sleep elsewhere than at the socket.
    wake: OnceLock<Wake>,
    /// Abandons the calls under way.
    cancellations: Mutex<Vec<(u64, Cancellation)>>,
}

impl Link {
    /// A connection of somebody who was not let in yet.
    pub(super) fn new(socket: Descriptor) -> Self {
        Link {
            socket: Arc::new(socket),
            end: OnceLock::new(),
            has_memory: AtomicBool::new(false),
            wake: OnceLock::new(),
            is_over: AtomicBool::new(false),
            cancellations: Mutex::default(),
        }
    }

    /// Takes note of who was let in: what tells its end, and whether it shares memory.
    pub(super) fn admit(&self, end: Option<Descriptor>, has_memory: bool) {
        if let Some(end) = end {
            // It is let in once.
            let _new = self.end.set(end);
        }
        self.has_memory.store(has_memory, Ordering::SeqCst);
    }

    /// Tells the end of the guest's process.
    pub(super) fn end(&self) -> Option<&Descriptor> {
        self.end.get()
    }

    /// Whether the socket carries no frames, as they go through shared memory.
    pub(super) fn has_memory(&self) -> bool {
        self.has_memory.load(Ordering::SeqCst)
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
        if let Some(Wake(wake)) = self.wake.get() {
            wake();
        }
    }

    /// Takes no more frames from the socket than were sent already. What is sent of one that has not come
    /// to its end is in vain.
    pub(super) fn take_no_more(&self) {
        if !self.has_memory() {
            // It is not connected any more if the guest has gone.
            let _ = rustix::net::shutdown(self.socket.as_fd(), Shutdown::Read);
        }
    }

    /// Sets what wakes threads when the connection ends, once.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "it is for calls through shared memory")
    )]
    pub(super) fn at_end(&self, wake: impl Fn() + Send + Sync + 'static) {
        let wake = self.wake.get_or_init(|| Wake(Box::new(wake)));
        // The end may have come in between.
        if self.is_over() {
            wake.0();
        }
    }

    /// Reads numbers of calls to abandon; false if that is not what comes.
    pub(super) fn abandon_calls(&self) -> bool {
        let mut words = [0; 8 * 64];
        let read = rustix::net::recv(self.socket.as_fd(), &mut words[..], RecvFlags::DONTWAIT);
        let count = match read {
            Ok((count, _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return true,
            Err(_) => 0,
        };
        let (numbers, rest) = words[..count].as_chunks::<8>();
        if numbers.is_empty() || !rest.is_empty() {
            return false;
        }
        let calls = self.lock();
        for number in numbers {
            let number = u64::from_le_bytes(*number);
            let its = calls.iter().filter(|(call, _)| *call == number);
            its.for_each(|(_, cancellation)| cancellation.cancel());
        }
        true
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
