//! Readers and writers at once: an answer holds whole batches or nothing of them, and each
//! point in one version.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nearfield::{
    Batch, Collection, Durability, Filter, Ids, Metadata, MetadataColumn, Metric, Number, Value,
};

const BATCH: u64 = 40;
const WRITERS: u64 = 8;
const DIMENSION: usize = 8;
const RUN: Duration = Duration::from_secs(4);

/// Has indexes trained, drained and merged by a few points.
fn with_small_index(options: &mut nearfield::Options) {
    options.index_rows = 100;
    options.index_batch_rows = 48;
    options.index_list_rows = 8;
    options.exact_rows = 0;
    options.log_file_bytes = 1 << 20;
    options.checkpoint_bytes = 256 << 10;
}

/// The points of one writer: their ids are fixed, and each batch replaces all of them.
fn ids(writer: u64) -> Vec<u64> {
    (writer * BATCH..(writer + 1) * BATCH).collect()
}

/// A batch whose points all bear the same round, in their metadata and their vectors.
fn batch(writer: u64, round: u64) -> Batch<'static> {
    let mut values = Vec::new();
    let mut column = MetadataColumn::default();
    for _ in 0..BATCH {
        values.extend([round as f32; DIMENSION]);
        let members = serde_json::json!({"writer": writer, "round": round});
        column
            .push(Some(&Metadata::try_from(members).unwrap()))
            .unwrap();
    }
    Batch::from_values(ids(writer), values).metadata(column)
}

fn of_writer(writer: u64) -> Filter {
    Filter::eq("writer", Value::Number(Number::from(writer)))
}

fn number(metadata: &Option<Metadata>, name: &str) -> u64 {
    let value = metadata.as_ref().and_then(|metadata| metadata.get(name));
    value.and_then(|value| value.as_u64()).unwrap()
}

/// Upserts, updates and deletes whole batches until it is time.
fn write(docs: &Collection, writer: u64, stop: &AtomicBool, written: &AtomicU64) {
    let mut round = 1;
    while !stop.load(Ordering::Relaxed) {
        docs.upsert(batch(writer, round)).run().unwrap();
        match round % 5 {
            1 => {
                let patch = Metadata::parse(r#"{"patched": true}"#).unwrap();
                let updated = docs
                    .update_metadata_matching(of_writer(writer), patch)
                    .run();
                assert_eq!(updated.unwrap().updated, BATCH);
            }
            3 => {
                let deleted = docs.delete(ids(writer)).run().unwrap().deleted;
                assert_eq!(deleted, BATCH);
            }
            4 => {
                let deleted = docs
                    .delete_matching(of_writer(writer))
                    .run()
                    .unwrap()
                    .deleted;
                assert_eq!(deleted, BATCH);
            }
            _ => {}
        }
        written.fetch_add(1, Ordering::Relaxed);
        round += 1;
    }
    docs.upsert(batch(writer, round)).run().unwrap();
}

/// Each writer's points are all there or none, all of one round and once each.
fn assert_whole<'p>(points: impl Iterator<Item = (&'p nearfield::Id, &'p Option<Metadata>)>) {
    let mut rounds: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut seen: BTreeMap<u64, BTreeSet<&nearfield::Id>> = BTreeMap::new();
    for (id, metadata) in points {
        let writer = number(metadata, "writer");
        rounds
            .entry(writer)
            .or_default()
            .insert(number(metadata, "round"));
        assert!(seen.entry(writer).or_default().insert(id), "{id} twice");
    }
    for (writer, rounds) in rounds {
        assert_eq!(rounds.len(), 1, "writer {writer} in rounds {rounds:?}");
        assert_eq!(seen[&writer].len() as u64, BATCH, "writer {writer}");
    }
}

fn search(docs: &Collection, recall: f32) {
    let search = docs.search(&[0.0; DIMENSION]).recall(recall);
    let found = search
        .limit((BATCH * WRITERS) as usize)
        .with_metadata(true)
        .with_vectors(true)
        .run();
    let hits = found.unwrap().results.remove(0);
    assert_whole(hits.iter().map(|hit| (&hit.id, &hit.metadata)));
    for hit in &hits {
        let round = number(&hit.metadata, "round") as f32;
        assert_eq!(hit.vector.as_deref(), Some(&[round; DIMENSION][..]));
        let score = round * (DIMENSION as f32).sqrt();
        assert!((hit.score - score).abs() <= 1e-5 * score, "{hit:?}");
    }
}

