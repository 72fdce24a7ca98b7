//! The fast path against the plain one of the model, and the scanner against the standard library.

use nearfield_model::codec::{request_from_body, response_from_body};
use nearfield_model::limits::BATCH_BYTES_MAX;
use nearfield_model::{
    Batch, Counted, Cursor, Durability, ErrorKind, Explanation, Filter, Flush, Found, Get, Got,
    Hit, Id, Metadata, MetadataColumn, Point, Request, Response, Result, Scanned, Search, Upsert,
    Uuid, Vectors,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::JsonReader;

fn read(verb: &'static str, body: &[u8], cuts: &[usize]) -> Result<Request<'static>> {
    let mut cuts = [cuts, &[0, body.len()]].concat();
    cuts.sort_unstable();
    let mut reader = JsonReader::new(verb, "docs".to_owned());
    for ends in cuts.windows(2) {
        reader.feed(&body[ends[0]..ends[1]])?;
    }
    reader.finish()
}

/// A request that keeps all rules of the model, metadata included.
fn checked(request: Result<Request<'static>>) -> Result<Request<'static>> {
    let request = request?;
    request.check()?;
    if let Request::Upsert(upsert) = &request {
        upsert.batch.check_metadata()?;
    }
    Ok(request)
}

/// Reads a list of numbers.
fn numbers(texts: &[String], space: &str) -> Result<Vec<f32>> {
    let body = format!("{{\"vectors\": [{}]}}", texts.join(&format!(",{space}")));
    match read("search", body.as_bytes(), &[])? {
        Request::Search(search) => Ok(search.vectors.values().to_vec()),
        other => panic!("{other:?}"),
    }
}

/// Compares with the standard library, in the middle of a list and at its end.
fn same_as_std(text: &str) {
    let expected: f32 = text.parse().unwrap();
    let texts = [text.to_owned(), "1.5".to_owned(), text.to_owned()];
    let padded = [&texts[..], &vec!["0.25".to_owned(); 20]].concat();
    for texts in [&texts[..], &padded] {
        match numbers(texts, " ") {
            Ok(values) => {
                assert_eq!(values[0].to_bits(), expected.to_bits(), "{text}");
                assert_eq!(values[2].to_bits(), expected.to_bits(), "{text}");
                assert_eq!(values.len(), texts.len());
            }
            Err(error) => assert!(expected.is_infinite(), "{text}: {error}"),
        }
    }
}

#[test]
fn powers_of_ten_and_extremes_are_read_as_the_standard_library_reads_them() {
    for exponent in -400..400 {
        for digits in [
            "1",
            "9.999999999999999999",
            "-1.17549435",
            "3.4028235",
            "0.0001",
        ] {
            same_as_std(&format!("{digits}e{exponent}"));
            same_as_std(&format!("{digits}E+{}", exponent.max(0)));
        }
    }
    for zeros in 0..80 {
        same_as_std(&format!("0.{}1", "0".repeat(zeros)));
        same_as_std(&format!("1{}", "0".repeat(zeros)));
        same_as_std(&format!("1{}.5", "0".repeat(zeros)));
        same_as_std(&format!("0.{}", "3".repeat(zeros + 1)));
        same_as_std(&format!(
            "-{}.{}",
            "7".repeat(zeros + 1),
            "1".repeat(zeros + 1)
        ));
    }
    for text in [
        "0",
        "-0",
        "0.0",
        "-0.0e-5",
        "0e99",
        "1e-45",
        "7e-46",
        "1.4e-45",
        "1.17549428e-38",
        "340282346638528859811704183484516925440",
        "340282356779733661637539395458142568447",
        "340282356779733661637539395458142568448",
        "16777217",
        "16777216.5",
        "16777217.0000001",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0e99999999999999999999",
        "0.00000000000000000000000000000000000000000000001e47",
        "123456789012345678",
        "9007199254740993",
        "9223372036854775808",
        "18446744073709551616",
    ] {
        same_as_std(text);
    }
    let long = format!("0.{}{}", "0".repeat(3000), "12345".repeat(2000));
    same_as_std(&long);
    same_as_std(&format!("{}e-12990", "12345".repeat(2600)));
}

fn finite() -> impl Strategy<Value = f32> {
    any::<u32>()
        .prop_map(f32::from_bits)
        .prop_filter("finite", |value| value.is_finite())
}

fn common() -> impl Strategy<Value = f32> {
    prop_oneof![finite(), -1.0_f32..1.0, -0.001_f32..0.001, -1e6_f32..1e6]
}

/// A number as programs write it.
fn written(value: f32, form: u8, digits: usize) -> String {
    match form {
        0 => value.to_string(),
        1 => f64::from(value).to_string(),
        2 => format!("{value:e}"),
        3 => format!("{:.digits$e}", f64::from(value)),
        4 => format!("{value:.digits$}"),
        5 => zmij::Buffer::new().format_finite(value).to_owned(),
        _ => format!("{}", f64::from(value) * 1.000_000_01),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn numbers_are_read_to_the_last_bit(
        values in vec((common(), 0..7_u8, 0..30_usize), 1..40),
        cuts in vec(any::<Index>(), 0..4),
        space in prop::sample::select(vec!["", " ", "  ", "\n\t"]),
    ) {
        let texts: Vec<String> = values
            .iter()
            .map(|(value, form, digits)| written(*value, *form, *digits))
            .collect();
        let expected: Vec<f32> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let body = format!("{{\"vectors\":[[{}]]}}", texts.join(&format!(",{space}")));
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len())).collect();
        match read("search", body.as_bytes(), &cuts) {
            Ok(Request::Search(search)) => {
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(search.vectors.values()), bits(&expected), "{}", body);
            }
            Ok(_) => prop_assert!(false),
            Err(error) => prop_assert!(
                expected.iter().any(|value| value.is_infinite()), "{}: {}", body, error
            ),
        }
    }

    /// Exactly between two neighbours, and a hair to either side.
    #[test]
    fn halves_are_read_as_the_standard_library_reads_them(value in finite()) {
        let next = f32::from_bits(value.to_bits().wrapping_add(1));
        prop_assume!(next.is_finite());
        let middle = (f64::from(value) + f64::from(next)) / 2.0;
        let exact = format!("{middle:.160}");
        let exact = exact.trim_end_matches('0').trim_end_matches('.');
        same_as_std(exact);
        let point = if exact.contains('.') { "" } else { "." };
        same_as_std(&format!("{exact}{point}00000000000000000001"));
        same_as_std(&format!("{middle:e}"));
        for near in [middle.to_bits() - 1, middle.to_bits() + 1] {
            same_as_std(&format!("{:e}", f64::from_bits(near)));
        }
        let digits = format!("{middle:.17e}");
        same_as_std(&digits);
    }
}

const BODIES: &[(&str, &str)] = &[
    (
        "upsert",
        r#"{"ids": [1, 2, 3], "vectors": [[0.1, -2.5e-3], [3, 4.000001], [1e10, -0]], "metadata": [{"a": "x]}\""}, null, { "b" : [1, {"c": 2.50}] }], "durability": "os"}"#,
    ),
    (
        "upsert",
        "{\n \"vectors\" : [ [ 1 , 2 ] ,\t[ 3,4 ] ] ,\"ids\":[ \"a\\u00e9\" ,\"67e55044-10b1-426f-9247-bb680e5fe0c8\" ] \r\n} ",
    ),
    (
        "upsert",
        r#"{"metadata": null, "vectors": {"f32": "AACAPwAAAEAAAEBAAACAQA=="}, "ids": [1, 2]}"#,
    ),
    (
        "upsert",
        r#"{"vectors": {"dimension": 3, "f32": "AACAPwAAAEAAAEBAAACAPwAAAEAAAEBAAACAPwAAAEAAAEBA"}, "ids": [18446744073709551615, 0, 3]}"#,
    ),
    (
        "upsert",
        r#"{"ids": [7], "vectors": {"f32": "\/\/9\u002fP\u002b\/\/fz8="}}"#,
    ),
    ("upsert", r#"{"ids": [], "vectors": []}"#),
    (
        "search",
        r#"{"vectors": [0.12345678359270096, 0.0123456789, -1.5e-05, 100, 7], "limit": 3, "filter": {"must": [{"field": "a]", "eq": "}"}]}, "recall": 0.99, "with_metadata": true}"#,
    ),
    (
        "search",
        r#"{"filter": "a = 1 and b = '}'", "vectors": [[0.5, 1.5], [2.5, 3.5]], "explain": null}"#,
    ),
    ("get", r#"{"ids": [1, "x"], "with_vectors": false}"#),
    ("delete", r#"{"filter": "a = 1"}"#),
    (
        "delete",
        r#"{"ids": null, "filter": {"field": "a", "in": [1, "x", true]}}"#,
    ),
    (
        "update_metadata",
        r#"{"ids": [1], "patch": {"a": {"b": null}}}"#,
    ),
    ("scan", r#"{"limit": 5, "cursor": 77}"#),
    ("count", "{}"),
    ("flush", "  "),
    ("list_collections", "{}"),
    (
        "create_collection",
        r#"{"dimension": 3, "metric": "dot", "unindexed_fields": ["a.b"]}"#,
    ),
];

const PIECES: &[&str] = &[
    "",
    "[",
    "]",
    "{",
    "}",
    "\"",
    ",",
    ":",
    "-",
    ".",
    "e",
    "9",
    "0",
    " ",
    "\n",
    "null",
    "1e39",
    "1e-50",
    "\\",
    "\\u",
    "\\/",
    "=",
    "A",
    "é",
    "\u{0}",
    "[[",
    "]]",
    "\"ids\":",
    "\"vectors\":",
    "1.5,",
    "true",
    "0.1234567890123456789,",
    "[1,2],",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn mutated_bodies_are_answered_as_by_the_model(
        (verb, body) in prop::sample::select(BODIES.to_vec()),
        edits in vec(
            (any::<Index>(), 0..10_usize, any::<bool>(), prop::sample::select(PIECES.to_vec())),
            0..4,
        ),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let mut characters: Vec<char> = body.chars().collect();
        for (place, length, doubled, piece) in edits {
            let start = place.index(characters.len() + 1);
            let end = (start + length).min(characters.len());
            let taken: Vec<char> = characters[start..end].to_vec();
            let put: Vec<char> = if doubled { [&taken[..], &taken].concat() } else { piece.chars().collect() };
            characters.splice(start..end, put);
        }
        let body: String = characters.into_iter().collect();
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        let plain = checked(request_from_body(verb, "docs", &body));
        let fast = checked(read(verb, body.as_bytes(), &cuts));
        match (&plain, &fast) {
            (Ok(plain), Ok(fast)) => prop_assert_eq!(plain, fast, "{}", body),
            (Err(_), Err(_)) => {}
            _ => prop_assert!(false, "{}: {:?}, not {:?}", body, fast, plain),
        }
    }

    #[test]
    fn whatever_bytes_come_in_are_answered(bytes in vec(any::<u8>(), 0..100), cut in any::<Index>()) {
        for verb in Request::VERBS {
            let _ = read(verb, &bytes, &[cut.index(bytes.len() + 1)]);
        }
    }
}

#[test]
fn bodies_are_the_same_wherever_they_are_cut() {
    for (verb, body) in BODIES {
        let plain = request_from_body(verb, "docs", body).unwrap();
        for first in 0..=body.len() {
            assert_eq!(
                read(verb, body.as_bytes(), &[first]).unwrap(),
                plain,
                "{body} at {first}"
            );
        }
        let every: Vec<usize> = (0..body.len()).collect();
        assert_eq!(
            read(verb, body.as_bytes(), &every).unwrap(),
            plain,
            "{body}"
        );
    }
}

#[test]
fn faults_name_the_field_and_row_that_the_model_names() {
    for (verb, json) in [
        ("upsert", r#"{"vectors": [[1]]}"#),
        ("upsert", r#"{"ids": [1]}"#),
        ("upsert", r#"{"ids": [1], "vectors": [[1]], "vector": [1]}"#),
        ("upsert", r#"{"ids": [1, -2], "vectors": [[1], [2]]}"#),
        ("upsert", r#"{"ids": [1, 1.5], "vectors": [[1], [2]]}"#),
        (
            "upsert",
            r#"{"ids": [1, 18446744073709551616], "vectors": [[1], [2]]}"#,
        ),
        ("upsert", r#"{"ids": ["a", null], "vectors": [[1], [2]]}"#),
        ("upsert", r#"{"ids": 1, "vectors": [[1]]}"#),
        ("upsert", r#"{"ids": [1], "vectors": [1]}"#),
        ("upsert", r#"{"ids": [1], "vectors": 1}"#),
        ("upsert", r#"{"ids": [1], "vectors": "x"}"#),
        ("upsert", r#"{"ids": [1], "vectors": null}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], [1, 2]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], [1e39]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], ["x"]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], [null]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], [[2]]]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], 2]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": [[1], null]}"#),
        ("upsert", r#"{"ids": [1, 2], "vectors": ["x", [1]]}"#),
        ("upsert", r#"{"ids": [1], "vectors": {"f32": "AAA="}}"#),
        ("upsert", r#"{"ids": [1], "vectors": {"f32": "!"}}"#),
        ("upsert", r#"{"ids": [1], "vectors": {"f32": "AAAA=AAA"}}"#),
        ("upsert", r#"{"ids": [1], "vectors": {"f32": 1}}"#),
        ("upsert", r#"{"ids": [1], "vectors": {"f32": null}}"#),
        ("upsert", r#"{"ids": [1], "vectors": {}}"#),
        ("upsert", r#"{"ids": [1], "vectors": {"f64": "!"}}"#),
        (
            "upsert",
            r#"{"ids": [1], "vectors": {"f32": "AACAPw==", "dimension": 2}}"#,
        ),
        (
            "upsert",
            r#"{"ids": [1], "vectors": {"f32": "AACAPw==", "dimension": "x"}}"#,
        ),
        (
            "upsert",
            r#"{"ids": [1, 2], "vectors": [[1], [2]], "metadata": [null, 1]}"#,
        ),
        (
            "upsert",
            r#"{"ids": [1], "vectors": [[1]], "metadata": {}}"#,
        ),
        (
            "upsert",
            r#"{"ids": [1], "vectors": [[1]], "durability": "later"}"#,
        ),
        ("delete", "{}"),
        ("delete", r#"{"ids": [1], "filter": "a = 1"}"#),
        ("update_metadata", r#"{"ids": [1]}"#),
        ("update_metadata", r#"{"ids": [1], "patch": []}"#),
        ("search", r#"{"vectors": [1], "limit": -1}"#),
        ("search", r#"{"vectors": [1], "recall": "high"}"#),
        ("search", r#"{"vectors": [1, "x"]}"#),
        ("search", r#"{"vectors": [1, [2]]}"#),
        ("search", r#"{"vectors": [1, 1e40]}"#),
        ("search", r#"{"vectors": [1], "filter": "a ="}"#),
        ("count", r#"{"filter": {"must": 1}}"#),
        ("flush", r#"{"all": 1}"#),
        ("flush", "[]"),
        ("flush", "\u{b}"),
        ("flush", "\u{a0}"),
    ] {
        let expected = request_from_body(verb, "docs", json).unwrap_err();
        for cuts in [vec![], (0..json.len()).collect()] {
            let found = read(verb, json.as_bytes(), &cuts).unwrap_err();
            assert_eq!(
                (found.kind(), found.field(), found.row()),
                (expected.kind(), expected.field(), expected.row()),
                "{json}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn a_fault_is_told_before_the_rest_comes_in() {
    let mut reader = JsonReader::new("upsert", "docs".to_owned());
    reader.feed(br#"{"vectors": [[1, 2], [3, "#).unwrap();
    let error = reader.feed(b"x").unwrap_err();
    assert_eq!((error.field(), error.row()), (Some("vectors"), Some(1)));
    let mut reader = JsonReader::new("upsert", "docs".to_owned());
    assert!(reader.feed(br#"{"vector": "#).is_err());
}

#[test]
fn a_body_above_the_limits_is_refused_while_it_comes_in() {
    for (start, piece) in [
        (r#"{"vectors": [["#, "1,".repeat(1 << 16)),
        (r#"{"vectors": [1"#, "0".repeat(1 << 18)),
        (r#"{"vectors": {"f32": ""#, "A".repeat(1 << 18)),
        (r#"{"ids": ["#, "1,".repeat(1 << 17)),
        (r#"{"metadata": [{"a": ""#, "x".repeat(1 << 18)),
        (r#"{"durability": ""#, "x".repeat(1 << 18)),
        (r#"{""#, "x".repeat(1 << 18)),
    ] {
        let mut reader = JsonReader::new("upsert", "docs".to_owned());
        reader.feed(start.as_bytes()).unwrap();
        let pieces = 2 * BATCH_BYTES_MAX / piece.len();
        let error = (0..pieces).find_map(|_| reader.feed(piece.as_bytes()).err());
        assert_eq!(
            error.map(|error| error.kind()),
            Some(ErrorKind::TooLarge),
            "{start}"
        );
    }
}

#[test]
fn absurd_depth_is_refused() {
    for piece in ["[", "{\"a\":", "{\"vectors\":", "{\"vectors\":[", "\"\\"] {
        for verb in Request::VERBS {
            let _ = read(verb, piece.repeat(100_000).as_bytes(), &[]);
        }
    }
    for name in ["filter", "ids", "vectors", "metadata"] {
        for (open, close) in [("[", "]"), ("{\"must\":[", "]}")] {
            let deep = format!(
                "{{\"{name}\": {}{}}}",
                open.repeat(100_000),
                close.repeat(100_000)
            );
            for verb in ["upsert", "delete", "search"] {
                assert!(read(verb, deep.as_bytes(), &[]).is_err());
            }
        }
    }
}

fn packed_floats() -> impl Strategy<Value = f32> {
    prop_oneof![9 => common(), 1 => Just(f32::INFINITY), 1 => Just(f32::NEG_INFINITY)]
}

fn any_id() -> impl Strategy<Value = Id> {
    prop_oneof![
        any::<u64>().prop_map(Id::from),
        any::<[u8; 16]>().prop_map(|bytes| Id::from(Uuid::from_bytes(bytes))),
        any::<String>().prop_map(Id::from),
    ]
}

fn some_metadata() -> impl Strategy<Value = Option<Metadata>> {
    let object = any::<(String, f64, String)>().prop_filter_map("finite", |(a, number, c)| {
        Metadata::try_from(serde_json::json!({a: number, "b": [null, {c: true}]})).ok()
    });
    proptest::option::of(object)
}

fn points() -> impl Strategy<Value = Vec<Point>> {
    let vector = proptest::option::of(vec(common(), 0..20));
    let point = (any_id(), vector, some_metadata()).prop_map(|(id, vector, metadata)| Point {
        id,
        vector,
        metadata,
    });
    vec(point, 0..5)
}

proptest! {
    #[test]
    fn what_is_written_is_read_by_the_model(
        points in points(),
        scores in vec(packed_floats(), 5),
        next in proptest::option::of(any::<u64>()),
        explained in any::<bool>(),
    ) {
        let hits = points.iter().zip(&scores).map(|(point, score)| Hit {
            id: point.id.clone(),
            score: *score,
            metadata: point.metadata.clone(),
            vector: point.vector.clone(),
        });
        let found = Found {
            results: vec![hits.collect(), Vec::new()],
            explained: explained.then(Explanation::default),
        };
        let got = Got { points: points.iter().cloned().map(Some).chain([None]).collect() };
        let scanned = Scanned { points: points.clone(), next: next.map(Cursor) };
        for (verb, response) in [
            ("search", Response::Search(found)),
            ("get", Response::Get(got)),
            ("scan", Response::Scan(scanned)),
            ("count", Response::Count(Counted { count: 7 })),
        ] {
            let mut body = Vec::new();
            super::write_response(&response, &mut body).unwrap();
            let text = str::from_utf8(&body).unwrap();
            prop_assert_eq!(&response_from_body(verb, text).unwrap(), &response);
        }
    }

    #[test]
    fn requests_that_are_written_are_read_by_both(
        ids in vec(any_id(), 1..6),
        dimension in 0..20_usize,
        values in vec(common(), 120),
        rows in vec(some_metadata(), 6),
        with_metadata in any::<bool>(),
        knobs in any::<(Option<usize>, Option<usize>, bool, bool, usize)>(),
    ) {
        let values = &values[..ids.len() * dimension];
        let mut batch = Batch::new(ids.clone(), values);
        if with_metadata {
            batch = batch.metadata(rows[..ids.len()].iter().map(Option::as_ref).collect());
        }
        let mut requests = vec![
            Request::from(Upsert::new("docs", batch).durability(Durability::Os)),
            Get::new("docs", ids).into(),
            Flush::new("docs").into(),
        ];
        if dimension > 0 {
            let mut search = Search::new("docs", Vectors::new(values, dimension).unwrap())
                .limit(knobs.4)
                .recall(0.99)
                .explain(knobs.2)
                .with_vectors(knobs.3);
            search.filter = with_metadata.then(|| Filter::eq("a\"b", "\n"));
            (search.probes, search.rerank) = (knobs.0, knobs.1);
            requests.push(search.into());
        }
        for request in requests {
            let mut body = Vec::new();
            super::write_request(&request, &mut body).unwrap();
            let text = str::from_utf8(&body).unwrap();
            prop_assert_eq!(&request_from_body(request.verb(), "docs", text).unwrap(), &request);
            prop_assert_eq!(&read(request.verb(), &body, &[]).unwrap(), &request);
        }
    }
}

#[test]
fn metadata_that_is_not_json_is_not_written() {
    let column = MetadataColumn::from_parts("{}{}],\"x\":[", vec![2, 11]).unwrap();
    let batch = Batch::new([1, 2], &[1.0, 2.0]).metadata(column);
    let error = super::write_request(&Upsert::new("docs", batch).into(), &mut Vec::new());
    let error = error.unwrap_err();
    assert_eq!((error.field(), error.row()), (Some("metadata"), Some(1)));
}
