//! Requests that break a rule are refused with what is wrong, where, and what to do; and
//! they change nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::{Duration, Instant};

use nearfield::limits::*;
use nearfield::{
    Batch, Cancellation, Collection, Context, CreateCollection, Database, Delete, Error, ErrorKind,
    Filter, Get, Id, Ids, Metadata, MetadataColumn, Metric, RequestId, Rights, Scan, Search,
    Storage, UpdateMetadata, Upsert, Vectors, Verb,
};

/// A collection with two points, and what it was before the bad request came.
struct Before {
    docs: Collection,
    state: (u64, u64, u64),
}

fn state(docs: &Collection) -> (u64, u64, u64) {
    let found = docs.describe().unwrap();
    let listed = docs.database().collections().unwrap().len();
    (found.count, found.sequence, listed as u64)
}

fn before(metric: Metric, storage: Storage) -> Before {
    let db = nearfield::connect(":memory:").unwrap();
    db.call(CreateCollection::new("docs", 2, metric).storage(storage))
        .unwrap();
    let docs = db.collection("docs").unwrap();
    let column =
        MetadataColumn::try_from(&[serde_json::json!({"a": 1}), serde_json::json!({})][..]);
    let batch = Batch::new([1, 2], &[1., 0., 0., 1.]).metadata(column.unwrap());
    docs.upsert(batch).run().unwrap();
    let state = state(&docs);
    Before { docs, state }
}

impl Before {
    fn db(&self) -> &Database {
        self.docs.database()
    }

    /// Sends a request that is refused: the error's kind, row and field, and words of its
    /// message that tell what to do.
    #[track_caller]
    fn refuses<'a, V>(
        &self,
        request: V,
        kind: ErrorKind,
        row: Option<usize>,
        field: Option<&str>,
        advice: &str,
    ) where
        V: Verb<'a>,
        V::Answer: std::fmt::Debug,
    {
        self.refuses_with(Context::default(), request, kind, row, field, advice);
    }

    #[track_caller]
    fn refuses_with<'a, V>(
        &self,
        mut context: Context,
        request: V,
        kind: ErrorKind,
        row: Option<usize>,
        field: Option<&str>,
        advice: &str,
    ) where
        V: Verb<'a>,
        V::Answer: std::fmt::Debug,
    {
        let error = self.db().call_with(&mut context, request).unwrap_err();
        assert_is(&error, kind, row, field, advice);
        assert_eq!(state(&self.docs), self.state, "something changed");
    }
}

#[track_caller]
fn assert_is(
    error: &Error,
    kind: ErrorKind,
    row: Option<usize>,
    field: Option<&str>,
    advice: &str,
) {
    assert_eq!(
        (error.kind(), error.row(), error.field()),
        (kind, row, field),
        "{error}"
    );
    assert!(
        error.message().contains(advice),
        "{error} does not say {advice:?}"
    );
}

use ErrorKind::{InvalidArgument, TooLarge};

fn upsert<'a>(ids: impl Into<Ids<'a>>, values: &'a [f32]) -> Upsert<'a> {
    Upsert::new("docs", Batch::new(ids, values))
}

#[test]
fn a_vector_of_another_dimension() {
    let docs = before(Metric::Euclidean, Storage::F32);
    let request = || upsert([1, 3], &[1., 2., 3., 4., 5., 6.]);
    docs.refuses(request(), InvalidArgument, None, Some("vectors"), "takes 2");
    let query = Search::new("docs", &[1., 2., 3.]);
    docs.refuses(query, InvalidArgument, None, Some("vectors"), "takes 2");
}

#[test]
fn a_component_that_is_not_a_number() {
    let docs = before(Metric::Euclidean, Storage::F32);
    let request = upsert([1, 3], &[1., 2., 3., f32::NAN]);
    docs.refuses(
        request,
        InvalidArgument,
        Some(1),
        Some("vectors"),
        "component 1",
    );
    let query = Search::new("docs", &[f32::NAN, 2.]);
    docs.refuses(
        query,
        InvalidArgument,
        Some(0),
        Some("vectors"),
        "component 0",
    );
}

