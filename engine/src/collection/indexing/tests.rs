//! The work on the index, step by step: what happens between two steps, and what a crash leaves.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nearfield_model::{Batch, Context, Durability, Id, Search, Upsert};

use crate::collection::Collection;
use crate::collection::fixture::{
    all_found, delete, find, open, open_at, options, upsert, vector, work,
};
use crate::index::GROUP_ROWS;
use crate::index::calibration::{calibrate, players};
use crate::io::{Io, SimulatedIo};
use crate::options::Options;
use crate::pause::with_hook;

const ALL: u64 = 64;

/// A collection whose points are all in the index.
fn indexed(io: &SimulatedIo) -> Arc<Collection> {
    let docs = Arc::new(open(io));
    upsert(&docs, 0..ALL, 0, Durability::Sync);
    work(&docs, true);
    assert_eq!(docs.index.live().covered(), ALL as u32);
    docs
}

fn ids(count: u64) -> Vec<u64> {
    (0..count).collect()
}

/// Runs `run`, and `between` at its pause of this number.
fn at_pause<T>(number: usize, between: impl Fn() + 'static, run: impl FnOnce() -> T) -> T {
    let passed = Cell::new(0);
    let hook = move || {
        passed.set(passed.get() + 1);
        if passed.get() == number + 1 {
            between();
        }
    };
    with_hook(hook, run)
}

#[test]
fn points_that_are_replaced_during_a_search_are_found() {
    for pause in 0..2 {
        let docs = indexed(&SimulatedIo::new(1));
        let writer = docs.clone();
        let replace = move || {
            upsert(&writer, 0..ALL, 1, Durability::Os);
            work(&writer, true);
        };
        let found = at_pause(pause, replace, || all_found(&docs, None));
        assert_eq!(found, ids(ALL), "pause {pause}");
        assert_eq!(docs.index.live().covered(), 2 * ALL as u32, "pause {pause}");
    }
}

#[test]
fn a_merge_forgets_no_row_that_a_power_loss_brings_back() {
    let io = SimulatedIo::new(2);
    let docs = indexed(&io);
    delete(&docs, 0..ALL / 2, Durability::Os);
    work(&docs, false);
    assert_eq!(all_found(&docs, None).len() as u64, ALL / 2);
    let after = io.crash_losing_all(2).unwrap();
    let docs = open(&after);
    let there = docs.view().count();
    assert_eq!(all_found(&docs, None).len() as u64, there);
}

#[test]
fn a_snapshot_has_its_own_points_in_its_index() {
    let io = SimulatedIo::new(3);
    io.create_directory(Path::new("/copy")).unwrap();
    for pause in 0..2 {
        let docs = indexed(&io);
        let copy = format!("/copy/{pause}");
        io.create_directory(Path::new(&copy)).unwrap();
        let writer = docs.clone();
        let change = move || {
            upsert(&writer, 0..ALL / 2, 1, Durability::Os);
            delete(&writer, ALL / 2..ALL, Durability::Os);
            (0..100).all(|_| writer.upkeep_some(false, &|| false));
        };
        let taken = at_pause(pause, change, || {
            docs.copy_to(&Context::default(), Path::new(&copy)).unwrap()
        });
        let copy = open_at(&io, &copy, options());
        assert_eq!(copy.index.fault(), None, "pause {pause}");
        assert_eq!(copy.view().count(), taken.count, "pause {pause}");
        let found = all_found(&copy, None);
        assert_eq!(found.len() as u64, taken.count, "pause {pause}");
        drop(docs);
        io.remove_directory(Path::new("/docs")).unwrap();
    }
}

#[test]
fn two_drains_at_once_move_each_row_once() {
    for pause in 0..3 {
        let docs = indexed(&SimulatedIo::new(4));
        upsert(&docs, ALL..2 * ALL, 0, Durability::Os);
        let other = docs.clone();
        let drain = move || _ = other.drain_some(true, &|| false);
        at_pause(pause, drain, || docs.drain_some(true, &|| false));
        work(&docs, false);
        let live = docs.index.live();
        let mut next = 0;
        for segment in &live.segments {
            assert_eq!(segment.extent.first_row, next, "pause {pause}");
            next = segment.extent.end_row;
        }
        assert_eq!(all_found(&docs, None), ids(2 * ALL), "pause {pause}");
    }
}

