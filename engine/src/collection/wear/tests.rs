//! What dead rows take stays bounded, and writers are slowed for it within bounds.

use nearfield_model::{Durability, ErrorKind, Filter, Metadata, Search, UpdateMetadata, Value};

use super::*;
use crate::collection::fixture::{
    all_found, delete, find, open_at, open_on, options, upsert, vector,
};
use crate::io::{MemoryIo, SimulatedIo};
use crate::options::Options;

const POINTS: u64 = 20_000;
const BATCH: u64 = 500;

#[test]
fn writers_are_slowed_by_degrees_and_within_bounds() {
    let excess = |dead, live, floor| Shares { dead, live }.excess(floor);
    assert_eq!(excess(80, 100, 0), 0.0);
    assert_eq!(excess(121, 100, 0), 1.0);
    assert_eq!(excess(500, 0, 500), 0.0);
    assert_eq!(excess(502, 0, 500), 1.0);
    let by_degrees: Vec<f64> = (80..=120).map(|dead| excess(dead, 100, 0)).collect();
    assert!(by_degrees.is_sorted_by(|a, b| a <= b) && by_degrees[20] > 0.4);
    assert_eq!(delay(1.0, 1), DELAY_ROW);
    assert_eq!(delay(0.5, 100), DELAY_ROW * 50);
    assert_eq!(delay(1.0, u64::MAX), DELAY_MAX);
    assert_eq!(delay(0.0, 1_000), Duration::ZERO);
}

/// Bytes of the log's files on disk, and how many hold nothing but their header.
fn files(io: &SimulatedIo) -> (u64, usize) {
    let directory = std::path::Path::new("/docs");
    let names = crate::io::Io::list(io, directory).unwrap();
    let logs = names.iter().filter(|name| name.ends_with(".log"));
    let sizes: Vec<u64> = logs
        .map(|name| {
            let file = crate::io::Io::open(io, &directory.join(name)).unwrap();
            file.len().unwrap()
        })
        .collect();
    let empty = sizes.iter().filter(|size| **size < 256).count();
    (sizes.iter().sum(), empty)
}

#[test]
fn the_log_stays_near_the_size_of_its_live_rows_however_they_change() {
    let options = Options {
        background: false,
        index_rows: u32::MAX,
        ..options()
    };
    let io = SimulatedIo::new(7);
    let docs = open_at(&io, "/docs", options.clone());
    for first in (0..POINTS).step_by(BATCH as usize) {
        upsert(&docs, first..first + BATCH, 1, Durability::Os);
    }
    let row_bytes = log_bytes(&docs.view()) / POINTS;
    let check = |step: &str| {
        let live = docs.view().count() * row_bytes;
        let (bytes, _) = files(&io);
        // What is there in any case: the floor, and a file that was begun.
        let bound = live * 5 / 2 + docs.dead_bytes_floor() + options.log_file_bytes;
        assert!(bytes <= bound, "{step}: {bytes} bytes, {live} live");
    };
    for round in 2..5 {
        for first in (0..POINTS).step_by(BATCH as usize) {
            upsert(&docs, first..first + BATCH, round, Durability::Os);
            check("points are replaced");
        }
        for eighth in 0..8_u64 {
            let filter = Filter::eq("eighth", Value::Number(eighth.into()));
            let patch = Metadata::parse(r#"{"seen":true}"#).unwrap();
            let update = UpdateMetadata::new("docs", filter, patch);
            let updated = docs.update_metadata(&Context::default(), &update).unwrap();
            assert_eq!(updated.updated, POINTS / 8);
            check("metadata is updated");
        }
        for first in (0..POINTS * 3 / 4).step_by(BATCH as usize) {
            delete(&docs, first..first + BATCH, Durability::Os);
            check("points are removed");
        }
        for first in (0..POINTS * 3 / 4).step_by(BATCH as usize) {
            upsert(&docs, first..first + BATCH, round, Durability::Os);
            check("points come back");
        }
    }
    drop(docs);
    assert_eq!(open_at(&io, "/docs", options).view().count(), POINTS);
}

#[test]
fn a_small_store_is_not_rewritten_while_there_are_writes() {
    let docs = open_on(std::sync::Arc::new(MemoryIo::new()), "/docs", options());
    for round in 0..8 {
        upsert(&docs, 0..100, round, Durability::Os);
        assert!(!docs.compact_some(false));
    }
    for round in 8..40 {
        upsert(&docs, 0..100, round, Durability::Os);
    }
    assert!(docs.compact_some(false));
}

#[test]
fn writers_wait_for_compaction_no_longer_than_they_may() {
    let docs = open_on(std::sync::Arc::new(MemoryIo::new()), "/docs", options());
    let delayed = || docs.index.delayed_us.load(Ordering::Relaxed);
    let mut seed = 0;
    let mut write = || {
        seed += 1;
        let before = delayed();
        upsert(&docs, 0..BATCH, seed, Durability::Os);
        Duration::from_micros(delayed() - before)
    };
    let longest = DELAY_ROW * BATCH as u32;
    while docs
        .wear
        .shares(docs.view().count())
        .excess(docs.dead_bytes_floor())
        < 1.0
    {
        assert!(write() <= longest + Duration::from_secs(1));
    }
    let waited = write();
    assert!(waited >= longest && waited <= longest + Duration::from_secs(1));

    // Who has no time left is told so, and nothing is written.
    let late = Context::with_timeout(Duration::ZERO);
    let refused = docs.wait_for_compaction(&late, 1_000).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::DeadlineExceeded);

    while docs.compact_some(false) {}
    assert_eq!(write(), Duration::ZERO);
    assert_eq!(docs.view().count(), BATCH);
}