#[test]
fn an_infinite_component() {
    let docs = before(Metric::Dot, Storage::F32);
    let request = upsert([1, 3, 4], &[1., 2., f32::NEG_INFINITY, 0., 1., 1.]);
    docs.refuses(
        request,
        InvalidArgument,
        Some(1),
        Some("vectors"),
        "component 0",
    );
    let queries = Vectors::new(vec![1., 2., 3., f32::INFINITY], 2).unwrap();
    let query = Search::new("docs", queries);
    docs.refuses(
        query,
        InvalidArgument,
        Some(1),
        Some("vectors"),
        "component 1",
    );
}

#[test]
fn a_zero_vector_under_cosine() {
    let docs = before(Metric::Cosine, Storage::F32);
    let request = upsert([1, 3], &[1., 2., 0., -0.0]);
    docs.refuses(
        request,
        InvalidArgument,
        Some(1),
        Some("vectors"),
        "leave it out",
    );
    let query = Search::new("docs", &[0., 0.]);
    docs.refuses(
        query,
        InvalidArgument,
        Some(0),
        Some("vectors"),
        "leave it out",
    );
}

#[test]
fn a_vector_that_f16_rounds_to_zero_under_cosine() {
    let docs = before(Metric::Cosine, Storage::F16);
    let request = upsert([1, 3], &[1., 2., 1e-9, 0.]);
    docs.refuses(
        request,
        InvalidArgument,
        Some(1),
        Some("vectors"),
        "store it as f32",
    );
}

#[test]
fn a_vector_whose_norm_no_f32_holds_under_cosine() {
    let docs = before(Metric::Cosine, Storage::F32);
    let request = upsert([1, 3], &[1., 2., 3e38, 3e38]);
    docs.refuses(
        request,
        InvalidArgument,
        Some(1),
        Some("vectors"),
        "scale it first",
    );
}

#[test]
fn a_component_beyond_f16() {
    let docs = before(Metric::Euclidean, Storage::F16);
    let request = upsert([1, 3], &[1., 2., 65_504., -70_000.]);
    docs.refuses(request, InvalidArgument, Some(1), Some("vectors"), "65,504");
}

#[test]
fn an_empty_batch() {
    let docs = before(Metric::Cosine, Storage::F32);
    let none = || Ids::from(Vec::<u64>::new());
    docs.refuses(
        upsert(none(), &[]),
        InvalidArgument,
        None,
        Some("ids"),
        "at least one",
    );
    let get = Get::new("docs", none());
    docs.refuses(get, InvalidArgument, None, Some("ids"), "at least one");
    let delete = Delete::new("docs", none());
    docs.refuses(delete, InvalidArgument, None, Some("ids"), "at least one");
    let patch = Metadata::parse("{}").unwrap();
    let update = UpdateMetadata::new("docs", none(), patch);
    docs.refuses(update, InvalidArgument, None, Some("ids"), "at least one");
    let query = Search::new("docs", Vectors::new(Vec::new(), 2).unwrap());
    docs.refuses(
        query,
        InvalidArgument,
        None,
        Some("vectors"),
        "at least one",
    );
}

#[test]
fn ids_and_components_that_do_not_fit_together() {
    let docs = before(Metric::Cosine, Storage::F32);
    let request = upsert([1, 2, 3], &[1., 2., 3., 4.]);
    docs.refuses(
        request,
        InvalidArgument,
        None,
        Some("vectors"),
        "3 ids and 4 components",
    );
}

#[test]
fn metadata_of_another_length_than_the_batch() {
    let docs = before(Metric::Cosine, Storage::F32);
    let column = MetadataColumn::try_from(&[serde_json::json!({"a": 2})][..]).unwrap();
    let batch = Batch::new([1, 2], &[1., 2., 3., 4.]).metadata(column);
    let advice = "null where there is none";
    docs.refuses(
        Upsert::new("docs", batch),
        InvalidArgument,
        None,
        Some("metadata"),
        advice,
    );
}

#[test]
fn the_same_id_twice_in_a_batch_is_no_fault_and_the_last_wins() {
    let Before { docs, .. } = before(Metric::Euclidean, Storage::F32);
    let batch = Batch::new([3, 3, 3], &[1., 1., 2., 2., 3., 3.]);
    assert_eq!(docs.upsert(batch).run().unwrap().upserted, 3);
    let points = docs.get([3, 3]).run().unwrap().points;
    for point in points {
        assert_eq!(point.unwrap().vector.unwrap(), [3., 3.]);
    }
    assert_eq!(docs.count().run().unwrap().count, 3);
    let hits = docs.search(&[1., 1.]).run().unwrap().results.remove(0);
    assert_eq!(hits.iter().filter(|hit| hit.id == 3.into()).count(), 1);
}

