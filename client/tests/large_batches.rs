//! Batches larger than the log file that is at hand are read back like others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use nearfield::{Batch, Collection, Database, Ids, Metric};

const DIMENSION: usize = 256;
const ROWS: u64 = 10_000;

/// A batch of 10 MB from `first` on; a new log begins with a file of 1 MiB.
fn upsert(docs: &Collection, first: u64) {
    let ids: Vec<u64> = (first..first + ROWS).collect();
    let values = (0..ROWS as usize * DIMENSION).map(|value| value as f32);
    let batch = Batch::from_values(Ids::from(ids), values.collect());
    docs.upsert(batch).run().unwrap();
}

fn check(docs: &Collection, first: u64) {
    for row in [0, ROWS / 7, ROWS - 1] {
        let vector: Vec<f32> = (0..DIMENSION)
            .map(|component| (row as usize * DIMENSION + component) as f32)
            .collect();
        let point = docs.get([first + row]).run().unwrap().points.remove(0);
        assert_eq!(point.unwrap().vector.as_ref(), Some(&vector));
        let hits = docs
            .search(&vector)
            .limit(1)
            .run()
            .unwrap()
            .results
            .remove(0);
        assert_eq!(hits[0].score, 0.0);
    }
    let all: Vec<u64> = (first..first + ROWS).collect();
    let points = docs.get(all).with_vectors(false).run().unwrap().points;
    assert!(points.iter().all(Option::is_some));
}

fn fill(db: &Database) {
    let docs = db
        .create_collection("docs", DIMENSION, Metric::Euclidean)
        .unwrap();
    upsert(&docs, 0);
    check(&docs, 0);
    // Compaction begins a file, which is as small.
    docs.delete([5]).run().unwrap();
    docs.compact().unwrap();
    upsert(&docs, ROWS);
    check(&docs, ROWS);
    docs.upsert(Batch::from_values([5], vec![1.0; DIMENSION]))
        .run()
        .unwrap();
    check(&docs, 0);
}

#[test]
fn in_memory() {
    fill(&nearfield::connect(":memory:").unwrap());
}

#[test]
fn in_files_before_and_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let open = || nearfield::connect(path.to_string_lossy()).unwrap();
    fill(&open());
    let docs = open().collection("docs").unwrap();
    check(&docs, 0);
    check(&docs, ROWS);
}
