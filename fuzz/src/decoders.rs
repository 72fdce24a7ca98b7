//! What each decoder must hold to, whatever bytes it is given. The fuzz targets call these
//! with what libFuzzer finds, and a test of `transports/http` with mutated bodies.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target calls one of them, and is a crate of its own"
)]

use nearfield_http::body::{Format, RequestReader, read_response, write_request, write_response};
use nearfield_model::codec::request_from_body;
use nearfield_model::{Filter, Request, Result};

/// A decoder, to be told by its name.
pub(crate) type Decoder = fn(&[u8]);

/// All of them.
pub(crate) const DECODERS: [(&str, Decoder); 5] = [
    ("json_body", json_body),
    ("msgpack_body", msgpack_body),
    ("msgpack_response", msgpack_response),
    ("filter_text", filter_text),
    ("json_number", json_number),
];

/// The first byte chooses the verb, the second the size of pieces.
fn split(bytes: &[u8]) -> Option<(&'static str, usize, &[u8])> {
    let [verb, piece, body @ ..] = bytes else {
        return None;
    };
    let verb = Request::VERBS[usize::from(*verb) % Request::VERBS.len()];
    Some((verb, usize::from(*piece) + 1, body))
}

fn read(format: Format, verb: &'static str, piece: usize, body: &[u8]) -> Result<Request<'static>> {
    let mut reader = RequestReader::new(format, verb, "docs");
    for piece in body.chunks(piece) {
        reader.feed(piece)?;
    }
    reader.finish()
}

fn checked(request: Result<Request<'static>>) -> Result<Request<'static>> {
    let request = request?;
    request.check()?;
    if let Request::Upsert(upsert) = &request {
        upsert.batch.check_metadata()?;
    }
    Ok(request)
}

/// The fast path answers as the plain one, and wherever the body is cut.
pub(crate) fn json_body(bytes: &[u8]) {
    let Some((verb, piece, body)) = split(bytes) else {
        return;
    };
    let fast = checked(read(Format::Json, verb, piece, body));
    let Ok(text) = str::from_utf8(body) else {
        assert!(fast.is_err(), "what is not UTF-8 is read");
        return;
    };
    let plain = checked(request_from_body(verb, "docs", text));
    assert_eq!(fast.ok(), plain.ok(), "{text}");
}

/// What is read is written, and read back as it was.
pub(crate) fn msgpack_body(bytes: &[u8]) {
    let Some((verb, piece, body)) = split(bytes) else {
        return;
    };
    let request = read(Format::MessagePack, verb, piece, body);
    let whole = read(Format::MessagePack, verb, usize::MAX, body);
    assert_eq!(request.is_ok(), whole.is_ok());
    let Ok(request) = checked(request) else {
        return;
    };
    let mut written = Vec::new();
    write_request(Format::MessagePack, &request, &mut written).expect("it was read");
    let again = read(Format::MessagePack, verb, usize::MAX, &written).expect("it was written");
    let mut twice = Vec::new();
    write_request(Format::MessagePack, &again, &mut twice).expect("it was read");
    assert_eq!(written, twice);
}

/// What is read is written.
pub(crate) fn msgpack_response(bytes: &[u8]) {
    let Some((verb, _, body)) = split(bytes) else {
        return;
    };
    if let Ok(response) = read_response(Format::MessagePack, verb, body) {
        write_response(Format::MessagePack, &response, &mut Vec::new()).expect("it was read");
    }
}

/// A filter that is read is written as text and JSON that are the same filter.
pub(crate) fn filter_text(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let filters = [Filter::parse(text), Filter::from_json(text)];
    for filter in filters.into_iter().flatten() {
        assert_eq!(Filter::parse(&filter.to_string()).as_ref(), Ok(&filter));
        filter.matches(Some(text));
    }
}

/// Numbers are read to the last bit, or refused.
pub(crate) fn json_number(bytes: &[u8]) {
    let number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let letters = bytes.iter().filter(|byte| number(byte)).copied().collect();
    let Ok(text) = String::from_utf8(letters) else {
        return;
    };
    let body = format!("{{\"vectors\":[{text},{text},0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,{text}]}}");
    let plain = request_from_body("search", "docs", &body);
    match read(Format::Json, "search", usize::MAX, body.as_bytes()) {
        Ok(Request::Search(search)) => {
            let expected: f32 = text.parse().expect("it was read as a number");
            for place in [0, 1, 10] {
                let found = search.vectors.values()[place];
                assert_eq!(found.to_bits(), expected.to_bits(), "{text}");
            }
            assert!(plain.is_ok(), "{text}");
        }
        Ok(_) => panic!("a search is read as something else"),
        Err(_) => assert!(plain.is_err(), "{text}"),
    }
}
