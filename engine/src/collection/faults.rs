//! Work behind the writers' backs that panics, or takes longer than a caller waits: writers and
//! searches go on, the fault is shown, and the work is done later.

use std::cell::Cell;
use std::time::Duration;

use nearfield_model::{Context, Durability, Error, ErrorKind};

use super::fixture::{all_found, delete, open, upsert, work};
use crate::io::SimulatedIo;
use crate::pause::with_hook;

const ALL: u64 = 64;

#[test]
fn a_panic_in_work_on_the_index_is_a_fault_and_the_work_is_done_later() {
    let io = SimulatedIo::new(13);
    let docs = open(&io);
    upsert(&docs, 0..ALL, 0, Durability::Sync);
    let fault = || docs.describe().index.and_then(|index| index.fault);
    let panics = || {
        let is_due = Cell::new(true);
        move || {
            assert!(!is_due.replace(false), "a bug");
            false
        }
    };
    for round in 0..2 {
        let stop = panics();
        let worked = match round {
            0 => docs.upkeep_some(true, &stop),
            _ => docs.drain_some(true, &stop),
        };
        assert!(!worked);
        assert!(
            fault().is_some_and(|fault| fault.contains("a bug")),
            "{round}"
        );
        // Writers and searches go on.
        upsert(&docs, ALL + round..ALL + round + 1, 0, Durability::Sync);
        assert_eq!(all_found(&docs, None).len() as u64, ALL + round + 1);
        io.advance(Duration::from_secs(1));
        if round == 0 {
            assert!(docs.upkeep_some(true, &|| false), "it was trained");
        } else {
            work(&docs, true);
        }
        assert_eq!(fault(), None);
    }
    assert_eq!(docs.index.live().covered(), docs.view().rows);
}

#[test]
fn a_panic_in_compaction_is_a_fault_and_nothing_is_lost() {
    let io = SimulatedIo::new(14);
    let docs = open(&io);
    upsert(&docs, 0..2 * ALL, 0, Durability::Sync);
    docs.seal_log().unwrap();
    delete(&docs, 0..ALL + ALL / 2, Durability::Sync);
    let there = all_found(&docs, None);
    let fault = || docs.describe().index.and_then(|index| index.fault);
    assert!(!with_hook(|| panic!("a bug"), || docs.compact_some(true)));
    assert!(fault().is_some_and(|fault| fault.contains("a bug")));
    assert_eq!(all_found(&docs, None), there);
    assert!(!docs.compact_some(true), "it was tried again at once");
    io.advance(Duration::from_secs(1));
    // The files were written; that they count is saved with the next checkpoint.
    docs.compact_some(true);
    assert_eq!(fault(), None);
    assert_eq!(all_found(&docs, None), there);
    let docs = open(&io.kill().unwrap());
    assert_eq!(all_found(&docs, None), there);
}

#[test]
fn work_that_goes_well_hides_no_fault_of_another() {
    let docs = open(&SimulatedIo::new(16));
    upsert(&docs, 0..ALL, 0, Durability::Sync);
    let bug = Error::internal("a bug");
    docs.retry.files.failed(&*docs.place.io, bug);
    docs.scrub_some(1);
    docs.encode_some();
    docs.keep_checkpoint();
    let fault = docs.describe().index.and_then(|index| index.fault);
    assert!(fault.is_some_and(|fault| fault.contains("a bug")));
}

#[test]
fn a_compaction_waits_for_other_work_no_longer_than_its_caller() {
    let io = SimulatedIo::new(15);
    let docs = open(&io);
    upsert(&docs, 0..ALL, 0, Durability::Sync);
    work(&docs, true);
    delete(&docs, 0..ALL / 2, Durability::Sync);
    let there = all_found(&docs, None);
    let late = |time| {
        let context = Context::with_timeout(Duration::from_millis(time));
        let error = docs.compact(&context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    };
    // Nothing that was half made is left.
    docs.seal_log().unwrap();
    let before = io.files().unwrap();
    late(0);
    assert_eq!(io.files().unwrap(), before);
    docs.checkpoint().unwrap();
    let others = docs.index.working();
    late(200);
    drop(others);
    upsert(&docs, 0..1, 1, Durability::Sync);
    delete(&docs, 0..1, Durability::Sync);
    let others = docs.manifest();
    late(20);
    drop(others);
    docs.compact(&Context::default()).unwrap();
    assert_eq!(docs.describe().dead_rows, 0);
    assert_eq!(all_found(&docs, None), there);
}
