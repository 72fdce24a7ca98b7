//! A connection whose frames go over its socket.

use std::sync::Arc;

use nearfield_model::limits::FRAME_BYTES_MAX;
use nearfield_model::{Error, Stage};

use super::call::{Call, Desk};
use super::guest::Guest;
use super::link::Link;
use super::shared::Shared;
use crate::codec::{Fault, Source};
use crate::frame::RequestHead;
use crate::stream::Stream;
use crate::time::now_ns;

/// Answers requests until the guest hangs up.
pub(super) fn serve(shared: &Shared, guest: &Guest, link: &Link) {
    let mut source = Source::new(Stream::new(Arc::clone(&link.socket)));
    let mut desk = Desk::default();
    while answer(shared, guest, link, &mut source, &mut desk).is_ok() && !link.is_over() {
        desk.tidy();
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
