//! One thread that waits for all that happens from outside: guests come, hang up, die.

use std::os::unix::net::UnixListener;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::connection;
use super::link::Link;
use super::shared::{STILL, Shared};
use crate::descriptor::Descriptor;
use crate::platform::{HANG_UP, prepare};

/// Connections at once, at most; one more is hung up on.
const CONNECTIONS_MAX: usize = 4_096;
/// How long nobody is let in after that failed, for want of descriptors or threads.
const PAUSE: Duration = Duration::from_millis(50);

/// Lets guests in and watches them, until the server closes; then waits for the calls under way,
/// and hangs up on everybody.
pub(super) fn run(shared: &Arc<Shared>, listener: UnixListener) {
    let listener = Listener::new(listener);
    while !shared.is_closing() {
        let links = links(shared);
        let happened = wait(shared, &listener, &links);
        for (link, is_over) in links.iter().zip(happened.ends) {
            if is_over {
                link.hang_up();
                remove(shared, link);
            }
        }
        if happened.knocked && !let_in(shared, &listener) {
            std::thread::sleep(PAUSE);
        }
    }
    drop(listener);
    drain(shared);
    links(shared).iter().for_each(|link| link.hang_up());
}

/// Waits for the calls under way.
fn drain(shared: &Shared) {
    let timeout = shared.settings.drain_timeout;
    let first = timeout.min(STILL);
    if !shared.wait_for_calls(first) {
        // Who has not sent all of its request by then sends it to the next owner.
        links(shared).iter().for_each(|link| link.take_no_more());
        shared.wait_for_calls(timeout - first);
    }
}

/// The socket that guests knock at, closed in forked children as the others are.
struct Listener {
    socket: UnixListener,
    _registration: crate::fork::Registration,
}

impl Listener {
    fn new(socket: UnixListener) -> Self {
        use std::os::fd::AsRawFd as _;
        Listener {
            _registration: crate::fork::close_in_child(socket.as_raw_fd()),
            socket,
        }
    }
}

fn links(shared: &Shared) -> Vec<Arc<Link>> {
    let links = shared.links.lock().unwrap_or_else(PoisonError::into_inner);
    links.clone()
}

/// Ends a connection and watches it no longer.
pub(super) fn end(shared: &Shared, link: &Arc<Link>) {
    link.hang_up();
    remove(shared, link);
    shared.signal.send();
}

fn remove(shared: &Shared, link: &Arc<Link>) {
    let mut links = shared.links.lock().unwrap_or_else(PoisonError::into_inner);
    links.retain(|other| !Arc::ptr_eq(other, link));
}

/// Watches a connection from its first words on: who says nothing keeps no thread and no store
/// when the server closes. False if there are too many.
fn add(shared: &Shared, link: &Arc<Link>) -> bool {
    let mut links = shared.links.lock().unwrap_or_else(PoisonError::into_inner);
    let has_room = links.len() < CONNECTIONS_MAX;
    if has_room {
        links.push(Arc::clone(link));
    }
    has_room
}

/// What a wait ended with.
struct Happened {
    knocked: bool,
    /// For each connection, whether it is at its end.
    ends: Vec<bool>,
}

fn wait(shared: &Shared, listener: &Listener, links: &[Arc<Link>]) -> Happened {
    let mut polled = vec![
        PollFd::new(&shared.signal, PollFlags::IN),
        PollFd::new(&listener.socket, PollFlags::IN),
    ];
    let has_memory: Vec<bool> = links.iter().map(|link| link.has_memory()).collect();
    for (link, has_memory) in links.iter().zip(&has_memory) {
        // Through the socket of one that shares memory come numbers of calls to abandon.
        let its = match has_memory {
            true => HANG_UP | PollFlags::IN,
            false => HANG_UP,
        };
        polled.push(PollFd::new(&*link.socket, its));
        // Where nothing tells the process's end, the socket is asked twice.
        polled.push(match link.end() {
            Some(end) => PollFd::new(end, PollFlags::IN),
            None => PollFd::new(&*link.socket, HANG_UP),
        });
    }
    match poll(&mut polled, None) {
        Ok(_) | Err(Errno::INTR) => {}
        // For want of memory, say: a pause, so as not to spin.
        Err(_) => std::thread::sleep(PAUSE),
    }
    shared.signal.clear();
    let watched = links.iter().zip(has_memory);
    let ends = polled[2..]
        .chunks(2)
        .zip(watched)
        .map(|(pair, (link, has_memory))| {
            let only_words = pair[0].revents() == PollFlags::IN && pair[1].revents().is_empty();
            let is_quiet = pair.iter().all(|polled| polled.revents().is_empty());
            !(is_quiet || has_memory && only_words && link.abandon_calls())
        });
    Happened {
        knocked: !polled[1].revents().is_empty(),
        ends: ends.collect(),
    }
}

/// Gives each guest that knocks a thread; false if that is not possible at the moment.
fn let_in(shared: &Arc<Shared>, listener: &Listener) -> bool {
    loop {
        let stream = match listener.socket.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return false,
        };
        if prepare(&stream).is_err() {
            // It is gone again.
            continue;
        }
        let link = Arc::new(Link::new(Descriptor::new(stream)));
        if !add(shared, &link) {
            continue;
        }
        let serving = shared.add_thread();
        let spawned = std::thread::Builder::new()
            .name("nearfield-guest".to_owned())
            .spawn({
                let link = Arc::clone(&link);
                move || connection::serve(serving, &link)
            });
        if spawned.is_err() {
            remove(shared, &link);
            return false;
        }
    }
}