#[test]
fn an_empty_id() {
    let docs = before(Metric::Cosine, Storage::F32);
    let request = upsert(["a", ""], &[1., 2., 3., 4.]);
    docs.refuses(
        request,
        InvalidArgument,
        Some(1),
        Some("ids"),
        "at least one byte",
    );
}

#[test]
fn an_id_over_the_limit() {
    let docs = before(Metric::Cosine, Storage::F32);
    let long = "x".repeat(ID_BYTES_MAX + 1);
    let request = upsert(["a", &long], &[1., 2., 3., 4.]);
    docs.refuses(request, TooLarge, Some(1), Some("ids"), "at most 512");
    let get = Get::new("docs", ["a", &long]);
    docs.refuses(get, TooLarge, Some(1), Some("ids"), "at most 512");
}

#[test]
fn the_text_of_a_uuid_given_as_a_plain_string() {
    let docs = before(Metric::Cosine, Storage::F32);
    let id = Id::String("67e55044-10b1-426f-9247-bb680e5fe0c8".into());
    let request = upsert(vec![id], &[1., 2.]);
    docs.refuses(request, InvalidArgument, Some(0), Some("ids"), "Id::from");
}

fn with_metadata(texts: [&str; 2]) -> Upsert<'static> {
    let ends = [
        texts[0].len() as u32,
        (texts[0].len() + texts[1].len()) as u32,
    ];
    let column = MetadataColumn::from_parts(texts.concat(), ends.to_vec()).unwrap();
    let batch = Batch::from_values([1, 3], vec![1., 2., 3., 4.]);
    Upsert::new("docs", batch.metadata(column))
}

#[test]
fn metadata_over_the_limit() {
    let docs = before(Metric::Cosine, Storage::F32);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(METADATA_BYTES_MAX));
    let request = with_metadata(["{}", &long]);
    docs.refuses(
        request,
        TooLarge,
        Some(1),
        Some("metadata"),
        "at most 1048576",
    );
}

#[test]
fn metadata_that_nests_too_deep() {
    let docs = before(Metric::Cosine, Storage::F32);
    let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    let request = with_metadata(["{}", &deep]);
    docs.refuses(
        request,
        InvalidArgument,
        Some(1),
        Some("metadata"),
        "deeper than 32",
    );
}

#[test]
fn metadata_that_is_not_an_object() {
    let docs = before(Metric::Cosine, Storage::F32);
    for text in ["[1]", "1", "null", "\"x\"", "{", "{\"a\":NaN}"] {
        let request = with_metadata(["{}", text]);
        let advice = "valid JSON object";
        docs.refuses(request, InvalidArgument, Some(1), Some("metadata"), advice);
    }
}

#[test]
fn metadata_that_an_update_would_bring_over_the_limit() {
    let docs = before(Metric::Cosine, Storage::F32);
    let patch = |name: &str| {
        let half = "x".repeat(METADATA_BYTES_MAX * 2 / 3);
        Metadata::parse(&format!("{{\"{name}\":\"{half}\"}}")).unwrap()
    };
    let Before { docs, .. } = docs;
    docs.update_metadata(Ids::from(1), patch("a"))
        .run()
        .unwrap();
    let docs = Before {
        state: state(&docs),
        docs,
    };
    let update = UpdateMetadata::new("docs", Ids::from(1), patch("b"));
    docs.refuses(update, TooLarge, None, Some("patch"), "at most 1048576");
}

#[test]
fn a_batch_over_64_mib() {
    let docs = before(Metric::Cosine, Storage::F32);
    let rows = BATCH_BYTES_MAX / 8 / 2 + 1;
    let ids: Vec<u64> = (0..rows as u64).collect();
    let values = vec![1.0; rows * 2];
    let error = docs
        .docs
        .upsert(Batch::new(&ids, &values))
        .run()
        .unwrap_err();
    // Rows are limited to 2^20, which is reached first with short vectors.
    assert_is(&error, TooLarge, None, Some("ids"), "at most 1048576");
    let rows = BATCH_BYTES_MAX / 400;
    let ids: Vec<u64> = (0..rows as u64).collect();
    let values = vec![1.0; rows * 100];
    let request = upsert(&ids, &values);
    docs.refuses(
        request,
        TooLarge,
        None,
        None,
        "send fewer points per upsert",
    );
}

