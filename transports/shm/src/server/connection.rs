//! A connection from its first words on.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use nearfield_model::{Error, Result};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::guest::Guest;
use super::link::Link;
use super::memory::{self, Region};
use super::shared::{Serving, Shared};
use super::{frames, watcher};
use crate::descriptor::Descriptor;
use crate::handshake::{self, Hello, Mode};
use crate::look;
use crate::peer::Peer;

/// Serves a connection to its end.
pub(super) fn serve(serving: Serving, link: &Arc<Link>) {
    let shared = Arc::clone(&serving.0);
    let (guest, peer, region) = match admit(&shared, &link.socket) {
        Some(Admitted::Guest(guest, peer, region)) => (guest, peer, region),
        Some(Admitted::Looker) => {
            // Who does not wait for the answer does not need it.
            let _hung_up = look::tell(&shared.guests.report(), &link.socket);
            return watcher::end(&shared, link);
        }
        None => return watcher::end(&shared, link),
    };
    link.admit(peer.end(), region.is_some());
    shared.signal.send();
    match region {
        Some(region) => memory::serve(serving, guest, link, region),
        None => {
            frames::serve(&shared, &guest, link);
            watcher::end(&shared, link);
        }
    }
}

/// Who was let in.
enum Admitted {
    Guest(Arc<Guest>, Peer, Option<Region>),
    /// One who wants to know who the guests are.
    Looker,
}

/// Takes the first words and answers them.
fn admit(shared: &Shared, socket: &Descriptor) -> Option<Admitted> {
    set_socket_timeout(socket, Timeout::Recv, Some(handshake::TIMEOUT)).ok()?;
    set_socket_timeout(socket, Timeout::Send, Some(handshake::TIMEOUT)).ok()?;
    let greeted = greet(shared, socket);
    let admitted = greeted.as_ref().map(|_| ()).map_err(Error::clone);
    handshake::welcome(socket, &admitted).ok()?;
    set_socket_timeout(socket, Timeout::Recv, None).ok()?;
    set_socket_timeout(socket, Timeout::Send, None).ok()?;
    greeted.ok()
}

fn greet(shared: &Shared, socket: &Descriptor) -> Result<Admitted> {
    let peer = Peer::of(socket.as_fd())?;
    peer.check(shared.settings.group)?;
    let (hello, descriptors) = Hello::receive(socket)?;
    let region = match hello.mode {
        Mode::Look => return Ok(Admitted::Looker),
        Mode::Frames => None,
        Mode::Memory => Some(open(descriptors)?),
    };
    let guest = shared.guests.admit(&hello, peer);
    if region.is_some() {
        guest.shares_memory();
    }
    Ok(Admitted::Guest(guest, peer, region))
}

fn open(mut descriptors: Vec<OwnedFd>) -> Result<Region> {
    match (descriptors.pop(), descriptors.is_empty()) {
        (Some(memory), true) => Region::open(&memory),
        _ => Err(Error::invalid("one piece of memory has to come along")),
    }
}
