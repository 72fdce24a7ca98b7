//! A store keeps within the memory that it may take: it refuses what would go beyond, loses
//! nothing by that, and goes on with all else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nearfield::{
    Batch, Builder, Collection, Context, CreateCollection, Database, Durability, Error, ErrorKind,
    Filter, Ids, Metadata, MetadataColumn, Metric, RequestId, Upsert, Vectors,
};

const BATCH_ROWS: u64 = 500;

fn open(target: &str, bytes: u64) -> Database {
    let builder = Builder::new(target);
    let builder = builder.options(|options| options.memory_bytes_max = Some(bytes));
    builder.open().unwrap()
}

fn batch(first: u64, dimension: usize) -> Batch<'static> {
    let ids: Vec<u64> = (first..first + BATCH_ROWS).collect();
    let values = ids.iter().flat_map(|id| {
        (0..dimension).map(move |position| ((id * 31 + position as u64 * 7) % 101) as f32 - 50.0)
    });
    let values = values.collect();
    let mut column = MetadataColumn::default();
    for id in &ids {
        let text = format!(r#"{{"parity": {}, "name": "number {id}"}}"#, id % 2);
        column.push(Some(&Metadata::parse(&text).unwrap())).unwrap();
    }
    Batch::from_values(Ids::from(ids), values).metadata(column)
}

/// Writes batches from `first` on until one is refused; gives the id that it began with.
fn fill(docs: &Collection, mut first: u64, dimension: usize) -> (u64, Error) {
    loop {
        let write = docs.upsert(batch(first, dimension));
        match write.durability(Durability::Os).run() {
            Ok(_) => first += BATCH_ROWS,
            Err(error) => return (first, error),
        }
        assert!(first < 1_000_000, "nothing is ever refused");
    }
}

fn assert_holds(docs: &Collection, ids: std::ops::Range<u64>) {
    let count = ids.end - ids.start;
    assert_eq!(docs.count().run().unwrap().count, count);
    let odd = docs.count().filter(Filter::eq("parity", 1)).run().unwrap();
    assert_eq!(odd.count, count / 2);
    let got = docs.get(ids.clone().collect::<Vec<u64>>()).run().unwrap();
    assert!(got.points.iter().all(Option::is_some));
    let last = got.points.last().unwrap().as_ref().unwrap();
    let vector = last.vector.clone().unwrap();
    let found = docs.search(&vector).recall(1.0).run().unwrap();
    assert_eq!(found.results[0].len(), 10);
    assert_eq!(found.results[0][0].score, 0.0);
    assert_eq!(docs.scan().run().unwrap().points.len(), 1_000);
}

