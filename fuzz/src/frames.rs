//! What the frames between processes of one machine must hold to, whatever bytes they are. The fuzz
//! target calls these with what libFuzzer finds, and a test of `transports/shm` with damaged frames.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target calls one of them, and is a crate of its own"
)]

use std::io;

use nearfield_model::{Error, Request, Response};
use nearfield_shm::codec::{
    Fault, Gather, Place, Raw, Scratch, Source, decode_request, decode_response, encode_request,
    encode_response,
};

/// Gives bytes a few at a time.
struct Pieces<'b>(&'b [u8], usize);

impl Raw for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = to.len().min(self.1);
        io::Read::read(&mut self.0, &mut to[..length])
    }
}

/// The first byte is the verb's number, the second the size of pieces.
fn split(bytes: &[u8]) -> Option<(u8, Source<Pieces<'_>>)> {
    let [code, piece, message @ ..] = bytes else {
        return None;
    };
    let mut source = Source::new(Pieces(message, usize::from(*piece) + 1));
    source.begin(message.len());
    Some((*code % 16, source))
}

/// Components in the memory that a frame may point to.
const ELSEWHERE: u64 = 64;

/// Fetches components as an owner does: from memory of which it knows the length.
fn fetch(place: Place, to: &mut Vec<f32>) -> Result<(), Error> {
    let end = (place.offset / 4).checked_add(place.count);
    if !place.offset.is_multiple_of(4) || end.is_none_or(|end| end > ELSEWHERE) {
        return Err(Error::invalid("there is no such place"));
    }
    to.clear();
    to.extend((0..place.count).map(|component| component as f32));
    Ok(())
}

fn written(request: &Request<'_>) -> Option<(u8, Vec<u8>)> {
    let mut gather = Gather::default();
    let code = encode_request(request, None, &mut gather).ok()?;
    Some((code, gather.to_vec()))
}

/// A request that is read is written, and read back the same; bytes that are all there are never
/// missed.
pub(crate) fn shm_request(bytes: &[u8]) {
    let Some((code, mut source)) = split(bytes) else {
        return;
    };
    let mut scratch = Scratch::default();
    let request = match decode_request(code, &mut source, &mut scratch, &mut fetch) {
        Ok(request) => request,
        Err(Fault::Malformed(_)) => return,
        Err(Fault::Lost(error)) => panic!("{error}"),
    };
    if request.check().is_err() {
        return;
    }
    let (code, once) = written(&request).expect("it was read");
    let mut scratch = Scratch::default();
    let mut source = Source::of(&once);
    let again = decode_request(code, &mut source, &mut scratch, &mut fetch);
    let (_, twice) = written(&again.expect("it was written")).expect("it was read");
    assert_eq!(once, twice);
}

/// A response that is read is written, and read back the same.
pub(crate) fn shm_response(bytes: &[u8]) {
    let Some((code, mut source)) = split(bytes) else {
        return;
    };
    let response = match decode_response(code, &mut source) {
        Ok(response) => response,
        Err(Fault::Malformed(_)) => return,
        Err(Fault::Lost(error)) => panic!("{error}"),
    };
    let written = |response: &Response| {
        let mut gather = Gather::default();
        encode_response(response, &mut gather).expect("it was read");
        gather.to_vec()
    };
    let once = written(&response);
    let again = decode_response(code, &mut Source::of(&once)).expect("it was written");
    assert_eq!(once, written(&again));
}
