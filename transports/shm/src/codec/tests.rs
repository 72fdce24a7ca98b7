//! The codec loses nothing, and takes any bytes without a panic.

use std::io;

use nearfield_model::{Error, Request, Response, Selection};
use proptest::prelude::*;

use super::arbitrary::{request, response};
use super::{
    Fault, Gather, Place, Raw, Scratch, Source, decode_request, decode_response, encode_request,
    encode_response, verb_code,
};

/// Gives bytes a few at a time.
struct Trickle<'b>(&'b [u8], usize);

impl Raw for Trickle<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = to.len().min(self.1);
        self.0.read(&mut to[..count])
    }
}

fn trickle(bytes: &[u8], size: usize) -> Source<Trickle<'_>> {
    let mut source = Source::new(Trickle(bytes, size));
    source.begin(bytes.len());
    source
}

fn nowhere(_: Place, _: &mut Vec<f32>) -> Result<(), Error> {
    Err(Error::invalid("there is no other place"))
}

/// Filters come back in their normal form, and only if they keep the rules.
fn normal(mut request: Request<'static>) -> Option<Request<'static>> {
    let filter = match &mut request {
        Request::Search(search) => search.filter.as_mut(),
        Request::Scan(scan) => scan.filter.as_mut(),
        Request::Count(count) => count.filter.as_mut(),
        Request::Delete(delete) => match &mut delete.selection {
            Selection::Filter(filter) => Some(filter),
            Selection::Ids(_) => None,
        },
        Request::UpdateMetadata(update) => match &mut update.selection {
            Selection::Filter(filter) => Some(filter),
            Selection::Ids(_) => None,
        },
        _ => None,
    };
    if let Some(filter) = filter {
        *filter = filter.clone().normalized();
        filter.check().ok()?;
    }
    Some(request)
}

fn verb_of(response: &Response) -> &'static str {
    match response {
        Response::CreateCollection(_) => "create_collection",
        Response::DropCollection(_) => "drop_collection",
        Response::ListCollections(_) => "list_collections",
        Response::DescribeCollection(_) => "describe_collection",
        Response::Upsert(_) => "upsert",
        Response::Get(_) => "get",
        Response::Delete(_) => "delete",
        Response::UpdateMetadata(_) => "update_metadata",
        Response::Search(_) => "search",
        Response::Scan(_) => "scan",
        Response::Count(_) => "count",
        Response::Flush(_) => "flush",
        Response::Compact(_) => "compact",
        Response::Snapshot(_) => "snapshot",
    }
}

proptest! {
    #[test]
    fn every_request_comes_back_as_it_was(
        request in request().prop_filter_map("a filter that keeps the rules", normal),
        size in 1..200_usize,
    ) {
        let mut gather = Gather::default();
        let code = encode_request(&request, None, &mut gather).unwrap();
        let bytes = gather.to_vec();
        prop_assert_eq!(bytes.len(), gather.len());
        let mut scratch = Scratch::default();
        let decoded = decode_request(code, &mut trickle(&bytes, size), &mut scratch, &mut nowhere);
        prop_assert_eq!(decoded.unwrap(), request);
    }

    #[test]
    fn every_response_comes_back_as_it_was(response in response(), size in 1..200_usize) {
        let mut gather = Gather::default();
        encode_response(&response, &mut gather).unwrap();
        let bytes = gather.to_vec();
        let code = verb_code(verb_of(&response));
        let decoded = decode_response(code, &mut trickle(&bytes, size));
        prop_assert_eq!(decoded.unwrap(), response);
    }

    #[test]
    fn damaged_messages_are_refused_or_read_but_never_panic(
        request in request(),
        response in response(),
        cut in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let damaged = |mut bytes: Vec<u8>| {
            for (at, byte) in &damage {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
            }
            bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
            bytes
        };
        let mut gather = Gather::default();
        let code = encode_request(&request, None, &mut gather).unwrap();
        let bytes = damaged(gather.to_vec());
        let mut scratch = Scratch::default();
        let read = decode_request(code, &mut Source::of(&bytes), &mut scratch, &mut nowhere);
        prop_assert!(!matches!(read, Err(Fault::Lost(_))));
        let mut gather = Gather::default();
        encode_response(&response, &mut gather).unwrap();
        let bytes = damaged(gather.to_vec());
        let read = decode_response(verb_code(verb_of(&response)), &mut Source::of(&bytes));
        prop_assert!(!matches!(read, Err(Fault::Lost(_))));
    }

    #[test]
    fn any_bytes_are_refused_or_read_but_never_panic(code in 0..16_u8, bytes in any::<Vec<u8>>()) {
        let mut scratch = Scratch::default();
        let _ = decode_request(code, &mut Source::of(&bytes), &mut scratch, &mut nowhere);
        let _ = decode_response(code, &mut Source::of(&bytes));
    }
}

#[test]
fn what_scratch_holds_from_before_is_not_seen() {
    let mut scratch = Scratch::default();
    for rows in [1_000_usize, 3] {
        let ids: Vec<u64> = (0..rows as u64).collect();
        let values = vec![rows as f32; rows * 8];
        let batch = nearfield_model::Batch::new(&ids, &values);
        let request = Request::from(nearfield_model::Upsert::new("docs", batch));
        let mut gather = Gather::default();
        let code = encode_request(&request, None, &mut gather).unwrap();
        let bytes = gather.to_vec();
        let mut source = Source::of(&bytes);
        let decoded = decode_request(code, &mut source, &mut scratch, &mut nowhere).unwrap();
        assert_eq!(decoded, request);
    }
}

#[test]
fn a_length_is_not_believed_before_its_bytes_are_there() {
    // Four thousand million ids, and nothing behind.
    let mut bytes = vec![4, 0, 0, 0, b'd', b'o', b'c', b's', 3, 0];
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    let mut scratch = Scratch::default();
    let code = verb_code("get");
    let read = decode_request(code, &mut Source::of(&bytes), &mut scratch, &mut nowhere);
    assert!(matches!(read, Err(Fault::Malformed(_))));
}
