//! A snapshot is restored into another store with all that it held.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use nearfield::{Batch, ErrorKind, Metadata, MetadataColumn, Metric, Options};

#[test]
fn a_snapshot_of_a_compacted_collection_is_restored_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let db = nearfield::connect(at("store").to_string_lossy()).unwrap();
    let docs = db.create_collection("docs", 2, Metric::Euclidean).unwrap();
    let metadata = Metadata::parse(r#"{"a": 1}"#).unwrap();
    let column: MetadataColumn<'_> = [Some(&metadata), None, None].into_iter().collect();
    let batch = Batch::new(["x", "y", "z"], &[1., 2., 3., 4., 5., 6.]).metadata(column);
    docs.upsert(batch).run().unwrap();
    docs.delete(["y"]).run().unwrap();
    docs.compact().unwrap();
    let expected = docs.scan().with_vectors(true).run().unwrap();
    let taken = docs.snapshot(at("snapshot").to_string_lossy()).unwrap();
    assert_eq!((taken.count, taken.sequence), (2, 2));
    let again = docs.snapshot(at("snapshot").to_string_lossy()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");

    let restore = |store: &str, name| {
        nearfield_engine::restore(&at("snapshot"), &at(store), name, Options::default())
    };
    let held = restore("store", Some("copy")).unwrap_err();
    assert_eq!(held.kind(), ErrorKind::Locked, "{held}");
    drop((docs, db));
    assert_eq!(restore("store", Some("copy")).unwrap(), "copy");
    assert_eq!(restore("new", None).unwrap(), "docs");
    let taken = restore("new", None).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists, "{taken}");
    for (store, name) in [("store", "docs"), ("store", "copy"), ("new", "docs")] {
        let db = nearfield::connect(at(store).to_string_lossy()).unwrap();
        let docs = db.collection(name).unwrap();
        assert_eq!(docs.scan().with_vectors(true).run().unwrap(), expected);
        docs.upsert(Batch::new(["new"], &[0., 0.])).run().unwrap();
        assert_eq!(docs.count().run().unwrap().count, 3);
    }
}
