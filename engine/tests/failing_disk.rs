//! The disk is full, or fails at any write, sync or rename: the error says so, writes stop where
//! they must, reads go on, and after reopening all that was acknowledged is there.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should stop, and name its seed"
)]

mod harness;

use std::io::ErrorKind as IoErrorKind;
use std::path::Path;
use std::sync::Arc;

use harness::{
    Event, Random, Story, any_thresholds, assert_no_leftovers, assert_recalled, call, each_seed,
    scan,
};
use nearfield_engine::io::SimulatedIo;
use nearfield_engine::{Engine, Options, doctor_with};
use nearfield_model::{
    Compact, DropCollection, Durability, ErrorKind, Flush, ListCollections, Snapshot,
};

const ROOT: &str = "/store";

#[test]
fn three_hundred_seeds() {
    each_seed("failing_disk", "NEARFIELD_SEED", 300, play);
    assert_recalled();
    let events = [
        Event::Trained,
        Event::NextEpoch,
        Event::AssignedAnew,
        Event::Merged,
        Event::DrainedAtRest,
        Event::Reopened,
        Event::SearchedLists,
        Event::SearchedForAll,
    ];
    Event::assert_seen(&events, 5);
}

fn open(io: &SimulatedIo, options: &Options) -> Engine {
    Engine::open_with(Arc::new(io.clone()), Path::new(ROOT), options.clone())
        .unwrap_or_else(|error| panic!("the store does not open: {error}"))
}

fn play(seed: u64) {
    let mut random = Random(seed);
    let mut options = Options::default();
    options.background = false;
    options.log_file_bytes = 1 << 20;
    options.checkpoint_bytes = random.pick(&[30_000, 300_000]);
    any_thresholds(&mut random, &mut options);
    let mut io = SimulatedIo::new(seed);
    let mut story = Story::any("albums", &mut random);
    call(&open(&io, &options), story.schema.clone()).unwrap();
    for _ in 0..3 {
        let engine = open(&io, &options);
        let kind = random.below(5);
        match kind {
            0 => io.fail_writes_after(random.below(400_000)),
            1 => io.fail_nth_write(1 + random.below(40), IoErrorKind::Other),
            2 => io.fail_nth_write(1 + random.below(40), IoErrorKind::StorageFull),
            3 => io.fail_nth_sync(1 + random.below(30)),
            _ => io.fail_renames(),
        }
        let mut stopped = false;
        // An index that cannot be named is made again with each write.
        let writes = if kind < 4 { 40 } else { 10 };
        for _ in 0..writes {
            let outcome = match random.below(20) {
                0 => call(&engine, Compact::new("albums")).map(drop),
                1 => call(&engine, Flush::new("albums")).map(|_| story.flushed()),
                2 => call(&engine, Snapshot::new("albums")).map(drop),
                _ => {
                    let write = story.any_write(&mut random);
                    let durability = random.pick(&[Durability::Sync, Durability::Os]);
                    let outcome = story.write(&engine, write, durability);
                    if stopped {
                        let error = outcome.as_ref().unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::WritesStopped, "{error}");
                    }
                    if outcome.is_err() {
                        stopped = true;
                        // In doubt is only the first that failed.
                        if outcome.is_err() && !story.is_in_doubt() {
                            story.forget_last();
                        }
                    }
                    outcome
                }
            };
            if let Err(error) = outcome {
                let kinds = [
                    ErrorKind::WritesStopped,
                    ErrorKind::Storage,
                    ErrorKind::AlreadyExists,
                ];
                assert!(kinds.contains(&error.kind()), "{error:?}");
            }
        }
        // What was readable stays so.
        let read = scan(&engine, "albums").unwrap();
        assert!(read == story.now || stopped);
        if read == story.now {
            story.check_search(&engine, &mut random);
        }
        io.heal();
        if random.percent(50) {
            drop(engine);
        } else {
            let after = io.kill().unwrap();
            drop(engine);
            io = after;
        }
        let report = doctor_with(Arc::new(io.clone()), Path::new(ROOT), &options).unwrap();
        let fault = report.findings.iter().find(|finding| finding.is_fault);
        assert_eq!(fault, None);
        // A process restart first: what the operating system still shows has to be on disk
        // once it was recovered, also where a sync had failed.
        let engine = open(&io, &options);
        story.settle(&engine, story.acknowledged);
        assert_no_leftovers(&io, ROOT, &engine);
        story.look_at_index(&engine, &options);
        Event::Reopened.note(story.indexed() > 0);
        story.check_search(&engine, &mut random);
        let after = io.crash_losing_all(random.next()).unwrap();
        drop(engine);
        io = after;
        let engine = open(&io, &options);
        story.settle(&engine, story.acknowledged);
        assert_no_leftovers(&io, ROOT, &engine);
        story.check_search(&engine, &mut random);
        drop(engine);
    }
}

#[test]
fn a_removal_that_failed_takes_no_more_writes() {
    for sync in [true, false] {
        let mut random = Random(5);
        let mut options = Options::default();
        options.background = false;
        let io = SimulatedIo::new(5);
        let engine = open(&io, &options);
        let mut story = Story::any("albums", &mut random);
        call(&engine, story.schema.clone()).unwrap();
        let write = story.any_write(&mut random);
        story.write(&engine, write, Durability::Sync).unwrap();
        if sync {
            // The second sync is that of the directory, after the new catalog has its name.
            io.fail_nth_sync(2);
        } else {
            io.fail_renames();
        }
        let error = call(&engine, DropCollection::new("albums")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
        io.heal();
        let write = story.any_write(&mut random);
        let error = story.write(&engine, write, Durability::Sync).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WritesStopped, "{error}");
        assert!(call(&engine, Flush::new("albums")).is_err());
        scan(&engine, "albums").unwrap();
        let after = io.kill().unwrap();
        drop(engine);
        let engine = open(&after, &options);
        let names = call(&engine, ListCollections {}).unwrap().collections;
        assert_eq!(names.is_empty(), sync);
    }
}

#[test]
fn a_creation_that_failed_is_tried_again() {
    for sync in 1..12 {
        let mut options = Options::default();
        options.background = false;
        let mut random = Random(sync);
        let io = SimulatedIo::new(sync);
        let engine = open(&io, &options);
        io.fail_nth_sync(sync);
        let story = Story::any("albums", &mut random);
        let first = call(&engine, story.schema.clone());
        io.heal();
        if first.is_err() {
            call(&engine, story.schema.clone()).unwrap();
        }
        for seed in 0..20 {
            let after = io.crash(seed).unwrap();
            let names = call(&open(&after, &options), ListCollections {}).unwrap();
            assert_eq!(names.collections, ["albums"], "sync {sync}, seed {seed}");
        }
        drop(engine);
    }
}