fn read(docs: &Collection, reader: u64, stop: &AtomicBool, answers: &AtomicU64) {
    let mut step = reader;
    while !stop.load(Ordering::Relaxed) {
        step += 1;
        let writer = step % WRITERS;
        match step % 6 {
            0 => search(docs, 1.0),
            1 => search(docs, 0.95),
            2 => {
                let points = docs.get(ids(writer)).run().unwrap().points;
                let there = points.iter().flatten();
                assert_whole(there.map(|point| (&point.id, &point.metadata)));
                for point in points.iter().flatten() {
                    let round = number(&point.metadata, "round") as f32;
                    assert_eq!(point.vector.as_deref(), Some(&[round; DIMENSION][..]));
                }
            }
            3 => {
                let points = docs.scan().limit(10_000).run().unwrap().points;
                assert_whole(points.iter().map(|point| (&point.id, &point.metadata)));
            }
            4 => {
                let count = docs.count().run().unwrap().count;
                assert_eq!(count % BATCH, 0);
                let filtered = docs.count().filter(of_writer(writer)).run().unwrap().count;
                assert!(filtered == 0 || filtered == BATCH, "{filtered}");
                let absent = docs.count().filter(!of_writer(writer)).run().unwrap().count;
                assert_eq!(absent % BATCH, 0);
            }
            _ => {
                let found = docs.search(&[0.0; DIMENSION]).filter(of_writer(writer));
                let found = found.limit(1_000).with_metadata(true).run().unwrap();
                let hits = &found.results[0];
                assert_whole(hits.iter().map(|hit| (&hit.id, &hit.metadata)));
            }
        }
        let description = docs.describe().unwrap();
        assert_eq!(description.count % BATCH, 0);
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_answer_holds_whole_batches_while_eight_writers_sync() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let open = || {
        let builder = nearfield::Builder::new(path.to_string_lossy());
        builder.options(with_small_index)
    };
    let db = open().open().unwrap();
    let docs = db
        .create_collection("docs", DIMENSION, Metric::Euclidean)
        .unwrap();
    let (stop, written, answers) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let (docs, stop, written, answers) = (&docs, &stop, &written, &answers);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write(docs, writer, stop, written)))
            .collect();
        let readers: Vec<_> = (0..3)
            .map(|reader| scope.spawn(move || read(docs, reader, stop, answers)))
            .collect();
        let snapshots = folder.path().join("snapshots");
        std::fs::create_dir(&snapshots).unwrap();
        let end = Instant::now() + RUN;
        for number in 0.. {
            std::thread::sleep(RUN / 8);
            let failed = writers
                .iter()
                .chain(&readers)
                .any(|thread| thread.is_finished());
            if failed || Instant::now() > end {
                break;
            }
            docs.compact().unwrap();
            let taken = docs.snapshot(snapshots.join(number.to_string()).to_string_lossy());
            let taken = taken.unwrap();
            assert_eq!(taken.count % BATCH, 0);
            let copy = nearfield::connect(&taken.path)
                .unwrap()
                .collection("docs")
                .unwrap();
            let points = copy.scan().limit(10_000).run().unwrap().points;
            assert_eq!(points.len() as u64, taken.count);
            assert_whole(points.iter().map(|point| (&point.id, &point.metadata)));
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!(
        "{} rounds of {WRITERS} writers, {} answers",
        written.load(Ordering::Relaxed),
        answers.load(Ordering::Relaxed)
    );
    let check = |docs: &Collection| {
        let points = docs.scan().limit(10_000).run().unwrap().points;
        assert_eq!(points.len() as u64, BATCH * WRITERS);
        assert_whole(points.iter().map(|point| (&point.id, &point.metadata)));
    };
    check(&docs);
    let description = docs.describe().unwrap();
    assert!(
        description.synced >= description.sequence,
        "{description:?}"
    );
    let index = description.index.unwrap();
    assert_eq!(index.fault, None);
    assert!(index.rows > 1_000, "{index:?}");
    drop((docs, db));
    let db = open().open().unwrap();
    check(&db.collection("docs").unwrap());
}

/// The points whose numbers lie within a window that moves on: those in front are written, those
/// behind removed.
struct Window {
    /// Points before the first are gone; removing those before the second was begun.
    removed: AtomicU64,
    removing: AtomicU64,
    /// Points before this are there, unless removed.
    written: AtomicU64,
}

impl Window {
    /// How many points there are by the time that so many were written.
    fn rows(written: u64) -> u64 {
        (150 + written / 8).min(3_000)
    }

    fn vector(number: u64) -> [f32; DIMENSION] {
        std::array::from_fn(|axis| (number * (axis as u64 + 3) % 101) as f32)
    }

