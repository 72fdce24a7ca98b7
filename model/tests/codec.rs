//! The JSON codec: defaults, the forms that are accepted, and what is refused.

use nearfield_model::codec::{request_from_body, request_from_json, response_from_json};
use nearfield_model::{
    Batch, CreateCollection, Delete, ErrorKind, Filter, Get, Id, Metadata, Metric, Request,
    Response, Scan, Search, Storage, UpdateMetadata, Upsert, Vectors,
};

fn read(text: &str) -> Request<'static> {
    request_from_json(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_structs() {
    for (json, request) in [
        (
            r#"{"create_collection": {"collection": "docs", "dimension": 3}}"#,
            Request::from(CreateCollection::new("docs", 3, Metric::Cosine)),
        ),
        (
            r#"{"create_collection": {"collection": "docs", "dimension": 3, "metric": "dot", "storage": "f16", "unindexed_fields": ["a.b"]}}"#,
            CreateCollection::new("docs", 3, Metric::Dot)
                .storage(Storage::F16)
                .unindexed_fields(["a.b"])
                .into(),
        ),
        (
            r#"{"upsert": {"collection": "docs", "ids": [1, 2], "vectors": [[1, 2], [3, 4]]}}"#,
            Upsert::new("docs", Batch::new([1, 2], &[1.0, 2.0, 3.0, 4.0])).into(),
        ),
        (
            r#"{"upsert": {"collection": "docs", "ids": [1, 2], "vectors": {"f32": "AACAPwAAAEA="}, "metadata": null}}"#,
            Upsert::new("docs", Batch::new([1, 2], &[1.0, 2.0])).into(),
        ),
        (
            r#"{"get": {"collection": "docs", "ids": ["a", 1]}}"#,
            Get::new("docs", vec![Id::from("a"), Id::from(1)]).into(),
        ),
        (
            r#"{"delete": {"collection": "docs", "filter": "a = 1"}}"#,
            Delete::new("docs", Filter::eq("a", 1)).into(),
        ),
        (
            r#"{"update_metadata": {"collection": "docs", "ids": [1], "filter": null, "patch": {"a": null}}}"#,
            UpdateMetadata::new(
                "docs",
                nearfield_model::Ids::from(1),
                Metadata::parse(r#"{"a": null}"#).unwrap(),
            )
            .into(),
        ),
        (
            r#"{"search": {"collection": "docs", "vectors": [0.1, 1e-3]}}"#,
            Search::new("docs", &[0.1, 0.001]).into(),
        ),
        (
            r#"{"search": {"collection": "docs", "vectors": [[1], [2]], "recall": 0.99, "filter": {"field": "a", "eq": 1}}}"#,
            {
                let mut search = Search::new("docs", Vectors::new(vec![1.0, 2.0], 1).unwrap())
                    .filter(Filter::eq("a", 1));
                search.recall = 0.99;
                search.into()
            },
        ),
        (
            r#"{"search": {"collection": "docs", "vectors": [1], "probes": 8, "rerank": 200, "explain": true}}"#,
            Search::new("docs", &[1.0])
                .probes(8)
                .rerank(200)
                .explain(true)
                .into(),
        ),
        (
            r#"{"search": {"collection": "docs", "vectors": [1], "probes": null, "rerank": null, "explain": null}}"#,
            Search::new("docs", &[1.0]).into(),
        ),
        (
            r#"{"search": {"collection": "docs", "vectors": {"f32": "AACAPwAAAEA=", "dimension": 1}}}"#,
            Search::new("docs", Vectors::new(vec![1.0, 2.0], 1).unwrap()).into(),
        ),
        (
            r#"{"search": {"collection": "docs", "vectors": {"f32": "AACAPwAAAEA="}}}"#,
            Search::new("docs", &[1.0, 2.0]).into(),
        ),
        (
            r#"{"scan": {"collection": "docs"}}"#,
            Scan::new("docs").into(),
        ),
        (
            r#"{"list_collections": {}}"#,
            nearfield_model::ListCollections {}.into(),
        ),
    ] {
        assert_eq!(read(json), request, "{json}");
    }
    assert_eq!(
        request_from_body("flush", "docs", " ").unwrap(),
        nearfield_model::Flush::new("docs").into()
    );
}

#[test]
fn metadata_keeps_its_text_and_tells_null_from_empty() {
    let json = r#"{"upsert": {"collection": "c", "ids": [1, 2, 3], "vectors": [[1], [1], [1]],
        "metadata": [ { "b":1.50, "a": 12345678901234567890123 } , null, {}]}}"#;
    let Request::Upsert(upsert) = read(json) else {
        panic!("not an upsert")
    };
    let column = upsert.batch.metadata.unwrap();
    let rows: Vec<_> = column.iter().collect();
    assert_eq!(
        rows,
        [
            Some(r#"{ "b":1.50, "a": 12345678901234567890123 }"#),
            None,
            Some("{}")
        ]
    );
}

#[test]
fn faults_name_field_and_row() {
    let upsert = |rest: &str| format!(r#"{{"upsert": {{"collection": "c", {rest}}}}}"#);
    for (json, field, row, message) in [
        ("[]".to_owned(), None, None, "not a JSON object"),
        ("{}".to_owned(), None, None, "one member"),
        (
            r#"{"flush": {}, "compact": {}}"#.to_owned(),
            None,
            None,
            "one member",
        ),
        (r#"{"find": {}}"#.to_owned(), None, None, "no verb"),
        (
            r#"{"flush": []}"#.to_owned(),
            None,
            None,
            "flush is not a JSON object",
        ),
        (
            r#"{"flush": {}}"#.to_owned(),
            Some("collection"),
            None,
            "missing",
        ),
        (
            r#"{"flush": {"collection": 1}}"#.to_owned(),
            Some("collection"),
            None,
            "expected a string",
        ),
        (
            r#"{"flush": {"collection": "c", "all": 1}}"#.to_owned(),
            Some("all"),
            None,
            "it takes collection",
        ),
        (
            r#"{"flush": {"collection": "c", "collection": "d"}}"#.to_owned(),
            None,
            None,
            "twice",
        ),
        (
            r#"{"create_collection": {"collection": "c"}}"#.to_owned(),
            Some("dimension"),
            None,
            "missing",
        ),
        (
            r#"{"create_collection": {"collection": "c", "dimension": 2, "metric": "l1"}}"#
                .to_owned(),
            Some("metric"),
            None,
            "unknown variant",
        ),
        (upsert(r#""vectors": [[1]]"#), Some("ids"), None, "missing"),
        (
            upsert(r#""ids": [1], "vectors": [[1]], "vector": [1]"#),
            Some("vector"),
            None,
            "it takes",
        ),
        (
            upsert(r#""ids": [1, -2], "vectors": [[1], [2]]"#),
            Some("ids"),
            Some(1),
            "negative",
        ),
        (
            upsert(r#""ids": [1, 1.5], "vectors": [[1], [2]]"#),
            Some("ids"),
            Some(1),
            "an id",
        ),
        (
            upsert(r#""ids": [1], "vectors": [1]"#),
            Some("vectors"),
            None,
            "list of one list",
        ),
        (
            upsert(r#""ids": [1, 2], "vectors": [[1]]"#),
            Some("vectors"),
            None,
            "2 ids and 1 vectors",
        ),
        (
            upsert(r#""ids": [1, 2], "vectors": [[1], [1, 2]]"#),
            Some("vectors"),
            Some(1),
            "same length",
        ),
        (
            upsert(r#""ids": [1, 2], "vectors": [[1], [1e39]]"#),
            Some("vectors"),
            Some(1),
            "beyond the range",
        ),
        (
            upsert(r#""ids": [1, 2], "vectors": [[1], ["x"]]"#),
            Some("vectors"),
            Some(1),
            "not a number",
        ),
        (
            upsert(r#""ids": [1, 2], "vectors": [[1], [null]]"#),
            Some("vectors"),
            Some(1),
            "not a number",
        ),
        (
            upsert(r#""ids": [1, 2], "vectors": [[1], 2]"#),
            Some("vectors"),
            Some(1),
            "expected a sequence",
        ),
        (
            upsert(r#""ids": [1], "vectors": {"f32": "AAA="}"#),
            Some("f32"),
            None,
            "whole f32",
        ),
        (
            upsert(r#""ids": [1], "vectors": {"f32": "!"}"#),
            Some("f32"),
            None,
            "not base64",
        ),
        (
            upsert(r#""ids": [1], "vectors": {"f64": "!"}"#),
            Some("f64"),
            None,
            "it takes f32",
        ),
        (
            upsert(r#""ids": [1, 2], "vectors": [[1], [2]], "metadata": [null, 1]"#),
            Some("metadata"),
            Some(1),
            "has to be an object",
        ),
        (
            upsert(r#""ids": [1], "vectors": [[1]], "durability": "later""#),
            Some("durability"),
            None,
            "unknown variant",
        ),
        (
            r#"{"delete": {"collection": "c"}}"#.to_owned(),
            Some("ids"),
            None,
            "neither",
        ),
        (
            r#"{"delete": {"collection": "c", "ids": [1], "filter": "a = 1"}}"#.to_owned(),
            Some("filter"),
            None,
            "both",
        ),
        (
            r#"{"update_metadata": {"collection": "c", "ids": [1]}}"#.to_owned(),
            Some("patch"),
            None,
            "missing",
        ),
        (
            r#"{"update_metadata": {"collection": "c", "ids": [1], "patch": []}}"#.to_owned(),
            Some("patch"),
            None,
            "object",
        ),
        (
            r#"{"search": {"collection": "c", "vectors": [1], "limit": -1}}"#.to_owned(),
            Some("limit"),
            None,
            "-1",
        ),
        (
            r#"{"search": {"collection": "c", "vectors": [1], "recall": "high"}}"#.to_owned(),
            Some("recall"),
            None,
            "not a number",
        ),
        (
            r#"{"search": {"collection": "c", "vectors": [1], "probes": 1.5}}"#.to_owned(),
            Some("probes"),
            None,
            "expected usize",
        ),
        (
            r#"{"search": {"collection": "c", "vectors": [1], "rerank": "all"}}"#.to_owned(),
            Some("rerank"),
            None,
            "expected usize",
        ),
        (
            r#"{"search": {"collection": "c", "vectors": [1], "explain": 1}}"#.to_owned(),
            Some("explain"),
            None,
            "expected a boolean",
        ),
        (
            r#"{"search": {"collection": "c", "vectors": [1], "filter": "a ="}}"#.to_owned(),
            Some("filter"),
            None,
            "at column 4",
        ),
        (
            r#"{"count": {"collection": "c", "filter": {"must": 1}}}"#.to_owned(),
            Some("filter"),
            None,
            "list of filters",
        ),
    ] {
        let error = request_from_json(&json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{json}: {error}");
        assert_eq!(
            (error.field(), error.row()),
            (field, row),
            "{json}: {error}"
        );
        assert!(error.message().contains(message), "{json}: {error}");
    }
    let deep = format!(
        r#"{{"count": {{"collection": "c", "filter": "{}"}}}}"#,
        "(".repeat(50)
    );
    assert_eq!(
        request_from_json(&deep).unwrap_err().kind(),
        ErrorKind::TooLarge
    );
    assert!(request_from_body("flush", "c", r#"{"collection": "c"}"#).is_err());
}

#[test]
fn an_error_envelope_is_that_error() {
    let error =
        response_from_json(r#"{"error": {"kind": "not_found", "message": "m", "later": 1}}"#)
            .unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "m"));
    let error = response_from_json(r#"{"error": {"kind": "later", "message": "m"}}"#).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Internal, "later: m")
    );
    assert!(response_from_json("{}").is_err());
}

#[test]
fn searches_keep_to_their_knobs() {
    for (probes, rerank, field) in [
        (Some(0), None, "probes"),
        (Some(65_536), None, "probes"),
        (None, Some(0), "rerank"),
        (None, Some(1_000_001), "rerank"),
    ] {
        let mut search = Search::new("docs", &[1.0]);
        (search.probes, search.rerank) = (probes, rerank);
        let error = Request::from(search).check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.field(), Some(field));
    }
    let most = Search::new("docs", &[1.0]).probes(65_535).rerank(1_000_000);
    Request::from(most).check().unwrap();
}

#[test]
fn what_an_earlier_version_did_not_tell_is_taken_as_none() {
    let json = r#"{"describe_collection": {"collection": "docs", "dimension": 2, "metric": "dot",
        "storage": "f32", "unindexed_fields": [], "count": 1, "unindexed": 0, "unencoded": 0,
        "sequence": 1, "synced": 1, "log_files": 1, "log_bytes": 64, "dead_rows": 0,
        "memory_bytes": 9, "fields": []}}"#;
    let Response::DescribeCollection(description) = response_from_json(json).unwrap() else {
        panic!("not a description")
    };
    assert_eq!((description.index, description.write_delay_us), (None, 0));
    let Response::Search(found) = response_from_json(r#"{"search": {"results": []}}"#).unwrap()
    else {
        panic!("not what a search found")
    };
    assert_eq!(found.explained, None);
}
