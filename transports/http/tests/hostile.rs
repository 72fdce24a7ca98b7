//! Whatever bytes come in, decoders answer or refuse, and hold to what the fuzz targets ask.

#[path = "../../../fuzz/src/decoders.rs"]
mod decoders;

use decoders::DECODERS;
use nearfield_http::body::{Format, RequestReader, write_request, write_response};
use nearfield_model::{Found, Hit, Id, Metadata, Request, Response};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Bodies of JSON, by verb.
const JSON: [(&str, &str); 8] = [
    (
        "upsert",
        r#"{"ids": [1, "a"], "vectors": [[0.12, -2.5e-3], [3, 4.00001]], "metadata": [{"a": "x"}, null]}"#,
    ),
    (
        "upsert",
        r#"{"vectors": {"f32": "AACAPwAAAEA="}, "ids": [1, 2]}"#,
    ),
    (
        "search",
        r#"{"vectors": [[0.1, 2]], "filter": {"must": [{"field": "a", "in": [1, "x"]}]}, "recall": 0.99}"#,
    ),
    ("delete", r#"{"filter": "a = 1 and not b in ('x', 2)"}"#),
    (
        "update_metadata",
        r#"{"ids": [1], "patch": {"a": {"b": null}}}"#,
    ),
    ("scan", r#"{"limit": 5, "cursor": 77}"#),
    (
        "get",
        r#"{"ids": [1, "67e55044-10b1-426f-9247-bb680e5fe0c8"]}"#,
    ),
    ("create_collection", r#"{"dimension": 3, "metric": "dot"}"#),
];

fn verb_byte(verb: &str) -> u8 {
    let place = Request::VERBS.iter().position(|known| *known == verb);
    place.expect("a verb") as u8
}

/// Bytes that each decoder accepts: a byte for the verb, one for the pieces, then a body.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (verb, json) in JSON {
        let head = [verb_byte(verb), 5];
        seeds.push([&head, json.as_bytes()].concat());
        let mut reader = RequestReader::new(Format::Json, verb, "docs");
        reader.feed(json.as_bytes()).expect("valid");
        let mut packed = head.to_vec();
        write_request(
            Format::MessagePack,
            &reader.finish().expect("valid"),
            &mut packed,
        )
        .expect("valid");
        seeds.push(packed);
    }
    let found = Response::Search(Found {
        results: vec![vec![Hit {
            id: Id::from("a"),
            score: 0.5,
            metadata: Metadata::parse(r#"{"a": [1, {"b": -2.5}]}"#).ok(),
            vector: Some(vec![1.0, 2.0]),
        }]],
        explained: None,
    });
    let mut packed = vec![verb_byte("search"), 0];
    write_response(Format::MessagePack, &found, &mut packed).expect("valid");
    seeds.push(packed);
    seeds.push(b"genre = 'jazz' and (year >= 1960 or not exists a.b)".to_vec());
    seeds.push(b"-12345.678901234567890123e-12".to_vec());
    seeds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn mutated_bodies(
        seed in prop::sample::select(seeds()),
        edits in vec((any::<Index>(), 0..6_usize, vec(any::<u8>(), 0..4)), 0..5),
    ) {
        let mut bytes = seed;
        for (place, length, put) in edits {
            let start = place.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, put);
        }
        DECODERS.iter().for_each(|(_, decoder)| decoder(&bytes));
    }

    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..120)) {
        DECODERS.iter().for_each(|(_, decoder)| decoder(&bytes));
    }

    #[test]
    fn arbitrary_numbers(number in "-?[0-9]{1,22}(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?") {
        decoders::json_number(number.as_bytes());
    }
}