    fn move_on(&self, docs: &Collection, stop: &AtomicBool) {
        let mut round = 0;
        while !stop.load(Ordering::Relaxed) {
            round += 1;
            let first = self.written.load(Ordering::Relaxed);
            let end = first + 1 + round % 60;
            let mut column = MetadataColumn::default();
            let mut values = Vec::new();
            for number in first..end {
                let members = serde_json::json!({"tenth": number % 10 == 0, "number": number});
                let metadata = Metadata::try_from(members).unwrap();
                column.push(Some(&metadata)).unwrap();
                values.extend(Window::vector(number));
            }
            let ids: Vec<u64> = (first..end).collect();
            let batch = Batch::from_values(ids, values).metadata(column);
            let upsert = docs.upsert(batch).durability(Durability::Os);
            upsert.run().unwrap();
            self.written.store(end, Ordering::SeqCst);
            let behind = end.saturating_sub(Window::rows(end));
            let removed = self.removed.load(Ordering::Relaxed);
            if behind > removed {
                self.removing.store(behind, Ordering::SeqCst);
                let deleted = match round % 2 {
                    0 => docs.delete((removed..behind).collect::<Vec<u64>>()).run(),
                    _ => {
                        let gone = Filter::parse(&format!("number < {behind}")).unwrap();
                        docs.delete_matching(gone).run()
                    }
                };
                assert_eq!(deleted.unwrap().deleted, behind - removed);
                self.removed.store(behind, Ordering::SeqCst);
            }
            if round % 50 == 0 {
                docs.compact().unwrap();
            }
        }
    }

    fn search(&self, docs: &Collection, number: u64) {
        let removed = self.removed.load(Ordering::SeqCst);
        let written = self.written.load(Ordering::SeqCst);
        let query = Window::vector(number);
        let mut search = docs.search(&query).limit(10_000).explain(true);
        let step = if number.is_multiple_of(3) { 10 } else { 1 };
        if step == 10 {
            search = search.filter(Filter::eq("tenth", true));
        }
        if number.is_multiple_of(5) {
            search = search.probes(1);
        }
        let found = search.run().unwrap();
        let removing = self.removing.load(Ordering::SeqCst);
        let hits = &found.results[0];
        let note = format!("{removed} {removing} {written} {:?}", found.explained);
        assert!(hits.is_sorted_by(|a, b| a.score <= b.score), "{note}");
        let ids: BTreeSet<u64> = hits
            .iter()
            .map(|hit| match hit.id {
                nearfield::Id::U64(id) => id,
                _ => panic!("{hit:?}"),
            })
            .collect();
        assert_eq!(ids.len(), hits.len(), "points twice: {note}");
        assert!(
            ids.iter().all(|id| *id >= removed && id % step == 0),
            "{note}"
        );
        let missing: Vec<u64> = (removing..written)
            .filter(|id| id % step == 0 && !ids.contains(id))
            .collect();
        assert!(missing.is_empty(), "missing {missing:?}: {note}");
        // At their own place, the nearest is at distance 0.
        if step == 1 && (removing..written).contains(&number) {
            assert_eq!(hits[0].score, 0.0, "{note}");
        }
    }
}

#[test]
fn a_search_finds_all_that_was_there_and_nothing_that_was_gone_before() {
    for path in [":memory:", "disk"] {
        let folder = tempfile::tempdir().unwrap();
        let target = match path {
            "disk" => folder.path().join("store").to_string_lossy().into_owned(),
            memory => memory.to_owned(),
        };
        let builder = nearfield::Builder::new(target).options(with_small_index);
        let db = builder.open().unwrap();
        let docs = db
            .create_collection("docs", DIMENSION, Metric::Euclidean)
            .unwrap();
        let window = Window {
            removed: AtomicU64::new(0),
            removing: AtomicU64::new(0),
            written: AtomicU64::new(0),
        };
        let (stop, answers) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let (docs, window, stop, answers) = (&docs, &window, &stop, &answers);
            let mut threads = vec![scope.spawn(move || window.move_on(docs, stop))];
            threads.extend((0..3).map(|reader| {
                scope.spawn(move || {
                    let mut number = reader;
                    while !stop.load(Ordering::Relaxed) {
                        number += 7;
                        window.search(docs, number);
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                })
            }));
            let begin = Instant::now();
            let is_early = |docs: &Collection| {
                let index = docs.describe().unwrap().index;
                let went_on = index.is_some_and(|index| index.epoch >= 2 && index.rows > 1_000);
                begin.elapsed() < RUN / 2 || begin.elapsed() < 10 * RUN && !went_on
            };
            while is_early(docs) && !threads.iter().any(|thread| thread.is_finished()) {
                std::thread::sleep(Duration::from_millis(10));
            }
            stop.store(true, Ordering::Relaxed);
        });
        let description = docs.describe().unwrap();
        let index = description.index.unwrap();
        println!(
            "{path}: {} written, {} answers, epoch {}, {} rows indexed",
            window.written.load(Ordering::Relaxed),
            answers.load(Ordering::Relaxed),
            index.epoch,
            index.rows,
        );
        assert_eq!(index.fault, None);
        assert!(index.epoch >= 2 && index.rows > 1_000, "{index:?}");
    }
}

