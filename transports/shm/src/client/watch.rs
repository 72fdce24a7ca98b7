//! Watches the owner: its hang-up and its death wake whoever waits for it.

use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use nearfield_model::{Error, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::net::Shutdown;

use crate::descriptor::Descriptor;

/// What is known of the owner, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct State {
    is_gone: AtomicBool,
    sockets: Mutex<Vec<Weak<Descriptor>>>,
}

impl State {
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }

    /// Has a socket hung up when the owner is gone.
    pub(super) fn add(&self, socket: &Arc<Descriptor>) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(socket));
        drop(sockets);
        // The end may have come in between.
        if self.is_gone() {
            hang_up(socket);
        }
    }

    fn end(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            hang_up(&socket);
        }
    }
}

fn hang_up(socket: &Descriptor) {
    // A socket whose other end is gone already is not connected any more.
    let _ = rustix::net::shutdown(socket.as_fd(), Shutdown::Both);
}

/// A thread that watches.
#[derive(Debug)]
pub(super) struct Watch {
    state: Arc<State>,
    stop: Arc<Descriptor>,
    generation: u64,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the other end of `control`, and what tells the end of its process.
    pub(super) fn start(control: Arc<Descriptor>, end: Option<Descriptor>) -> Result<Watch> {
        let no_watch = |error: std::io::Error| Error::internal(format!("no watch: {error}"));
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(|error| no_watch(error.into()))?;
        let stop = Arc::new(Descriptor::new(stop));
        let state = Arc::new(State::default());
        let (watched, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("nearfield-watch".to_owned())
            .spawn(move || {
                wait_for_end(&control, end.as_ref(), &stopped);
                watched.end();
            })
            .map_err(no_watch)?;
        Ok(Watch {
            generation: crate::fork::generation(),
            state,
            stop,
            thread: Some(thread),
        })
    }

    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
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
        // The counter is far from full, so this does not fail.
        let _ = rustix::io::write(self.stop.as_fd(), &1_u64.to_ne_bytes());
        // A watch that panicked watches no more; nothing waits for it.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Returns when the other end hung up, its process ended, or nobody wants to know any more.
fn wait_for_end(control: &Descriptor, end: Option<&Descriptor>, stop: &Descriptor) {
    let mut polled = vec![
        PollFd::new(control, PollFlags::RDHUP),
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
