//! One call: read, run, answered.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nearfield_model::{
    Cancellation, Context, Error, ErrorKind, Request, Response, Result, Service, Stage, codec,
};

use super::guest::Guest;
use crate::codec::{Fault, Gather, Place, Raw, Scratch, Source, decode_request, encode_response};
use crate::frame::{RESPONSE_HEAD_BYTES, RequestHead, ResponseHead};
use crate::time::{between, now_ns};

/// What a worker keeps from one call to the next.
#[derive(Debug, Default)]
pub(super) struct Desk {
    scratch: Scratch,
    buffer: Vec<u8>,
}

/// Bytes of a response's buffer that are kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

impl Desk {
    /// Gives back memory that only large calls need.
    pub(super) fn tidy(&mut self) {
        self.scratch.trim();
        if self.buffer.capacity() > KEPT_BYTES_MAX {
            self.buffer = Vec::new();
        }
    }
}

/// A call as it came in.
pub(super) struct Call<'c> {
    /// Whether the server takes it.
    pub(super) entered: Result<()>,
    pub(super) service: &'c dyn Service,
    pub(super) guest: &'c Guest,
    pub(super) head: RequestHead,
    /// When it was seen.
    pub(super) seen_ns: u64,
    pub(super) cancellation: Cancellation,
    /// What reading it is called.
    pub(super) reading: Stage,
    /// Whether somebody still waits for it. Asked once all is copied: who stopped waiting may have
    /// changed what was read.
    pub(super) is_wanted: &'c dyn Fn() -> bool,
}

impl Call<'_> {
    /// Reads the request, runs it, and gives the response as a frame.
    ///
    /// # Errors
    /// If the rest of the request does not come, or if reading or writing panicked.
    pub(super) fn answer<'d, R: Raw>(
        self,
        source: &mut Source<R>,
        fetch: &mut dyn FnMut(Place, &mut Vec<f32>) -> Result<()>,
        desk: &'d mut Desk,
    ) -> std::io::Result<&'d [u8]> {
        // Whoever is told of an error hangs up, and uses none of this again.
        catch_unwind(AssertUnwindSafe(|| self.take(source, fetch, desk)))
            .unwrap_or_else(|_| Err(std::io::Error::other("a frame made the owner panic")))
    }

    fn take<'d, R: Raw>(
        self,
        source: &mut Source<R>,
        fetch: &mut dyn FnMut(Place, &mut Vec<f32>) -> Result<()>,
        desk: &'d mut Desk,
    ) -> std::io::Result<&'d [u8]> {
        let Desk { scratch, buffer } = desk;
        let context = self.context();
        let stages = &context.stages;
        stages.add(Stage::Send, between(self.head.sent_ns, self.seen_ns));
        let mut share = self.guest.share();
        let decoded = match share.grow(self.head.length as usize) {
            Ok(()) => decode_request(self.head.verb, source, scratch, fetch),
            Err(error) => Err(Fault::Malformed(error)),
        };
        let read_ns = now_ns();
        stages.add(self.reading, between(self.seen_ns, read_ns));
        let (answer, answered_ns) = match decoded {
            Ok(request) => {
                self.guest.count(&request, u64::from(self.head.length));
                let answer = self.run(&context, request);
                let answered_ns = now_ns();
                stages.add(Stage::Engine, between(read_ns, answered_ns));
                (answer, answered_ns)
            }
            Err(Fault::Malformed(error)) => (Err(error), read_ns),
            Err(Fault::Lost(error)) => return Err(error),
        };
        if let Err(Fault::Lost(error)) = source.skip() {
            return Err(error);
        }
        let mut gather = Gather::new(std::mem::take(buffer));
        let is_error = write(answer, &mut gather);
        let sent_ns = now_ns();
        stages.add(Stage::Encode, between(answered_ns, sent_ns));
        let head = ResponseHead {
            length: u32::try_from(gather.len() - RESPONSE_HEAD_BYTES).unwrap_or(u32::MAX),
            verb: self.head.verb,
            is_error,
            call: self.head.call,
            sent_ns,
            stages_ns: ResponseHead::stages(stages),
        };
        gather.set_start(&head.encode());
        *buffer = gather.into_buffer();
        Ok(buffer)
    }

    fn context(&self) -> Context {
        let deadline = |left: Duration| Instant::now().checked_add(left);
        Context {
            deadline: self.head.timeout.and_then(deadline),
            cancellation: Some(self.cancellation.clone()),
            request_id: self.head.id,
            ..Context::default()
        }
    }

    fn run(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        self.entered.clone()?;
        if !(self.is_wanted)() {
            self.cancellation.cancel();
        }
        context.check()?;
        let service = self.service;
        catch_unwind(AssertUnwindSafe(|| service.call(context, request)))
            .unwrap_or_else(|_| Err(Error::internal("the call panicked in the owner's process")))
    }
}

/// Appends a head's room and the answer, and tells whether that is an error.
fn write(answer: Result<Response>, gather: &mut Gather<'_>) -> bool {
    gather.put(&[0; RESPONSE_HEAD_BYTES]);
    let error = match answer {
        Ok(response) => match encode_response(&response, gather) {
            Ok(()) if u32::try_from(gather.len()).is_ok() => return false,
            Ok(()) => Error::new(
                ErrorKind::TooLarge,
                "the response is over 4 GiB; ask for less",
            ),
            Err(error) => error,
        },
        Err(error) => error,
    };
    *gather = Gather::default();
    gather.put(&[0; RESPONSE_HEAD_BYTES]);
    gather.put(codec::error_to_json(&error).as_bytes());
    true
}
