//! A connection whose frames go over its socket.

use std::sync::Arc;

use nearfield_model::limits::FRAME_BYTES_MAX;
use nearfield_model::{Error, Stage};

use super::call::{Call, Desk};
use super::guest::Guest;
use super::link::Link;
use super::shared::{STILL, Shared};
use crate::codec::{Fault, Source};
use crate::frame::RequestHead;
use crate::stream::Stream;
use crate::time::now_ns;

/// Answers requests until the guest hangs up.
pub(super) fn serve(shared: &Arc<Shared>, guest: &Guest, link: &Link) {
    let mut stream = Stream::new(Arc::clone(&link.socket));
    let closing = Arc::clone(shared);
    let go_on = move || match closing.is_closing() {
        true => Err(std::io::ErrorKind::TimedOut.into()),
        false => Ok(()),
    };
    if stream.ask_when_writing(STILL, go_on).is_err() {
        return;
    }
    let mut source = Source::new(stream);
    let mut desk = Desk::default();
    while answer(shared, guest, link, &mut source, &mut desk).is_ok() && !link.is_over() {
        desk.tidy();
    }
    if shared.is_closing() {
        // The guest takes the end of one connection for that of all, and may have calls under way.
        shared.wait_for_calls(shared.settings.drain_timeout);
    }
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
    let entered = shared.enter();
    let head = RequestHead::take(source)?;
    if head.length as usize > FRAME_BYTES_MAX {
        return Err(Fault::malformed("the request is too long"));
    }
    let under_way = link.begin(head.call);
    let call = Call {
        entered: entered.as_ref().map(|_| ()).map_err(Error::clone),
        service: &*shared.service,
        guest,
        head,
        seen_ns,
        cancellation: under_way.cancellation.clone(),
        reading: Stage::Decode,
        is_wanted: &|| true,
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
