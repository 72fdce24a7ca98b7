//! Watches the owner: its hang-up and its death wake whoever waits for it.

use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use nearfield_model::{Error, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{SendFlags, Shutdown};

use super::sleepers::Sleepers;
use crate::descriptor::Descriptor;
use crate::platform::{HANG_UP, NO_SIGNAL};
use crate::signal::Signal;

/// After the owner's end, waiters are woken again and again until none waits.
const AGAIN: Duration = Duration::from_millis(1);

/// What is known of the owner, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct State {
    is_gone: AtomicBool,
    control: Mutex<Option<Arc<Descriptor>>>,
    sockets: Mutex<Vec<Weak<Descriptor>>>,
    /// Threads that sleep in shared memory.
    pub(super) sleepers: Sleepers,
}

impl State {
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }

    /// Has a socket hung up when the owner is gone.
    pub(super) fn add(&self, socket: &Arc<Descriptor>) {
        let mut sockets = lock(&self.sockets);
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(socket));
        drop(sockets);
        // The end may have come in between.
        if self.is_gone() {
            hang_up(socket);
        }
    }

    /// Tells the owner that nobody waits for a call through shared memory any more.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "it is for calls through shared memory")
    )]
    pub(super) fn cancel(&self, call: u64) {
        if let Some(control) = &*lock(&self.control) {
            let flags = NO_SIGNAL | SendFlags::DONTWAIT;
            // An owner that does not read ends the call by its own deadline.
            let _ = rustix::net::send(control.as_fd(), &call.to_le_bytes(), flags);
        }
    }

    fn end(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        for socket in lock(&self.sockets).iter().filter_map(Weak::upgrade) {
            hang_up(&socket);
        }
        while self.sleepers.wake() {
            std::thread::sleep(AGAIN);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hang_up(socket: &Descriptor) {
    // A socket whose other end is gone already is not connected any more.
    let _ = rustix::net::shutdown(socket.as_fd(), Shutdown::Both);
}

/// A thread that watches.
#[derive(Debug)]
pub(super) struct Watch {
    state: Arc<State>,
    stop: Arc<Signal>,
    generation: u64,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the other end of `control`, and what tells the end of its process.
    pub(super) fn start(
        state: Arc<State>,
        control: Arc<Descriptor>,
        end: Option<Descriptor>,
    ) -> Result<Watch> {
        let stop = Arc::new(Signal::new()?);
        *lock(&state.control) = Some(Arc::clone(&control));
        let (watched, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("nearfield-watch".to_owned())
            .spawn(move || {
                wait_for_end(&control, end.as_ref(), &stopped);
                watched.end();
            })
            .map_err(|error| Error::internal(format!("no thread: {error}")))?;
        Ok(Watch {
            generation: crate::fork::generation(),
            state,
            stop,
            thread: Some(thread),
        })
    }

    /// Takes the owner for gone, before its hang-up is noticed here.
    pub(super) fn end(&self) {
        self.state.is_gone.store(true, Ordering::SeqCst);
        self.stop.send();
    }

    /// Whether the owner is there, and this is the process that knows it.
    pub(super) fn is_alive(&self) -> bool {
        !self.state.is_gone() && self.generation == crate::fork::generation()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.generation != crate::fork::generation() {
            // The thread is not in this process.
            std::mem::forget(self.thread.take());
            return;
        }
        self.stop.send();
        // A watch that panicked watches no more; nothing waits for it.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Returns when the other end hung up, its process ended, or nobody wants to know any more.
fn wait_for_end(control: &Descriptor, end: Option<&Descriptor>, stop: &Signal) {
    let mut polled = vec![
        PollFd::new(control, HANG_UP),
        PollFd::new(stop, PollFlags::IN),
    ];
    polled.extend(end.map(|end| PollFd::new(end, PollFlags::IN)));
    loop {
        match poll(&mut polled, None) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            // What cannot be watched cannot be trusted to be there.
            _ => return,
        }
    }
}