#[test]
fn names_that_no_collection_can_have() {
    let docs = before(Metric::Cosine, Storage::F32);
    let long = "x".repeat(COLLECTION_NAME_BYTES_MAX + 1);
    for name in ["", "a b", "../up", "a/b", "a.b", "ä", "a\0", "a\n", &long] {
        let create = CreateCollection::new(name, 2, Metric::Dot);
        docs.refuses(
            create,
            InvalidArgument,
            None,
            Some("collection"),
            "A-Z a-z 0-9 _ -",
        );
        let get = Get::new(name, 1);
        docs.refuses(
            get,
            InvalidArgument,
            None,
            Some("collection"),
            "A-Z a-z 0-9 _ -",
        );
    }
    let longest = "x".repeat(COLLECTION_NAME_BYTES_MAX);
    docs.db()
        .create_collection(longest, 2, Metric::Dot)
        .unwrap();
}

#[test]
fn a_collection_that_is_there_or_is_not() {
    let docs = before(Metric::Cosine, Storage::F32);
    let create = CreateCollection::new("docs", 2, Metric::Dot);
    docs.refuses(
        create,
        ErrorKind::AlreadyExists,
        None,
        Some("collection"),
        "another name",
    );
    let get = Get::new("nothing", 1);
    docs.refuses(
        get,
        ErrorKind::NotFound,
        None,
        Some("collection"),
        "create it",
    );
}

#[test]
fn dimensions_that_no_collection_can_have() {
    let docs = before(Metric::Cosine, Storage::F32);
    for dimension in [0, DIMENSION_MAX + 1] {
        let create = CreateCollection::new("more", dimension, Metric::Dot);
        docs.refuses(
            create,
            InvalidArgument,
            None,
            Some("dimension"),
            "use 1 to 65536",
        );
    }
}

#[test]
fn a_filter_that_nests_too_deep() {
    let docs = before(Metric::Cosine, Storage::F32);
    let deep = (0..100_000).fold(Filter::exists("a"), |filter, _| {
        Filter::Not(Box::new(filter))
    });
    for filter in [
        (0..FILTER_DEPTH_MAX).fold(Filter::exists("a"), |filter, _| {
            Filter::Not(Box::new(filter))
        }),
        (0..FILTER_DEPTH_MAX).fold(Filter::exists("a"), |filter, _| Filter::All(vec![filter])),
    ] {
        let delete = Delete::new("docs", filter.clone());
        docs.refuses(delete, TooLarge, None, Some("filter"), "fewer groups");
        let query = Search::new("docs", &[1., 2.]).filter(filter);
        docs.refuses(query, TooLarge, None, Some("filter"), "fewer groups");
    }
    assert_eq!(deep.check().unwrap_err().kind(), TooLarge);
    // Dropping a tree that deep would overflow the stack; programs cannot send one.
    std::mem::forget(deep);
}

#[test]
fn a_filter_with_too_many_conditions() {
    let docs = before(Metric::Cosine, Storage::F32);
    let many = Filter::any((0..FILTER_NODES_MAX).map(|n| Filter::eq("a", n as u64)));
    let delete = Delete::new("docs", many);
    docs.refuses(delete, TooLarge, None, Some("filter"), "use `in`");
    let many = Filter::one_of("a", 0..FILTER_VALUES_MAX as u64 + 1);
    let scan = Scan::new("docs").filter(many);
    docs.refuses(scan, TooLarge, None, Some("filter"), "65536 values");
}

#[test]
fn a_filter_that_says_nothing() {
    let docs = before(Metric::Cosine, Storage::F32);
    let delete = Delete::new("docs", Filter::exists(""));
    docs.refuses(delete, InvalidArgument, None, Some("filter"), "name one");
    let delete = Delete::new("docs", Filter::range("a", Default::default()));
    docs.refuses(
        delete,
        InvalidArgument,
        None,
        Some("filter"),
        "give one of gt",
    );
}

