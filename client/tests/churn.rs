//! What a collection takes follows its points, not its writes: compaction gives back the rest.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use nearfield::{
    Batch, Collection, Durability, Filter, Metadata, MetadataColumn, Metric, Number, Value,
};

const POINTS: u64 = 10_000;
const ROUNDS: u64 = 40;

/// All points anew: one field of few values, one of many, one that only this round has.
fn batch(round: u64) -> Batch<'static> {
    let mut column = MetadataColumn::default();
    let mut values = Vec::new();
    for id in 0..POINTS {
        let members = serde_json::json!({
            "round": round, "place": id * ROUNDS + round, format!("only{}", round % 20): true,
        });
        column
            .push(Some(&Metadata::try_from(members).unwrap()))
            .unwrap();
        values.extend([id as f32, round as f32]);
    }
    let ids: Vec<u64> = (0..POINTS).collect();
    Batch::from_values(ids, values).metadata(column)
}

fn count(docs: &Collection, filter: Filter) -> u64 {
    docs.count().filter(filter).run().unwrap().count
}

fn check(docs: &Collection, round: u64) {
    let of_round = |round| Filter::eq("round", Value::Number(Number::from(round)));
    assert_eq!(docs.count().run().unwrap().count, POINTS);
    assert_eq!(count(docs, of_round(round)), POINTS);
    assert_eq!(count(docs, of_round(round - 1)), 0);
    let place = Value::Number(Number::from(7 * ROUNDS + round));
    assert_eq!(count(docs, Filter::eq("place", place)), 1);
    assert_eq!(count(docs, Filter::parse("place >= 0").unwrap()), POINTS);
    for recall in [0.95, 1.0] {
        let vector = [7.0, round as f32];
        let search = docs.search(&vector).recall(recall);
        let found = search.filter(of_round(round)).run().unwrap();
        assert_eq!(found.results[0][0].id, 7_u64.into());
        assert_eq!(found.results[0][0].score, 0.0);
    }
}

/// Once nobody writes, the index holds no more dead rows than are worth keeping.
fn check_index(docs: &Collection) {
    for _ in 0..600 {
        let description = docs.describe().unwrap();
        let index = description.index.unwrap();
        assert_eq!(index.fault, None);
        let drained = description.unindexed <= index.rows / 256 && index.older_epoch_rows == 0;
        if drained && index.dead_rows < POINTS / 4 && index.segments <= 3 && index.settled {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the index does not come to rest: {:?}", docs.describe());
}

#[test]
fn memory_and_disk_do_not_grow_with_replaced_points() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let open = || {
        let builder = nearfield::Builder::new(path.to_string_lossy());
        let builder = builder.options(|options| {
            options.index_rows = 2_000;
            options.index_batch_rows = 2_048;
            options.index_list_rows = 64;
        });
        builder.open().unwrap()
    };
    let db = open();
    let docs = db.create_collection("docs", 2, Metric::Euclidean).unwrap();
    for round in 1..=ROUNDS {
        let upsert = docs.upsert(batch(round)).durability(Durability::Os);
        upsert.run().unwrap();
        if round % 10 == 0 {
            docs.compact().unwrap();
            check_index(&docs);
            // Every row ever written would take 13 MB at the end, and 5 MB the newest 131,072. What
            // filters matched is kept besides, and none was asked since the last write.
            let memory = docs.describe().unwrap().memory_bytes;
            assert!(memory < 5_000_000, "{memory}");
            check(&docs, round);
        }
    }
    drop((docs, db));
    let db = open();
    let docs = db.collection("docs").unwrap();
    check(&docs, ROUNDS);
    docs.upsert(batch(ROUNDS + 1)).run().unwrap();
    check(&docs, ROUNDS + 1);
    assert_eq!(docs.describe().unwrap().fields.len(), 4);
}

/// The log files below `path` that this process has open, and those that it has mapped.
#[cfg(target_os = "linux")]
fn open_log_files(path: &std::path::Path) -> (usize, usize) {
    let is_ours = |text: &str| text.contains(&*path.to_string_lossy()) && text.contains(".log");
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    let open = targets.filter(|target| is_ours(&target.to_string_lossy()));
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    (
        open.count(),
        maps.lines().filter(|line| is_ours(line)).count(),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn files_do_not_grow_in_number_with_replaced_points() {
    const FILES_MAX: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let open = || {
        let builder = nearfield::Builder::new(path.to_string_lossy());
        let builder = builder.options(|options| options.log_file_bytes = 1 << 20);
        builder.open().unwrap()
    };
    let db = open();
    let docs = db.create_collection("docs", 2, Metric::Euclidean).unwrap();
    let logs = || {
        let names = std::fs::read_dir(path.join("collections/00000001")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".log"))
    };
    for round in 0..300_u64 {
        // One point that stays among those that go.
        let ids: Vec<u64> = (0..500).chain([1_000 + round]).collect();
        let values: Vec<f32> = ids.iter().flat_map(|id| [*id as f32, 1.0]).collect();
        let upsert = docs.upsert(Batch::from_values(ids, values));
        upsert.durability(Durability::Os).run().unwrap();
        docs.compact().unwrap();
        let (descriptors, maps) = open_log_files(&path);
        let files = logs().count();
        assert!(
            files.max(descriptors).max(maps) <= FILES_MAX,
            "round {round}: {files} files, {descriptors} open, {maps} mapped"
        );
    }
    assert!(open_log_files(&path).0 > 0);
    drop((docs, db));
    let db = open();
    let docs = db.collection("docs").unwrap();
    assert_eq!(docs.count().run().unwrap().count, 800);
    assert!(open_log_files(&path).0 <= FILES_MAX);
}
