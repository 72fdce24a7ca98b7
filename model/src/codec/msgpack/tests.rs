//! Laws of the MessagePack codec: what is written is read, JSON of the same shape is the same
//! request, faults are named as in JSON, and no bytes make it panic or ask for much memory.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::tests::{request, response};
use super::super::{request_from_body, request_to_body};
use super::from_json::append_json;
use super::*;
use crate::{ErrorKind, Got, Ids, Metadata, Point, Request, Response, UpdateMetadata};

fn packed(json: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_json(json, &mut bytes).unwrap();
    bytes
}

fn collection(request: &Request<'_>) -> String {
    let json = super::super::request_to_json(request).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let name = &json[request.verb()]["collection"];
    name.as_str().unwrap_or_default().to_owned()
}

fn static_verb(request: &Request<'_>) -> &'static str {
    request.verb()
}

fn read_in_pieces(
    verb: &'static str,
    collection: &str,
    bytes: &[u8],
    cuts: &[Index],
) -> Result<Request<'static>> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut reader = MessagePackReader::new(verb, collection);
    for ends in cuts.windows(2) {
        reader.feed(&bytes[ends[0]..ends[1]])?;
    }
    reader.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn requests_are_read_back_however_they_are_cut(
        request in request(),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut bytes = Vec::new();
        request_to_msgpack(&request, &mut bytes).unwrap();
        let (verb, collection) = (static_verb(&request), collection(&request));
        prop_assert_eq!(&read_in_pieces(verb, &collection, &bytes, &cuts).unwrap(), &request);
    }

    #[test]
    fn json_of_the_same_shape_is_the_same_request(
        request in request(),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let json = request_to_body(&request).unwrap();
        prop_assume!(!json.contains(r#""f32":"#));
        let (verb, collection) = (static_verb(&request), collection(&request));
        let read = read_in_pieces(verb, &collection, &packed(&json), &cuts).unwrap();
        prop_assert_eq!(request_to_body(&read).unwrap(), json);
    }

    #[test]
    fn responses_are_read_back(response in response()) {
        for metadata in [MetadataAs::Map, MetadataAs::Json] {
            let mut bytes = Vec::new();
            response_to_msgpack(&response, metadata, &mut bytes).unwrap();
            let verb = Request::VERBS.iter().find(|verb| {
                response_from_msgpack(verb, &bytes).is_ok_and(|read| read == response)
            });
            prop_assert!(verb.is_some());
        }
    }

    #[test]
    fn a_body_that_is_cut_off_or_goes_on_is_refused(request in request(), cut in any::<Index>()) {
        let mut bytes = Vec::new();
        request_to_msgpack(&request, &mut bytes).unwrap();
        let (verb, collection) = (static_verb(&request), collection(&request));
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert!(cut.is_empty() || request_from_msgpack(verb, &collection, cut).is_err());
        bytes.push(0xc0);
        prop_assert!(request_from_msgpack(verb, &collection, &bytes).is_err());
    }

    #[test]
    fn whatever_comes_in_is_answered(bytes in vec(any::<u8>(), 0..100)) {
        feed_all(&bytes);
    }

    #[test]
    fn mutated_bodies_are_answered(
        request in request(),
        response in response(),
        edits in vec((any::<Index>(), any::<u8>()), 1..6),
        cuts in vec(any::<Index>(), 0..4),
    ) {
        let mut bytes = Vec::new();
        request_to_msgpack(&request, &mut bytes).unwrap();
        let mut answer = Vec::new();
        response_to_msgpack(&response, MetadataAs::Map, &mut answer).unwrap();
        for (place, byte) in edits {
            for bytes in [&mut bytes, &mut answer] {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        let whole = request_from_msgpack(static_verb(&request), "docs", &bytes);
        let pieces = read_in_pieces(static_verb(&request), "docs", &bytes, &cuts);
        prop_assert_eq!(whole.is_ok(), pieces.is_ok());
        feed_all(&bytes);
        feed_all(&answer);
    }
}

fn feed_all(bytes: &[u8]) {
    for verb in Request::VERBS {
        if let Ok(request) = request_from_msgpack(verb, "docs", bytes) {
            let _ = request.check();
            let mut written = Vec::new();
            request_to_msgpack(&request, &mut written).unwrap();
        }
        let _ = response_from_msgpack(verb, bytes);
    }
}

#[test]
fn every_form_of_vectors_and_metadata_is_one_request() {
    let floats = |values: &[f32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let expected = request_from_body(
        "upsert",
        "docs",
        r#"{"ids": [1, 2], "vectors": [[1, 2.5], [-3, 4]], "metadata": [{"a":"x"}, null]}"#,
    )
    .unwrap();
    let matrix = floats(&[1.0, 2.5, -3.0, 4.0]);
    let bin = |bytes: &[u8], to: &mut Vec<u8>| {
        write::bin(bytes.len(), to);
        to.extend_from_slice(bytes);
    };
    type Form<'f> = &'f dyn Fn(&mut Vec<u8>);
    let ids: [Form<'_>; 2] = [&|to| to.extend(packed("[1, 2]")), &|to| {
        bin(&[1_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat(), to)
    }];
    let vectors: [Form<'_>; 5] = [
        &|to| bin(&matrix, to),
        &|to| {
            write::array(2, to);
            bin(&matrix[..8], to);
            bin(&matrix[8..], to);
        },
        &|to| {
            write::array(2, to);
            bin(&matrix[..8], to);
            to.extend(packed("[-3, 4.0]"));
        },
        &|to| to.extend(packed("[[1, 2.5], [-3, 4]]")),
        &|to| {
            write::map(2, to);
            write::text("dimension", to);
            write::u64(2, to);
            write::text("f32", to);
            bin(&matrix, to);
        },
    ];
    let metadata: [Form<'_>; 2] = [&|to| to.extend(packed(r#"[{"a": "x"}, null]"#)), &|to| {
        to.extend(packed(r#"["{\"a\":\"x\"}", null]"#))
    }];
    for ids in ids {
        for vectors in vectors {
            for metadata in metadata {
                let members: [(&str, Form<'_>); 3] =
                    [("ids", ids), ("vectors", vectors), ("metadata", metadata)];
                for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
                    let mut bytes = Vec::new();
                    write::map(3, &mut bytes);
                    for place in order {
                        write::text(members[place].0, &mut bytes);
                        members[place].1(&mut bytes);
                    }
                    let read = request_from_msgpack("upsert", "docs", &bytes).unwrap();
                    assert_eq!(read, expected);
                }
            }
        }
    }
}

#[test]
fn faults_name_the_field_and_row_that_json_names() {
    for (verb, json) in [
        ("upsert", r#"{"vectors": [[1]]}"#),
        ("upsert", r#"{"ids": [1]}"#),
        ("upsert", r#"{"ids": [1], "vectors": [[1]], "vector": [1]}"#),
        ("upsert", r#"{"ids": [1, -2], "vectors": [[1], [2]]}"#),
        ("upsert", r#"{"ids": [1, 1.5], "vectors": [[1], [2]]}"#),
        ("upsert", r#"{"ids": ["a", null], "vectors": [[1], [2]]}"#),
        ("upsert", r#"{"ids": 1, "vectors": [[1]]}"#),
        ("upsert", r#"{"ids": [1], "vectors": [1]}"#),
        ("upsert", r#"{"ids": [1], "vectors": 1}"#),
        ("upsert", r#"{"ids": [1], "vectors": "x"}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], [1, 2]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], [1e39]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], ["x"]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], [null]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], 2]}"#),
        ("upsert", r#"{"ids": [1], "vectors": {"f64": "!"}}"#),
        ("upsert", r#"{"ids": [1], "vectors": {}}"#),
        ("upsert", r#"{"ids": [1], "vectors": {"f32": 1}}"#),
        (
            "upsert",
            r#"{"ids": [1, 2], "vectors": [[1], [2]], "metadata": [null, 1]}"#,
        ),
        (
            "upsert",
            r#"{"ids": [1], "vectors": [[1]], "metadata": [[1]]}"#,
        ),
        (
            "upsert",
            r#"{"ids": [1], "vectors": [[1]], "metadata": {}}"#,
        ),
        (
            "upsert",
            r#"{"ids": [1], "vectors": [[1]], "durability": "later"}"#,
        ),
        (
            "upsert",
            r#"{"ids": [1], "vectors": [[1]], "durability": 1}"#,
        ),
        ("delete", r#"{}"#),
        ("delete", r#"{"ids": [1], "filter": "a = 1"}"#),
        ("update_metadata", r#"{"ids": [1]}"#),
        ("update_metadata", r#"{"ids": [1], "patch": []}"#),
        ("search", r#"{"vectors": [1], "limit": -1}"#),
        ("search", r#"{"vectors": [1], "recall": "high"}"#),
        ("search", r#"{"vectors": [1], "probes": 1.5}"#),
        ("search", r#"{"vectors": [1], "explain": 1}"#),
        ("search", r#"{"vectors": [1], "filter": "a ="}"#),
        ("search", r#"{"vectors": [1], "ef": 1}"#),
        ("search", r#"{"vectors": [1, "x"]}"#),
        ("count", r#"{"filter": {"must": 1}}"#),
        ("count", r#"{"filter": {"field": "a", "eq": null}}"#),
        ("flush", r#"{"all": 1}"#),
        ("flush", r#"[]"#),
        ("create_collection", r#"{"dimension": 2, "metric": "l1"}"#),
    ] {
        let expected = request_from_body(verb, "docs", json).unwrap_err();
        let found = request_from_msgpack(verb, "docs", &packed(json)).unwrap_err();
        assert_eq!(
            (found.kind(), found.field(), found.row()),
            (expected.kind(), expected.field(), expected.row()),
            "{json}: {found}, not {expected}"
        );
    }
}

#[test]
fn announced_lengths_are_not_believed() {
    let head = |first: u8| vec![first, 0xff, 0xff, 0xff, 0xff];
    for verb in ["upsert", "search", "delete", "update_metadata", "flush"] {
        for name in ["ids", "vectors", "metadata", "filter", "patch", "limit"] {
            for first in [0xc6, 0xdb, 0xdd, 0xdf] {
                let mut bytes = vec![0x81];
                write::text(name, &mut bytes);
                bytes.extend(head(first));
                assert!(request_from_msgpack(verb, "docs", &bytes).is_err());
            }
        }
    }
    for first in [0xc6, 0xdb, 0xdd, 0xdf] {
        feed_all(&head(first));
        let rows = [&[0x81][..], b"\xa6points", &head(first)].concat();
        assert!(response_from_msgpack("scan", &rows).is_err());
    }
    let name = [&[0x81][..], &head(0xdb)].concat();
    assert!(request_from_msgpack("upsert", "docs", &name).is_err());
    let filter = [&b"\x81\xa6filter"[..], &head(0xdb)].concat();
    let error = request_from_msgpack("count", "docs", &filter).unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::TooLarge, Some("filter"))
    );
}

#[test]
fn a_matrix_above_the_limit_is_refused_while_it_comes_in() {
    let mut reader = MessagePackReader::new("upsert", "docs");
    let mut start = b"\x81\xa7vectors".to_vec();
    write::bin(crate::limits::BATCH_BYTES_MAX + 4, &mut start);
    reader.feed(&start).unwrap();
    let piece = vec![0; 1 << 20];
    for _ in 0..64 {
        reader.feed(&piece).unwrap();
    }
    let error = reader.feed(&piece).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn absurd_depth_is_refused() {
    for nested in [[0x91].repeat(100_000), b"\x81\xa1a".repeat(100_000)] {
        feed_all(&nested);
        for name in [
            "filter", "ids", "vectors", "metadata", "patch", "points", "results",
        ] {
            let mut bytes = vec![0x81];
            write::text(name, &mut bytes);
            bytes.extend(&nested);
            feed_all(&bytes);
        }
    }
}

#[test]
fn members_are_given_once() {
    let twice = [&b"\x82"[..], b"\xa5limit\x01", b"\xa5limit\x01"].concat();
    assert!(request_from_msgpack("scan", "docs", &twice).is_err());
    assert!(request_from_msgpack("scan", "docs", &twice[..8]).is_err());
    assert!(request_from_msgpack("scan", "docs", b"").is_ok());
}

#[test]
fn metadata_as_text_and_patches_keep_every_digit() {
    let json = r#"{"a":123456789012345678901234567890,"b":1.10}"#;
    let got = Response::Get(Got {
        points: vec![Some(Point {
            id: 1_u64.into(),
            vector: None,
            metadata: Some(Metadata::parse(json).unwrap()),
        })],
    });
    let mut bytes = Vec::new();
    response_to_msgpack(&got, MetadataAs::Json, &mut bytes).unwrap();
    assert_eq!(response_from_msgpack("get", &bytes).unwrap(), got);
    let patch = Metadata::parse(json).unwrap();
    let update = UpdateMetadata::new("docs", Ids::from(vec![1_u64]), patch).into();
    let mut bytes = Vec::new();
    request_to_msgpack(&update, &mut bytes).unwrap();
    let read = request_from_msgpack("update_metadata", "docs", &bytes).unwrap();
    assert_eq!(read, update);
}