#[test]
fn a_limit_out_of_range() {
    let docs = before(Metric::Cosine, Storage::F32);
    for limit in [0, SEARCH_LIMIT_MAX + 1] {
        let query = Search::new("docs", &[1., 2.]).limit(limit);
        docs.refuses(
            query,
            InvalidArgument,
            None,
            Some("limit"),
            "use 1 to 10000",
        );
        let scan = Scan::new("docs").limit(limit);
        docs.refuses(scan, InvalidArgument, None, Some("limit"), "use 1 to 10000");
    }
    let queries = Vectors::new(vec![1.0; 2 * 101], 2).unwrap();
    let query = Search::new("docs", queries).limit(SEARCH_LIMIT_MAX);
    docs.refuses(
        query,
        TooLarge,
        None,
        Some("limit"),
        "1000000 hits per search",
    );
    let queries = Vectors::new(vec![1.0; 2 * (SEARCH_VECTORS_MAX + 1)], 2).unwrap();
    let query = Search::new("docs", queries).limit(1);
    docs.refuses(query, TooLarge, None, Some("vectors"), "at most 10000");
}

#[test]
fn a_recall_out_of_range() {
    let docs = before(Metric::Cosine, Storage::F32);
    for recall in [0.0, 0.49, 1.001, -1.0, f32::NAN, f32::INFINITY] {
        let query = Search::new("docs", &[1., 2.]).recall(recall);
        docs.refuses(query, InvalidArgument, None, Some("recall"), "use 0.5 to 1");
    }
}

#[test]
fn a_deadline_that_has_passed() {
    let docs = before(Metric::Cosine, Storage::F32);
    let late = || Context {
        deadline: Instant::now().checked_sub(Duration::from_millis(1)),
        ..Context::default()
    };
    let kind = ErrorKind::DeadlineExceeded;
    docs.refuses_with(
        late(),
        upsert([3], &[1., 2.]),
        kind,
        None,
        None,
        "allow more time",
    );
    let query = Search::new("docs", &[1., 2.]);
    docs.refuses_with(late(), query, kind, None, None, "allow more time");
}

#[test]
fn a_call_that_was_cancelled() {
    let docs = before(Metric::Cosine, Storage::F32);
    let cancelled = || {
        let cancellation = Cancellation::default();
        cancellation.cancel();
        Context {
            cancellation: Some(cancellation),
            ..Context::default()
        }
    };
    let kind = ErrorKind::Cancelled;
    docs.refuses_with(
        cancelled(),
        upsert([3], &[1., 2.]),
        kind,
        None,
        None,
        "cancelled",
    );
    let query = Search::new("docs", &[1., 2.]);
    docs.refuses_with(cancelled(), query, kind, None, None, "cancelled");
}

#[test]
fn a_caller_without_the_right() {
    let docs = before(Metric::Cosine, Storage::F32);
    let with = |rights| Context {
        rights,
        ..Context::default()
    };
    let kind = ErrorKind::Forbidden;
    let request = upsert([3], &[1., 2.]);
    docs.refuses_with(
        with(Rights::Read),
        request,
        kind,
        None,
        None,
        "needs the write right",
    );
    let delete = Delete::new("docs", Ids::from(1));
    docs.refuses_with(
        with(Rights::Read),
        delete,
        kind,
        None,
        None,
        "needs the write right",
    );
    let create = CreateCollection::new("more", 2, Metric::Dot);
    docs.refuses_with(
        with(Rights::Write),
        create,
        kind,
        None,
        None,
        "needs the admin right",
    );
}

#[test]
fn a_request_id_that_was_used_for_another_request() {
    let docs = before(Metric::Cosine, Storage::F32);
    let mut context = Context {
        request_id: Some(RequestId {
            client: [7; 16],
            number: 1,
        }),
        ..Context::default()
    };
    docs.db()
        .call_with(&mut context, upsert([3], &[1., 2.]))
        .unwrap();
    let Before { docs, .. } = docs;
    let docs = Before {
        state: state(&docs),
        docs,
    };
    let delete = Delete::new("docs", Ids::from(1));
    docs.refuses_with(context, delete, InvalidArgument, None, None, "count up");
}
