//! The mark at the end of a full log file is written after the next file was begun. A power loss may
//! tear it: the next file proves that nothing is missing, and nothing else passes for that.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod harness;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::{Random, Row, Story, call};
use nearfield_engine::io::{Io, SimulatedIo};
use nearfield_engine::{Engine, Options};
use nearfield_model::{Durability, ErrorKind, Id, Result};

fn try_open(io: &SimulatedIo) -> Result<Engine> {
    let mut options = Options::default();
    options.background = false;
    options.log_file_bytes = 1 << 20;
    Engine::open_with(Arc::new(io.clone()), Path::new("/store"), options)
}

fn open(io: &SimulatedIo) -> Engine {
    try_open(io).unwrap()
}

/// The log files that were begun.
fn logs(io: &SimulatedIo) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = io.files().unwrap().into_iter().map(|file| file.0).collect();
    paths.retain(|path| {
        let mut magic = [0; 4];
        path.extension().is_some_and(|end| end == "log")
            && io.open(path).unwrap().read_at(0, &mut magic).is_ok()
            && magic != [0; 4]
    });
    paths
}

/// It opens with all that it held.
fn assert_whole(io: &SimulatedIo, story: &Story) {
    let mut story = story.clone();
    let floor = story.acknowledged;
    story.settle(&open(io), floor);
}

/// A store that was killed with four log files that nothing compacted, and no checkpoint.
fn filled() -> (SimulatedIo, Story) {
    let mut random = Random(5);
    let io = SimulatedIo::new(5);
    let engine = open(&io);
    let mut story = Story::any("albums", &mut random);
    story.schema.dimension = 200;
    call(&engine, story.schema.clone()).unwrap();
    let mut first = 0;
    while logs(&io).len() < 4 {
        let row = |id| {
            let vector = story.any_vector(&mut random);
            let metadata = None;
            (Id::from(id), Row { vector, metadata })
        };
        let write = harness::Write::Upsert((first..first + 60).map(row).collect());
        story.write(&engine, write, Durability::Sync).unwrap();
        first += 60;
    }
    let left = io.kill().unwrap();
    drop(engine);
    for (path, _) in left.files().unwrap() {
        if path.extension().is_some_and(|end| end == "checkpoint") {
            left.remove(&path).unwrap();
        }
    }
    (left, story)
}

fn bytes_at(io: &SimulatedIo, path: &Path, offset: u64) -> [u8; 4] {
    let mut bytes = [0; 4];
    let file = io.open(path).unwrap();
    file.read_at(offset, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_torn_mark_at_the_end_of_a_file_is_made_good() {
    let (whole, story) = filled();
    for torn in [0..64, 64..128, 0..128] {
        let io = whole.kill().unwrap();
        let ends: Vec<(PathBuf, u64)> = logs(&io)[..3]
            .iter()
            .map(|path| (path.clone(), io.open(path).unwrap().len().unwrap()))
            .collect();
        for (path, end) in &ends {
            assert_eq!(&bytes_at(&io, path, end - 128), b"NFR1");
            io.overwrite(
                path,
                end - 128 + torn.start,
                &[7; 128][torn.start as usize..torn.end as usize],
            )
            .unwrap();
        }
        assert_whole(&io, &story);
        // They are whole again: the next file need not prove anything any more.
        for (path, end) in &ends {
            assert_eq!(&bytes_at(&io, path, end - 128), b"NFR1");
        }
        assert_whole(&io, &story);
    }
}

#[test]
fn a_damaged_record_at_the_end_of_a_file_does_not_pass_for_a_torn_mark() {
    let (io, _) = filled();
    let path = &logs(&io)[1];
    let end = io.open(path).unwrap().len().unwrap();
    let mut at = end - 192;
    while &bytes_at(&io, path, at) != b"NFR1" {
        at -= 64;
    }
    for damage in [end - at, 128] {
        let io = io.kill().unwrap();
        io.overwrite(path, end - 128, &[0; 128]).unwrap();
        io.overwrite(path, at, &vec![0; damage as usize]).unwrap();
        let error = try_open(&io).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corruption, "{error}");
    }
}