#[test]
fn a_batch_that_was_coded_for_an_epoch_that_is_gone_is_coded_again() {
    for pause in 0..3 {
        let docs = Arc::new(open(&SimulatedIo::new(5)));
        upsert(&docs, 0..ALL, 0, Durability::Os);
        // The first epoch, without segments.
        assert!(docs.upkeep_some(false, &|| false));
        let other = docs.clone();
        let grow = move || {
            upsert(&other, ALL..5 * ALL, 0, Durability::Os);
            (0..100).all(|_| other.upkeep_some(false, &|| false));
            let epochs = other.index.live().epochs.clone();
            assert!(epochs.len() == 1 && epochs[0].model.epoch == 2);
        };
        at_pause(pause, grow, || docs.drain_some(true, &|| false));
        assert_eq!(all_found(&docs, None), ids(5 * ALL), "pause {pause}");
        work(&docs, true);
        let live = docs.index.live();
        assert!(live.segments.iter().all(|s| s.extent.epoch == 2));
        assert_eq!(all_found(&docs, None), ids(5 * ALL), "pause {pause}");
    }
}

#[test]
fn the_smallest_index_is_calibrated_and_left_alone() {
    for count in [1, 2, 5, 40] {
        let tiny = Options {
            index_rows: 1,
            ..options()
        };
        let docs = open_at(&SimulatedIo::new(6), "/docs", tiny);
        upsert(&docs, 0..count, 0, Durability::Os);
        work(&docs, true);
        assert_eq!(docs.index.live().covered(), count as u32);
        assert_eq!(docs.index.live().epochs[0].calibration.rows, count);
        assert_eq!(all_found(&docs, None), ids(count));
        delete(&docs, 0..count, Durability::Os);
        work(&docs, true);
        assert_eq!(all_found(&docs, None), ids(0));
    }
}

#[test]
fn one_row_may_play_all_queries() {
    let docs = indexed(&SimulatedIo::new(7));
    let model = &docs.index.live().epochs[0].model;
    let others = |row: u32| row != 5;
    let calibration = calibrate(model, &docs.schema, &docs.view(), &others, &|| false);
    assert!(!calibration.unwrap().unwrap().efforts.is_empty());
}

#[test]
fn an_index_that_cannot_be_saved_is_trained_again_only_after_a_while() {
    let io = SimulatedIo::new(12);
    let docs = open(&io);
    upsert(&docs, 0..ALL, 0, Durability::Sync);
    io.fail_renames();
    assert!(!docs.upkeep_some(true, &|| false));
    assert!(docs.index.fault().is_some());
    let operations = io.operations();
    for _ in 0..10 {
        assert!(!docs.upkeep_some(true, &|| false));
    }
    assert_eq!(io.operations(), operations, "it was tried again at once");
    assert!(docs.index.fault().is_some());

    io.heal();
    io.advance(Duration::from_secs(1));
    work(&docs, true);
    assert_eq!(docs.index.live().covered(), ALL as u32);
}

#[test]
fn codes_of_rows_whose_removal_a_power_loss_takes_are_their_own() {
    let io = SimulatedIo::new(8);
    let docs = Arc::new(open(&io));
    // A group of the tail that is not coded yet when the checkpoint's view is taken.
    let far = |id: u64| vector(id, 0).iter().map(|x| x + 1e4).collect::<Vec<f32>>();
    let points: Vec<u64> = (0..GROUP_ROWS as u64).collect();
    let values = points.iter().flat_map(|id| far(*id)).collect();
    let upsert = Upsert::new("docs", Batch::from_values(points, values));
    docs.upsert(&Context::default(), &upsert).unwrap();
    let writer = docs.clone();
    let remove = move || {
        delete(&writer, 0..ALL, Durability::Os);
        while writer.encode_some() {}
    };
    at_pause(0, remove, || docs.checkpoint().unwrap());
    let docs = open(&io.crash_losing_all(8).unwrap());
    assert_eq!(docs.view().count(), GROUP_ROWS as u64);
    assert_eq!(docs.tail.unencoded(docs.view().rows), 0);
    for id in 0..ALL {
        let query = far(id);
        let found = find(
            &docs,
            &Search::new("docs", &query[..]).limit(1).recall(0.99),
        );
        assert_eq!(found.results[0][0].id, Id::U64(id));
    }
}

