//! Whatever text comes in, readers answer or refuse: they never panic.

use nearfield_model::{Filter, Metadata, codec};
use proptest::prelude::*;

/// Texts that are valid for at least one reader.
const VALID: [&str; 15] = [
    r#"genre = "jazz" and year >= 1960 or not (a.b in (1, 'x\n', true) and exists c)"#,
    "`odd field` starts with 'x' and 1960 <= year < 1970 and b not in [-1.5e-3]",
    "added < '2024-05-01T12:30:00+02:00' or true",
    r#"{"must": [{"field": "genre", "eq": "jazz"}], "should": ["a = 1", {}], "must_not": [{"field": "year", "range": {"gte": 1960, "lt": 1e3}}]}"#,
    r#"{"field": "a", "in": [1, "x", false, -0.5]}"#,
    r#"{"field": "a", "exists": false}"#,
    r#"{"upsert": {"collection": "docs", "ids": [1, "a-7", "67e55044-10b1-426f-9247-bb680e5fe0c8"], "vectors": [[1, 2.5], [0, -1e-3], [3, 4]], "metadata": [{"genre": "jazz"}, null, {}], "durability": "os"}}"#,
    r#"{"upsert": {"collection": "docs", "ids": [1], "vectors": {"f32": "AACAPwAAAEA="}}}"#,
    r#"{"search": {"collection": "docs", "vectors": [[1, 2]], "limit": 10, "recall": 0.95, "filter": "a = 1"}}"#,
    r#"{"search": {"results": [[{"id": 1, "score": 0.93, "metadata": {"a": [1, {"b": null}]}, "vector": [1, 2]}]]}}"#,
    r#"{"search": {"collection": "docs", "vectors": [1], "probes": 8, "rerank": 200, "explain": true}}"#,
    r#"{"search": {"results": [[]], "explained": {"plan": "listed_rows", "matching": 7, "rows_scanned": 3, "rows_refined": 0, "rows_compared": 2, "lists_probed": 1, "lists": 4, "segments": 1, "tail_rows": 0, "epsilon": 1.6, "probes": 1, "stages": [{"name": "scan", "us": 12.5}]}}}"#,
    r#"{"describe_collection": {"collection": "docs", "dimension": 2, "metric": "dot", "storage": "f32", "unindexed_fields": [], "count": 1, "unindexed": 0, "unencoded": 0, "sequence": 1, "synced": 1, "log_files": 1, "log_bytes": 64, "dead_rows": 0, "memory_bytes": 9, "write_delay_us": 5, "index": {"epoch": 1, "lists": 4, "trained_rows": 1, "rows": 1, "dead_rows": 0, "older_epoch_rows": 0, "segments": 1, "bytes": 9, "settled": true, "calibration": [{"limit": 10, "recall": 0.95, "probes": 2, "epsilon": 1.6, "measured": 0.96}], "fault": "f"}, "fields": []}}"#,
    r#"{"error": {"kind": "not_found", "message": "m", "row": 1, "field": "ids"}}"#,
    r#"{"genre": "jazz", "band": {"leader": "Miles", "players": ["\ud83c\udfba", 1, true, null, 1e308]}}"#,
];

/// A valid text with pieces cut, doubled, or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0..12_usize,
        0..4_u8,
        prop::sample::select(vec![
            "",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "\"",
            "'",
            "`",
            "\\",
            ",",
            ":",
            "-",
            ".",
            "e",
            "9",
            "null",
            "not ",
            " and ",
            "\u{0}",
            "é",
            "1e999",
            "18446744073709551616",
            "\\u",
            "\\ud800",
            "[[",
            "{\"must\":[",
        ]),
    );
    (
        prop::sample::select(VALID.to_vec()),
        proptest::collection::vec(edit, 1..6),
    )
        .prop_map(|(text, edits)| {
            let mut characters: Vec<char> = text.chars().collect();
            for (place, length, kind, piece) in edits {
                let start = place.index(characters.len() + 1);
                let end = (start + length).min(characters.len());
                let taken: Vec<char> = characters[start..end].to_vec();
                let replacement: Vec<char> = match kind {
                    0 => piece.chars().collect(),
                    1 => taken.iter().chain(&taken).copied().collect(),
                    2 => piece.chars().chain(taken).collect(),
                    _ => piece.repeat(40).chars().collect(),
                };
                characters.splice(start..end, replacement);
            }
            characters.into_iter().collect()
        })
}

fn feed(text: &str) {
    let filters = [
        Filter::parse(text),
        Filter::from_json(text),
        serde_json::from_str(text)
            .map_err(|error| nearfield_model::Error::invalid(error.to_string())),
    ];
    for filter in filters.into_iter().flatten() {
        assert_eq!(Filter::parse(&filter.to_string()).as_ref(), Ok(&filter));
        let json = serde_json::to_string(&filter).expect("a filter is JSON");
        assert_eq!(Filter::from_json(&json).as_ref(), Ok(&filter));
        let _ = filter.matches(Some(text));
    }
    if let Ok(metadata) = Metadata::parse(text) {
        assert!(Metadata::parse(metadata.as_str()).is_ok());
        let _ = metadata.merged(&metadata);
    }
    if let Ok(request) = codec::request_from_json(text) {
        let _ = request.check();
        let json = codec::request_to_json(&request).expect("a read request is JSON");
        assert_eq!(codec::request_from_json(&json), Ok(request));
    }
    for verb in nearfield_model::Request::VERBS {
        let _ = codec::request_from_body(verb, "docs", text);
        let _ = codec::response_from_body(verb, text);
    }
    if let Ok(response) = codec::response_from_json(text) {
        assert!(codec::response_to_json(&response).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        feed(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_text(text in any::<String>()) {
        feed(&text);
    }

    #[test]
    fn mutated_text(text in mutated()) {
        feed(&text);
    }
}

#[test]
fn absurd_depth() {
    for piece in [
        "(",
        "[",
        "{\"must\":[",
        "{\"a\":",
        "not ",
        "{\"upsert\":",
        "\\",
        "`",
        "\"",
    ] {
        feed(&piece.repeat(100_000));
    }
}