#[test]
fn writers_do_not_wait_for_a_compaction_that_fails() {
    let docs = open_on(std::sync::Arc::new(MemoryIo::new()), "/docs", options());
    docs.wear.grew(1 << 30, 1 << 20);
    docs.wear.ended(true);
    docs.wait_for_compaction(&Context::default(), u64::MAX)
        .unwrap();
    assert_eq!(docs.index.delayed_us.load(Ordering::Relaxed), 0);
    docs.wear.ended(false);
    docs.wait_for_compaction(&Context::default(), 10).unwrap();
    assert!(docs.index.delayed_us.load(Ordering::Relaxed) >= 1_000);
}

/// The log files on disk.
fn log_names(io: &SimulatedIo) -> Vec<String> {
    let mut names = crate::io::Io::list(io, std::path::Path::new("/docs")).unwrap();
    names.retain(|name| name.ends_with(".log"));
    names
}

/// Every round replaces the same points, removes some, and leaves one that stays for good.
#[test]
fn log_files_stay_few_however_often_the_log_is_compacted() {
    let options = Options {
        background: false,
        index_rows: u32::MAX,
        ..options()
    };
    let mut io = SimulatedIo::new(7);
    let mut docs = open_at(&io, "/docs", options.clone());
    let mut lasting: Vec<u64> = Vec::new();
    for round in 1..=300 {
        upsert(&docs, 0..100, round, Durability::Os);
        upsert(&docs, 1_000 + round..1_001 + round, 0, Durability::Os);
        lasting.push(1_000 + round);
        delete(&docs, 0..50, Durability::Os);
        docs.compact(&Context::default()).unwrap();
        // One for what lasts, one for what is replaced, and the one that is written to.
        let names = log_names(&io);
        assert!(names.len() <= 3, "round {round}: {names:?}");
        assert_eq!(docs.view().files.len(), names.len());
        if round % 50 == 0 {
            // Also without the checkpoint, and where the files that are gone came back.
            let left = io.kill().unwrap();
            drop(docs);
            for name in crate::io::Io::list(&left, std::path::Path::new("/docs")).unwrap() {
                if round % 100 == 0 && name.ends_with(".checkpoint") {
                    crate::io::Io::remove(&left, &std::path::Path::new("/docs").join(name))
                        .unwrap();
                }
            }
            crate::io::Io::create(&left, std::path::Path::new("/docs/0000000002.0.log")).unwrap();
            io = left;
            docs = open_at(&io, "/docs", options.clone());
            assert_eq!(log_names(&io), names);
            let mut expected: Vec<u64> = (50..100).chain(lasting.iter().copied()).collect();
            expected.sort_unstable();
            assert_eq!(all_found(&docs, None), expected);
            for id in [60, 1_001] {
                let seed = if id < 100 { round } else { 0 };
                let near = vector(id, seed);
                let request = Search::new("docs", &near[..]).recall(1.0).limit(1);
                let found = find(&docs, &request);
                assert_eq!(found.results[0][0].id, id.into());
            }
        }
    }
}