#[test]
fn a_point_is_never_absent_while_it_is_replaced() {
    let db = nearfield::Builder::new(":memory:").options(|options| {
        options.index_rows = 1;
        options.index_batch_rows = 2;
        options.exact_rows = 0;
    });
    let db = db.open().unwrap();
    let docs = db.create_collection("docs", 2, Metric::Dot).unwrap();
    docs.upsert(Batch::new([1, 2], &[1., 0., 0., 1.]))
        .run()
        .unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let points = docs.get([1, 2]).run().unwrap().points;
                assert!(points.iter().all(Option::is_some));
                let hits = docs.search(&[1., 1.]).run().unwrap().results.remove(0);
                assert_eq!(hits.len(), 2);
                assert_eq!(docs.count().run().unwrap().count, 2);
                assert_eq!(docs.describe().unwrap().count, 2);
            }
        });
        for round in 0..20_000_u32 {
            let values = [round as f32, 0., 0., round as f32];
            let upsert = docs.upsert(Batch::new([1, 2], &values));
            upsert.durability(Durability::Os).run().unwrap();
            if reader.is_finished() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn writes_to_different_ids_by_many_writers_are_all_there() {
    let db = nearfield::connect(":memory:").unwrap();
    let docs = db.create_collection("docs", 3, Metric::Cosine).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let docs = &docs;
            scope.spawn(move || {
                for round in 0..100 {
                    let first = (writer * 100 + round) * 10;
                    let ids: Vec<u64> = (first..first + 10).collect();
                    docs.upsert(Batch::from_values(Ids::from(ids), vec![1.0; 30]))
                        .run()
                        .unwrap();
                }
            });
        }
    });
    let total = WRITERS * 100 * 10;
    assert_eq!(docs.count().run().unwrap().count, total);
    let all: Vec<u64> = (0..total).collect();
    let points = docs.get(all).run().unwrap().points;
    assert!(points.iter().all(Option::is_some));
    assert_eq!(docs.describe().unwrap().sequence, WRITERS * 100);
}

#[test]
fn calls_on_a_collection_that_is_dropped_meanwhile_say_that_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let builder = nearfield::Builder::new(folder.path().join("store").to_string_lossy());
    let builder = builder.options(|options| {
        with_small_index(options);
        options.checkpoint_bytes = 64 << 10;
    });
    let db = builder.open().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let calls: [fn(&Collection, u64) -> nearfield::Result<()>; 4] = [
            |docs, round| docs.upsert(batch(round % 7, round)).run().map(|_| ()),
            |docs, _| docs.search(&[0.0; DIMENSION]).run().map(|_| ()),
            |docs, _| docs.compact().map(|_| ()),
            |docs, _| docs.flush().map(|_| ()),
        ];
        let mut threads = Vec::new();
        for call in calls {
            let (db, stop) = (&db, &stop);
            threads.push(scope.spawn(move || {
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let called = db.collection("docs").and_then(|docs| call(&docs, round));
                    if let Err(error) = called {
                        assert_eq!(error.kind(), nearfield::ErrorKind::NotFound, "{error}");
                    }
                }
            }));
        }
        let (db, stop) = (&db, &stop);
        threads.push(scope.spawn(move || {
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let to = folder.path().join(format!("snapshot-{number}"));
                let taken = db
                    .collection("docs")
                    .and_then(|docs| docs.snapshot(to.to_string_lossy()));
                match taken {
                    Ok(_) => std::fs::remove_dir_all(to).unwrap(),
                    Err(error) => {
                        assert_eq!(error.kind(), nearfield::ErrorKind::NotFound, "{error}");
                        assert!(!to.exists());
                    }
                }
            }
        }));
        for round in 0..40 {
            db.create_collection("docs", DIMENSION, Metric::Euclidean)
                .unwrap();
            std::thread::sleep(Duration::from_millis(round));
            db.drop_collection("docs").unwrap();
            if threads.iter().any(|thread| thread.is_finished()) {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
