//! A connection whose frames go over its socket.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use nearfield_model::{Error, Result, Stage, limits};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::call::{Call, Desk};
use super::guest::Guest;
use super::link::Link;
use super::shared::Shared;
use super::watcher;
use crate::codec::{Fault, Source};
use crate::descriptor::Descriptor;
use crate::frame::RequestHead;
use crate::handshake::{self, Hello};
use crate::peer::Peer;
use crate::stream::Stream;
use crate::time::now_ns;

/// Serves a connection from its first words to its end.
pub(super) fn serve(shared: &Arc<Shared>, socket: Arc<Descriptor>) {
    let Some((guest, peer)) = admit(shared, &socket) else {
        return;
    };
    let link = Arc::new(Link::new(Arc::clone(&socket), peer.end()));
    watcher::add(shared, &link);
    let mut source = Source::new(Stream::new(socket));
    let mut desk = Desk::default();
    while answer(shared, &guest, &link, &mut source, &mut desk).is_ok() && !link.is_over() {
        desk.tidy();
    }
    link.hang_up();
    watcher::remove(shared, &link);
    shared.signal.send();
}

/// Takes the first words and answers them.
fn admit(shared: &Shared, socket: &Descriptor) -> Option<(Arc<Guest>, Peer)> {
    set_socket_timeout(socket, Timeout::Recv, Some(handshake::TIMEOUT)).ok()?;
    let greeted = greet(shared, socket);
    let admitted = greeted.as_ref().map(|_| ()).map_err(Error::clone);
    handshake::welcome(socket, &admitted).ok()?;
    set_socket_timeout(socket, Timeout::Recv, None).ok()?;
    greeted.ok()
}

fn greet(shared: &Shared, socket: &Descriptor) -> Result<(Arc<Guest>, Peer)> {
    let peer = Peer::of(socket.as_fd())?;
    peer.check(shared.settings.group)?;
    let (hello, _) = Hello::receive(socket)?;
    Ok((shared.guests.admit(&hello, peer), peer))
}

/// Answers the next request.
fn answer(
    shared: &Shared,
    guest: &Guest,
    link: &Link,
    source: &mut Source<Stream>,
    desk: &mut Desk,
) -> Result<(), Fault> {
    source.wait().map_err(Fault::Lost)?;
    let seen_ns = now_ns();
    let head = RequestHead::take(source)?;
    if head.length as usize > limits::FRAME_BYTES_MAX {
        return Err(Fault::malformed("the request is too long"));
    }
    let under_way = link.begin(head.call);
    let call = Call {
        shared,
        guest,
        head,
        seen_ns,
        cancellation: under_way.cancellation.clone(),
        reading: Stage::Decode,
    };
    let mut nowhere = |_, _: &mut Vec<f32>| {
        Err(Error::invalid(
            "this connection shares no memory that vectors could lie in",
        ))
    };
    let frame = call
        .answer(source, &mut nowhere, desk)
        .map_err(Fault::Lost)?;
    let written = source.raw().write([frame].into_iter());
    written.map_err(Fault::Lost)
}
