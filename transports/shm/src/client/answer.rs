//! What comes back of a call.

use std::io;

use nearfield_model::{Context, Error, Response, Result, Stage};

use crate::codec::{Fault, Raw, Source, decode_response, verb_name};
use crate::frame::ResponseHead;
use crate::time::{between, now_ns};

/// Takes the response to a call that was sent at `sent_ns`: the owner may be at it before the
/// caller waits.
pub(super) fn receive<R: Raw>(
    source: &mut Source<R>,
    context: &Context,
    call: u64,
    verb: u8,
    sent_ns: u64,
) -> io::Result<Result<Response>> {
    source.wait()?;
    let seen = now_ns();
    let head = match ResponseHead::take(source) {
        Ok(head) if head.call == call && head.verb == verb => head,
        Ok(_) | Err(Fault::Malformed(_)) => return Err(io::ErrorKind::InvalidData.into()),
        Err(Fault::Lost(error)) => return Err(error),
    };
    let answered = read_answer(source, &head)?;
    tell_stages(&head, context, sent_ns, seen);
    Ok(answered)
}

/// Reads what stands behind a head, to its end.
fn read_answer<R: Raw>(
    source: &mut Source<R>,
    head: &ResponseHead,
) -> io::Result<Result<Response>> {
    let read = if head.is_error {
        read_error(source).map(Err)
    } else {
        decode_response(head.verb, source).map(Ok)
    };
    match read {
        Ok(answered) => Ok(answered),
        Err(Fault::Lost(error)) => Err(error),
        Err(Fault::Malformed(error)) => {
            if let Err(Fault::Lost(error)) = source.skip() {
                return Err(error);
            }
            let verb = verb_name(head.verb).unwrap_or("call");
            Ok(Err(Error::internal(format!(
                "the owner's answer to a {verb} cannot be read: {error}"
            ))))
        }
    }
}

fn read_error<R: Raw>(source: &mut Source<R>) -> Result<Error, Fault> {
    let json = source.rest()?;
    Ok(nearfield_model::codec::error_from_json(&json)?)
}

/// Adds where the time of a call went since it was sent.
fn tell_stages(head: &ResponseHead, context: &Context, sent_ns: u64, seen_ns: u64) {
    let waited = between(sent_ns, seen_ns);
    head.add_stages(&context.stages, waited);
    let travelled = between(head.sent_ns, seen_ns).min(waited);
    context.stages.add(Stage::Receive, travelled);
    context
        .stages
        .add(Stage::ClientDecode, between(seen_ns, now_ns()));
}
