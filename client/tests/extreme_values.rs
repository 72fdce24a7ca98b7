//! Vectors at the ends of the range of `f32` are found like others, however many match.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use nearfield::{Batch, Collection, Ids, Metric};

const VALUES: [f32; 8] = [3e38, -3e38, 1e30, -1e30, 1e-30, -1e-30, 1.0, -1.0];

/// A collection of `rows` vectors made of extreme values.
fn fill(metric: Metric, rows: usize) -> Collection {
    let builder = nearfield::Builder::new(":memory:");
    // Codes are made by the writer, so that searches surely use them.
    let db = builder
        .options(|options| options.background = false)
        .open()
        .unwrap();
    let docs = db.create_collection("docs", 3, metric).unwrap();
    let values: Vec<f32> = (0..rows)
        .flat_map(|row| [VALUES[row % 8], VALUES[row / 8 % 8], VALUES[row / 64 % 8]])
        .collect();
    let ids: Vec<u64> = (0..rows as u64).collect();
    docs.upsert(Batch::from_values(Ids::from(ids), values))
        .run()
        .unwrap();
    docs
}

fn assert_limit_is_reached(metric: Metric, rows: usize) {
    let docs = fill(metric, rows);
    for query in [[3e38, -3e38, 1.0], [1.0, 1.0, 1.0], [1e-30, 0.0, 0.0]] {
        for recall in [0.95, 1.0] {
            for limit in [1, 20, rows] {
                let hits = docs.search(&query).recall(recall).limit(limit).run();
                let hits = hits.unwrap().results.remove(0);
                assert_eq!(
                    hits.len(),
                    limit,
                    "{metric}, {rows} rows, {query:?}, {recall}"
                );
                let in_order = hits.is_sorted_by(|a, b| match metric {
                    Metric::Euclidean => a.score <= b.score,
                    _ => a.score >= b.score,
                });
                assert!(in_order, "{metric}, {rows} rows, {query:?}, {recall}");
            }
        }
    }
}

#[test]
fn few_rows() {
    assert_limit_is_reached(Metric::Euclidean, 100);
    assert_limit_is_reached(Metric::Dot, 100);
}

#[test]
fn rows_with_codes() {
    assert_limit_is_reached(Metric::Euclidean, 1_024);
    assert_limit_is_reached(Metric::Dot, 1_024);
}

#[test]
fn cosine_does_not_depend_on_the_norm() {
    let db = nearfield::connect(":memory:").unwrap();
    let docs = db.create_collection("docs", 2, Metric::Cosine).unwrap();
    let values = [1e30, 1e30, 1e-30, 1e-30, 1.0, 1.0, 1e37, 0.0, 1e-37, 0.0];
    docs.upsert(Batch::new([1, 2, 3, 4, 5], &values))
        .run()
        .unwrap();
    for norm in [1e-30_f32, 1.0, 1e30] {
        let hits = docs.search(&[norm, 0.0]).run().unwrap().results.remove(0);
        for hit in hits {
            let expected = if hit.id < 4.into() {
                0.5_f32.sqrt()
            } else {
                1.0
            };
            assert!((hit.score - expected).abs() < 1e-6, "{norm}: {hit:?}");
        }
    }
}
