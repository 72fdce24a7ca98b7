//! The mapping loses nothing, and takes any bytes without a panic.

use bytes::Bytes;
use nearfield_model::{ErrorKind, Ids, Request, Response, Search, Upsert};
use proptest::prelude::*;

use super::arbitrary::{request, response};
use super::{Incoming, decode_response, encode_request, encode_response, method};
use crate::frame::{Deframer, Pieces};
use crate::proto;

/// The message of a frame, as it arrives in pieces of a size.
fn pieces(frame: &Bytes, size: usize) -> Pieces {
    let mut deframer = Deframer::new(usize::MAX);
    for piece in frame.chunks(size) {
        deframer.push(Bytes::copy_from_slice(piece));
    }
    let message = deframer.next().unwrap().unwrap();
    assert!(deframer.is_empty());
    message
}

fn method_of(response: &Response) -> &'static str {
    match response {
        Response::CreateCollection(_) => "CreateCollection",
        Response::DropCollection(_) => "DropCollection",
        Response::ListCollections(_) => "ListCollections",
        Response::DescribeCollection(_) => "DescribeCollection",
        Response::Upsert(_) => "Upsert",
        Response::Get(_) => "Get",
        Response::Delete(_) => "Delete",
        Response::UpdateMetadata(_) => "UpdateMetadata",
        Response::Search(_) => "Search",
        Response::Scan(_) => "Scan",
        Response::Count(_) => "Count",
        Response::Flush(_) => "Flush",
        Response::Compact(_) => "Compact",
        Response::Snapshot(_) => "Snapshot",
    }
}

/// An empty column has one form on the wire.
fn is_empty_mixed(request: &Request<'_>) -> bool {
    let ids = match request {
        Request::Upsert(upsert) => Some(&upsert.batch.ids),
        Request::Get(get) => Some(&get.ids),
        _ => None,
    };
    matches!(ids, Some(Ids::Mixed(ids)) if ids.is_empty())
}

proptest! {
    #[test]
    fn every_request_comes_back_as_it_was(request in request(), size in 1..200_usize) {
        prop_assume!(!is_empty_mixed(&request));
        let frame = encode_request(&request).unwrap();
        let incoming = Incoming::decode(method(&request), pieces(&frame, size)).unwrap();
        prop_assert_eq!(incoming.request().unwrap(), request);
    }

    #[test]
    fn every_response_comes_back_as_it_was(response in response(), size in 1..200_usize) {
        let frame = encode_response(&response).unwrap();
        let decoded = decode_response(method_of(&response), pieces(&frame, size)).unwrap();
        prop_assert_eq!(decoded, response);
    }

    #[test]
    fn damaged_messages_are_refused_or_read_but_never_panic(
        request in request(),
        response in response(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let damaged = |frame: Bytes| {
            let mut bytes = frame.to_vec();
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                if at >= 5 {
                    bytes[at] = *byte;
                }
            }
            pieces(&Bytes::from(bytes), 1 << 20)
        };
        let frame = encode_request(&request).unwrap();
        if let Ok(incoming) = Incoming::decode(method(&request), damaged(frame)) {
            let _either = incoming.request();
        }
        let frame = encode_response(&response).unwrap();
        let _either = decode_response(method_of(&response), damaged(frame));
    }
}

#[test]
fn what_a_caller_leaves_out_has_the_defaults_of_the_model() {
    let message = proto::SearchRequest {
        collection: "docs".into(),
        vectors: Bytes::from_static(&[0, 0, 0x80, 0x3f, 0, 0, 0, 0]),
        ..proto::SearchRequest::default()
    };
    let request = Incoming::Search(message);
    let expected = Search::new("docs", &[1.0, 0.0]);
    assert_eq!(request.request().unwrap(), Request::Search(expected));
}

#[test]
fn bodies_that_break_the_shape_are_refused_with_the_field() {
    let upsert = |change: fn(&mut proto::UpsertRequest)| {
        let mut message = proto::UpsertRequest::default();
        change(&mut message);
        Incoming::Upsert(message).request().unwrap_err()
    };
    let error = upsert(|message| message.vectors = Bytes::from_static(&[0; 7]));
    assert_eq!(error.field(), Some("vectors"));
    let error = upsert(|message| message.durability = 9);
    assert_eq!(error.field(), Some("durability"));
    let error = upsert(|message| {
        message.metadata = Some(proto::MetadataColumn {
            text: Bytes::from_static(b"{}"),
            ends: vec![1],
        });
    });
    assert_eq!(error.field(), Some("metadata"));
    let error = upsert(|message| {
        let wrong = proto::Id {
            id: Some(proto::id::Id::Uuid(Bytes::from_static(&[1; 15]))),
        };
        let mixed = proto::ids::Mixed {
            values: vec![
                proto::Id {
                    id: Some(proto::id::Id::Number(1)),
                },
                wrong,
            ],
        };
        message.ids = Some(proto::Ids {
            ids: Some(proto::ids::Ids::Mixed(mixed)),
        });
    });
    assert_eq!((error.field(), error.row()), (Some("ids"), Some(1)));
    let filter = Incoming::Count(proto::CountRequest {
        collection: "docs".into(),
        filter: Some(proto::Filter::default()),
    });
    assert_eq!(filter.request().unwrap_err().field(), Some("filter"));
}

#[test]
fn vectors_that_arrive_in_pieces_are_joined_where_floats_may_lie() {
    let values: Vec<f32> = (0..1000).map(|number| number as f32).collect();
    let batch = nearfield_model::Batch::new([1], &values);
    let request = Request::Upsert(Upsert::new("docs", batch));
    let frame = encode_request(&request).unwrap();
    let incoming = Incoming::decode("Upsert", pieces(&frame, 1000)).unwrap();
    let Request::Upsert(upsert) = incoming.request().unwrap() else {
        unreachable!("an upsert is read as one");
    };
    assert!(matches!(upsert.batch.values, std::borrow::Cow::Borrowed(_)));
    assert_eq!(upsert.batch.values, values);
}

#[test]
fn an_unknown_method_is_another_version() {
    let error = Incoming::decode("Teleport", pieces(&Bytes::from_static(&[0; 5]), 9)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
