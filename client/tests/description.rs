//! The figures that a collection tells about itself are right.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::{Duration, Instant};

use nearfield::{Batch, Collection, Description, Ids, Metadata, MetadataColumn, Metric};
use serde_json::json;

const ROWS: u64 = 1_300;

fn column(rows: u64) -> MetadataColumn<'static> {
    let rows = (0..rows).map(|row| {
        let members = match row % 4 {
            0 => json!({"kind": row % 3, "name": format!("n{row}"), "tags": ["x", "y", true]}),
            1 => json!({"kind": row % 3, "name": format!("n{row}"), "deep": {"a": 1.5}}),
            2 => json!({"name": format!("n{row}"), "hidden": row}),
            _ => json!({"name": format!("n{row}")}),
        };
        Metadata::try_from(members).unwrap()
    });
    let mut column = MetadataColumn::default();
    rows.for_each(|metadata| column.push(Some(&metadata)).unwrap());
    column
}

fn fill(docs: &Collection) {
    let ids: Vec<u64> = (0..ROWS).collect();
    let values = (0..ROWS * 2).map(|value| value as f32 + 1.0).collect();
    docs.upsert(Batch::from_values(ids, values).metadata(column(ROWS)))
        .run()
        .unwrap();
}

fn fields(description: &Description) -> Vec<(&str, u64, Option<u64>)> {
    let fields = description.fields.iter();
    fields
        .map(|field| (field.field.as_str(), field.rows, field.distinct))
        .collect()
}

/// What it says once the background has nothing left to do.
fn at_rest(docs: &Collection) -> Description {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let description = docs.describe().unwrap();
        let idle = description.unencoded < 256 && description.synced >= description.sequence;
        if idle || Instant::now() > end {
            return description;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn points_dead_rows_and_files_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let open = || nearfield::Builder::new(path.to_string_lossy());
    let db = open().open().unwrap();
    let docs = db.create_collection("docs", 2, Metric::Euclidean).unwrap();
    let empty = docs.describe().unwrap();
    assert_eq!((empty.count, empty.dead_rows, empty.sequence), (0, 0, 0));
    assert_eq!(
        (empty.unindexed, empty.unencoded, empty.log_files),
        (0, 0, 1)
    );

    fill(&docs);
    let full = docs.describe().unwrap();
    assert_eq!((full.count, full.dead_rows, full.sequence), (ROWS, 0, 1));
    assert!(full.synced >= 1 && full.log_bytes > ROWS * 16, "{full:?}");

    docs.delete((0..100).collect::<Vec<u64>>()).run().unwrap();
    docs.upsert(Batch::new([200, 200, 9_999], &[1.0; 6]))
        .run()
        .unwrap();
    let used = docs.describe().unwrap();
    assert_eq!((used.count, used.sequence), (ROWS - 100 + 1, 3));
    // A hundred removed, one replaced, and one replaced within its batch.
    assert_eq!(used.dead_rows, 102);

    drop((docs, db));
    let db = open().open().unwrap();
    let docs = db.collection("docs").unwrap();
    let again = docs.describe().unwrap();
    assert_eq!((again.count, again.dead_rows), (used.count, used.dead_rows));
    assert_eq!(
        (again.sequence, again.log_bytes),
        (used.sequence, used.log_bytes)
    );
    assert_eq!(fields(&again), fields(&used));

    let compacted = docs.compact().unwrap();
    let after = docs.describe().unwrap();
    assert_eq!((after.count, after.dead_rows), (used.count, 0));
    assert_eq!(after.log_bytes, compacted.bytes_after);
}

#[test]
fn rows_without_codes_become_few_at_rest() {
    let db = nearfield::connect(":memory:").unwrap();
    let docs = db.create_collection("docs", 2, Metric::Euclidean).unwrap();
    for first in 0..20_u64 {
        let ids: Vec<u64> = (first * ROWS..(first + 1) * ROWS).collect();
        let values = (0..ROWS * 2).map(|value| value as f32).collect();
        docs.upsert(Batch::from_values(Ids::from(ids), values))
            .run()
            .unwrap();
    }
    let description = at_rest(&docs);
    assert_eq!(description.unindexed, 20 * ROWS);
    assert!(description.unencoded < 256, "{description:?}");
    assert!(description.synced >= description.sequence);
    // Points take at least a slot each, and a code.
    assert!(description.memory_bytes > 20 * ROWS * 8, "{description:?}");
}

#[test]
fn writes_that_nobody_waited_for_are_on_disk_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let db = nearfield::connect(folder.path().join("store").to_string_lossy()).unwrap();
    let docs = db.create_collection("docs", 2, Metric::Euclidean).unwrap();
    let batch = Batch::new([1], &[1.0, 2.0]);
    docs.upsert(batch)
        .durability(nearfield::Durability::Os)
        .run()
        .unwrap();
    let description = at_rest(&docs);
    assert_eq!((description.sequence, description.synced), (1, 1));
}

#[test]
fn fields_tell_their_rows_and_distinct_values() {
    let db = nearfield::connect(":memory:").unwrap();
    let schema = nearfield::CreateCollection::new("docs", 2, Metric::Dot);
    db.call(schema.unindexed_fields(["hidden"])).unwrap();
    let docs = db.collection("docs").unwrap();
    fill(&docs);
    let quarter = ROWS / 4;
    let expected = [
        ("deep.a", quarter, Some(1)),
        ("kind", 2 * quarter, Some(3)),
        // More than a thousand values are not counted.
        ("name", ROWS, None),
        ("tags", quarter, Some(3)),
    ];
    let description = docs.describe().unwrap();
    assert_eq!(fields(&description), expected);
    assert_eq!(description.unindexed_fields, ["hidden"]);
    // Removed rows stay in the index, as its page says.
    docs.delete([0_u64, 1]).run().unwrap();
    assert_eq!(fields(&docs.describe().unwrap()), expected);
}