fn refuses_then_goes_on(target: &str, bytes: u64) {
    let dimension = 8;
    let db = open(target, bytes);
    let docs = db.create_collection("docs", dimension, Metric::Euclidean);
    let docs = docs.unwrap();
    let (written, error) = fill(&docs, 0, dimension);
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(
        error.message().contains(&format!("of the {bytes} bytes")),
        "{error}"
    );
    assert!(written > 2_000, "{written}: {error}");
    let description = docs.describe().unwrap();
    assert!(description.memory_bytes <= bytes, "{description:?}");
    assert_holds(&docs, 0..written);

    // Nothing is taken while the store is full.
    let ids: Vec<u64> = (0..written).collect();
    let patch = Metadata::parse(r#"{"more": true}"#).unwrap();
    let update = docs.update_metadata(ids.clone(), patch.clone()).run();
    assert_eq!(update.unwrap_err().kind(), ErrorKind::OutOfMemory);
    let update = docs.update_metadata_matching(Filter::eq("parity", 1), patch);
    assert_eq!(update.run().unwrap_err().kind(), ErrorKind::OutOfMemory);
    let (unchanged, _) = fill(&docs, written, dimension);
    assert_eq!(unchanged, written);
    assert_holds(&docs, 0..written);

    // Removed points give their memory back when the log is compacted.
    let kept = written - 1_000..written;
    docs.delete(&ids[..kept.start as usize]).run().unwrap();
    docs.compact().unwrap();
    assert_holds(&docs, kept.clone());
    let after = docs.describe().unwrap();
    assert!(
        after.memory_bytes < description.memory_bytes,
        "{} and {}",
        description.memory_bytes,
        after.memory_bytes
    );
    let (further, error) = fill(&docs, written, dimension);
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(further > written + 1_000, "{further} {written}: {error}");
    assert_holds(&docs, kept.start..further);
    docs.flush().unwrap();
}

#[test]
fn a_full_store_refuses_writes_and_takes_them_again_after_compaction() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    refuses_then_goes_on(&path.to_string_lossy(), 2 << 20);

    // With less than it holds it opens and answers; with more it takes writes.
    let db = open(&path.to_string_lossy(), 64 << 10);
    let docs = db.collection("docs").unwrap();
    let count = docs.count().run().unwrap().count;
    assert!(count > 1_000);
    assert_eq!(docs.search(&[1.0; 8]).run().unwrap().results[0].len(), 10);
    let error = docs.upsert(batch(0, 8)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    let error = db.create_collection("more", 8, Metric::Dot).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert_eq!(docs.delete([u64::MAX]).run().unwrap().deleted, 0);
    drop((docs, db));
    let db = open(&path.to_string_lossy(), 64 << 20);
    let docs = db.collection("docs").unwrap();
    docs.upsert(batch(0, 8)).run().unwrap();
    assert_eq!(docs.count().run().unwrap().count, count + BATCH_ROWS);
}

#[test]
fn files_of_a_store_in_memory_count() {
    refuses_then_goes_on(":memory:", 4 << 20);
    let db = open(":memory:", 8 << 20);
    // Codes and ids of these vectors are a small part of what they take.
    let docs = db.create_collection("docs", 512, Metric::Dot).unwrap();
    let (written, error) = fill(&docs, 0, 512);
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!((1_000..=4_096).contains(&written), "{written}");
    assert!(docs.describe().unwrap().log_bytes <= 8 << 20);
}

#[test]
fn codes_that_the_index_makes_later_count_already() {
    let bytes = 18 << 20;
    let folder = tempfile::tempdir().unwrap();
    let builder = Builder::new(folder.path().join("store").to_string_lossy());
    let builder = builder.options(|options| {
        options.memory_bytes_max = Some(bytes);
        options.index_rows = 4_000;
    });
    let db = builder.open().unwrap();
    let docs = db
        .create_collection("docs", 128, Metric::Euclidean)
        .unwrap();
    let (written, error) = fill(&docs, 0, 128);
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(written > 8_000, "{written}");
    let end = Instant::now() + Duration::from_secs(60);
    let description = loop {
        let description = docs.describe().unwrap();
        assert!(description.memory_bytes <= bytes, "{description:?}");
        let index = description.index.as_ref();
        if index.is_some_and(|index| index.settled) {
            break description;
        }
        assert!(Instant::now() < end, "{description:?}");
        std::thread::sleep(Duration::from_millis(10));
    };
    // An 8-bit code takes a byte per component.
    assert!(description.memory_bytes > written * 128, "{description:?}");
    assert_holds(&docs, 0..written);
}

#[test]
fn a_write_that_was_answered_is_answered_again() {
    let db = open(":memory:", 2 << 20);
    let docs = db.create_collection("docs", 8, Metric::Dot).unwrap();
    let id = |number| Context {
        request_id: Some(RequestId {
            client: [7; 16],
            number,
        }),
        ..Context::default()
    };
    let write = || Upsert::new("docs", batch(0, 8));
    let first = db.call_with(&mut id(1), write()).unwrap();
    fill(&docs, BATCH_ROWS, 8);
    assert_eq!(db.call_with(&mut id(1), write()).unwrap(), first);
    let error = db.call_with(&mut id(2), write()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
}

#[test]
fn collections_count_though_they_are_empty() {
    let db = open(":memory:", 1 << 20);
    let create = |number| {
        let name = format!("docs-{number}");
        let context = &mut Context::default();
        db.call_with(context, CreateCollection::new(name, 8, Metric::Dot))
    };
    let made = (0..1_000).take_while(|number| create(*number).is_ok());
    let made = made.count();
    assert!((8..100).contains(&made), "{made}");
    let error = create(made).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert_eq!(db.collections().unwrap().len(), made);
    db.drop_collection("docs-0").unwrap();
    db.drop_collection("docs-1").unwrap();
    create(made).unwrap();
}

#[test]
fn a_search_whose_result_is_too_large_is_refused() {
    let db = open(":memory:", 16 << 20);
    let docs = db.create_collection("docs", 64, Metric::Dot).unwrap();
    for first in 0..4 {
        docs.upsert(batch(first * BATCH_ROWS, 64)).run().unwrap();
    }
    let queries = vec![1.0_f32; 100 * 64];
    let queries = || Vectors::new(&queries[..], 64).unwrap();
    let search = || docs.search(queries()).limit(2_000).recall(1.0);
    let error = search().run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(error.message().contains("fewer hits"), "{error}");
    let found = docs.search(queries()).limit(50).with_vectors(true).run();
    assert_eq!(found.unwrap().results.len(), 100);
    // More hits are asked for than there are points: what cannot be found takes no room.
    let found = docs.search(&[1.0; 64]).limit(10_000).run().unwrap();
    assert_eq!(found.results[0].len(), 2_000);

    let wide = open(":memory:", 256 << 20);
    let docs = wide.create_collection("docs", 64, Metric::Dot).unwrap();
    for first in 0..4 {
        docs.upsert(batch(first * BATCH_ROWS, 64)).run().unwrap();
    }
    let found = docs.search(queries()).limit(2_000).recall(1.0).run();
    assert_eq!(found.unwrap().results.len(), 100);
}

#[test]
fn writers_at_once_stay_within_the_bound() {
    let bytes = 3 << 20;
    let builder = Builder::new(":memory:").options(|options| {
        options.memory_bytes_max = Some(bytes);
        // Room for training is kept only where there is to be an index.
        options.index_rows = u32::MAX;
    });
    let db = builder.open().unwrap();
    let docs = db.create_collection("docs", 8, Metric::Dot).unwrap();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(BATCH_ROWS, Ordering::Relaxed);
                    let write = docs.upsert(batch(first, 8)).durability(Durability::Os);
                    if let Err(error) = write.run() {
                        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
                        return;
                    }
                }
            });
        }
    });
    let description = docs.describe().unwrap();
    let taken = description.memory_bytes + description.log_bytes;
    assert!(taken <= bytes, "{description:?}");
    assert!(taken > bytes / 2, "{description:?}");
    // Nothing stays reserved: a write that is small goes on once the others are refused.
    docs.delete([0_u64]).run().unwrap();
    docs.upsert(Batch::new([0], &[1.0; 8])).run().unwrap();
}