#[test]
fn points_that_are_all_replaced_are_calibrated_and_trained_on_anew() {
    let docs = open(&SimulatedIo::new(9));
    upsert(&docs, 0..ALL, 0, Durability::Os);
    work(&docs, true);
    let before = docs.index.live().epochs[0].clone();
    let far = vector(1, 1).iter().map(|x| x * 100.0).collect::<Vec<f32>>();
    let values = (0..ALL).flat_map(|id| vector(id, 2).into_iter().zip(&far));
    let values = values.map(|(own, far)| own + far).collect();
    let again = Upsert::new("docs", Batch::from_values(ids(ALL), values));
    docs.upsert(&Context::default(), &again).unwrap();
    work(&docs, true);
    let live = docs.index.live();
    let after = live.newest().unwrap();
    assert_eq!(after.calibration.written, 2 * ALL as u32);
    assert!(after.model.epoch > before.model.epoch);
    assert!(after.calibration.spread < 2.0 * before.calibration.spread);
    // What changes little is not trained on anew.
    let epoch = after.model.epoch;
    for round in 3..6 {
        upsert(&docs, 0..ALL, 2, Durability::Os);
        upsert(&docs, 0..ALL, round, Durability::Os);
        work(&docs, true);
    }
    assert!(docs.index.live().newest().unwrap().model.epoch <= epoch + 1);
}

#[test]
fn the_few_live_rows_among_many_dead_ones_play_queries() {
    // Larger files, so that no writer is slowed for compaction: nothing compacts here.
    let roomy = Options {
        log_file_bytes: 64 << 20,
        ..options()
    };
    let docs = open_at(&SimulatedIo::new(10), "/docs", roomy);
    upsert(&docs, 0..ALL, 0, Durability::Sync);
    work(&docs, true);
    for round in 1..400 {
        upsert(&docs, 0..ALL, round, Durability::Os);
    }
    let (view, model) = (docs.view(), &docs.index.live().epochs[0].model);
    let none = |_| false;
    let players = players(model, &docs.schema, &view, &none).unwrap();
    assert_eq!(players.len() as u64, ALL);
}

#[test]
fn codes_of_rows_that_a_view_is_too_old_to_know_are_kept() {
    let docs = indexed(&SimulatedIo::new(11));
    let before = docs.view();
    upsert(&docs, ALL..4 * ALL, 0, Durability::Os);
    while docs.drain_some(true, &|| false) {}
    let bytes = docs.index.fine().memory_bytes();
    docs.index.forget_fine(&before);
    assert_eq!(docs.index.fine().memory_bytes(), bytes);
}

#[test]
fn an_index_that_cannot_be_written_leaves_no_files_behind() {
    const ROWS: u64 = 72_000;
    let io = SimulatedIo::new(12);
    let large = Options {
        index_rows: ROWS as u32 / 3,
        index_batch_rows: 1 << 16,
        index_list_rows: 4_096,
        lean: true,
        ..Options::default()
    };
    let docs = open_at(&io, "/docs", large);
    let write = |ids: std::ops::Range<u64>| {
        for first in ids.clone().step_by(4_000) {
            upsert(&docs, first..ids.end.min(first + 4_000), 0, Durability::Os);
        }
    };
    write(0..ROWS / 3);
    assert!(docs.upkeep_some(false, &|| false));
    for part in [ROWS / 3..ROWS / 3 * 2, ROWS / 3 * 2..ROWS] {
        write(part);
        work(&docs, true);
    }
    assert_eq!(docs.index.live().segments.len(), 1);
    write(ROWS..ROWS / 3 * 4 + 100);
    // The next epoch; then the rows that lie in the older are assigned anew, in two pieces.
    while docs.index.live().epochs.len() == 1 {
        assert!(docs.upkeep_some(false, &|| false));
    }
    let files = || {
        let files = io.files().unwrap().into_iter();
        let ends = |path: &Path| path.extension().is_some_and(|end| end == "segment");
        files.filter(|(path, _)| ends(path)).count()
    };
    docs.flush().unwrap();
    // In the second piece, and where the document names both.
    for write in [16, 17, 0] {
        match write {
            0 => io.fail_renames(),
            _ => io.fail_nth_write(write, std::io::ErrorKind::StorageFull),
        }
        docs.upkeep_some(false, &|| false);
        io.heal();
        io.advance(Duration::from_secs(60));
        assert!(docs.index.fault().is_some(), "write {write}");
        assert_eq!(files(), 1, "write {write}");
    }
}
