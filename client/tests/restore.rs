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

#[test]
fn of_two_snapshots_at_once_to_one_place_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let db = nearfield::connect(at("store")).unwrap();
    let rows = 4_000;
    let [one, two] = ["one", "two"].map(|name| {
        let docs = db.create_collection(name, 256, Metric::Dot).unwrap();
        let ids: Vec<u64> = (0..rows).collect();
        let batch = Batch::from_values(ids, vec![1.0; 256 * rows as usize]);
        docs.upsert(batch).run().unwrap();
        docs
    });
    for round in 0..10 {
        let copy = at(&format!("copy {round}"));
        let taken = std::thread::scope(|scope| {
            let calls = [&one, &two, &one].map(|docs| scope.spawn(|| docs.snapshot(&copy)));
            calls.map(|call| call.join().unwrap())
        });
        let (taken, refused): (Vec<_>, Vec<_>) = taken.into_iter().partition(Result::is_ok);
        assert_eq!(taken.len(), 1, "{refused:?}");
        for error in refused.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        }
        let report = nearfield_engine::doctor(copy.as_ref(), &Options::default()).unwrap();
        assert_eq!(report.findings, []);
        assert_eq!(report.collections.len(), 1);
        assert_eq!(report.collections[0].points, rows);
    }
}
