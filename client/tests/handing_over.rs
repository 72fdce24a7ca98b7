//! Calls that are under way when their owner goes: the next owner answers them.
#![cfg(all(feature = "shm", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/process.rs"]
mod process;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nearfield::{Batch, Builder, Durability, Metric, Result, SnapshotTaken};

use crate::process::Process;

const DIMENSION: usize = 512;
const ROWS: u64 = 40_000;

/// Not a test of its own: what the owners run.
#[test]
fn child() {
    process::run(|path, _| {
        let db = nearfield::connect(path.to_string_lossy()).unwrap();
        let docs = db
            .create_collection("docs", DIMENSION, Metric::Dot)
            .unwrap();
        for first in (0..ROWS).step_by(1_000) {
            let ids: Vec<u64> = (first..first + 1_000).collect();
            let values = vec![1.0; DIMENSION * ids.len()];
            let batch = Batch::from_values(ids, values);
            let upsert = docs.upsert(batch).durability(Durability::Os);
            upsert.run().unwrap();
        }
        process::say("ready");
        process::wait();
    });
}

/// Takes a snapshot as a guest who gives up after `timeout` without an owner, while `meanwhile`
/// happens to the owner, once that is in the middle of it.
fn snapshot(
    store: &Path,
    destination: &Path,
    timeout: Duration,
    meanwhile: impl FnOnce(&mut Process),
) -> Result<SnapshotTaken> {
    let mut owner = Process::start(store, "own");
    owner.expect("ready");
    let guest = Builder::new(store.to_string_lossy())
        .timeout(timeout)
        .open()
        .unwrap();
    let docs = guest.collection("docs").unwrap();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| docs.snapshot(destination.to_string_lossy()));
        while !half_made(destination).exists() {
            assert!(!call.is_finished(), "{:?}", call.join());
        }
        meanwhile(&mut owner);
        call.join().unwrap()
    })
}

fn half_made(destination: &Path) -> PathBuf {
    destination.with_extension("partial")
}

fn assert_is_whole(destination: &Path, taken: &SnapshotTaken) {
    assert_eq!(taken.count, ROWS);
    assert!(!half_made(destination).exists());
    let copy = nearfield::connect(destination.to_string_lossy()).unwrap();
    let docs = copy.collection("docs").unwrap();
    assert_eq!(docs.count().run().unwrap().count, ROWS);
}

#[test]
fn a_snapshot_whose_owner_is_killed_in_the_middle_is_taken_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (store, destination) = (folder.path().join("store"), folder.path().join("copy"));
    let timeout = Duration::from_secs(60);
    let taken = snapshot(&store, &destination, timeout, |owner| {
        owner.kill();
        assert!(!destination.exists(), "it was too quick to be killed");
    });
    assert_is_whole(&destination, &taken.unwrap());
}

#[test]
fn the_time_that_an_owner_worked_on_a_call_is_not_taken_from_the_search_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (store, destination) = (folder.path().join("store"), folder.path().join("copy"));
    let timeout = Duration::from_secs(1);
    let taken = snapshot(&store, &destination, timeout, |owner| {
        owner.stop();
        assert!(!destination.exists(), "it was too quick to be stopped");
        std::thread::sleep(2 * timeout);
        owner.kill();
    });
    assert_is_whole(&destination, &taken.unwrap());
}
