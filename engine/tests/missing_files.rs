//! What opening makes of files that are missing, left over, empty or too many: it refuses what
//! it cannot make good, and removes nothing that may be somebody's data.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod harness;

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::{Random, Row, Story, assert_no_leftovers, call};
use nearfield_engine::io::{Io, SimulatedIo};
use nearfield_engine::{Engine, Options, doctor_with};
use nearfield_model::{Compact, DescribeCollection, Durability, ErrorKind, Flush, Id, Snapshot};

const ROOT: &str = "/store";
const FOLDER: &str = "/store/collections/00000001";

fn open(io: &SimulatedIo) -> nearfield_model::Result<Engine> {
    let mut options = Options::default();
    options.background = false;
    options.log_file_bytes = 1 << 20;
    Engine::open_with(Arc::new(io.clone()), Path::new(ROOT), options)
}

/// Options with which a few points have an index.
fn with_index() -> Options {
    let mut options = Options::default();
    options.background = false;
    options.log_file_bytes = 1 << 20;
    options.index_rows = 40;
    options.index_batch_rows = 16;
    options.index_list_rows = 4;
    options.exact_rows = 0;
    options
}

/// Upserts points with these numbers as ids.
fn upsert(story: &Story, random: &mut Random, ids: std::ops::Range<u64>) -> harness::Write {
    let row = |id| {
        let vector = story.any_vector(random);
        let metadata = Some(format!("{{\"group\":{}}}", id % 12));
        (Id::from(id), Row { vector, metadata })
    };
    harness::Write::Upsert(ids.map(row).collect())
}

/// A store that was killed while the second epoch of its index replaced the first, and what it
/// holds.
fn with_two_epochs() -> (SimulatedIo, Story) {
    let open = |io: &SimulatedIo| {
        let machine = Arc::new(io.clone());
        Engine::open_with(machine, Path::new(ROOT), with_index()).unwrap()
    };
    let mut random = Random(11);
    let io = SimulatedIo::new(11);
    let engine = open(&io);
    let mut story = Story::any("albums", &mut random);
    call(&engine, story.schema.clone()).unwrap();
    for first in (0..150).step_by(10) {
        let write = upsert(&story, &mut random, first..first + 10);
        story.write(&engine, write, Durability::Sync).unwrap();
    }
    for operations in 0.. {
        let io = io.kill().unwrap();
        let mut story = story.clone();
        let engine = open(&io);
        io.power_off_after(operations);
        let write = upsert(&story, &mut random, 150..165);
        let _died = story.write(&engine, write, Durability::Os);
        let left = io.kill().unwrap();
        drop(engine);
        let engine = open(&left);
        let floor = story.acknowledged;
        story.settle(&engine, floor);
        let index = call(&engine, DescribeCollection::new("albums"))
            .unwrap()
            .index;
        let index = index.unwrap();
        let older = index.older_epoch_rows;
        if index.epoch == 2 && (1..index.rows).contains(&older) {
            let left = left.kill().unwrap();
            drop(engine);
            return (left, story);
        }
        assert!(
            older > 0 || index.epoch == 1,
            "no power loss hits the middle"
        );
    }
    unreachable!("the epoch is over by then");
}

/// A store that was killed with `files` log files of records, and what it holds.
fn killed(files: usize) -> (SimulatedIo, Story) {
    let mut random = Random(3);
    let io = SimulatedIo::new(3);
    let engine = open(&io).unwrap();
    let mut story = Story::any("albums", &mut random);
    story.schema.dimension = 200;
    call(&engine, story.schema.clone()).unwrap();
    while logs(&io).len() < files || files == 1 && story.acknowledged < 5 {
        let write = story.any_write(&mut random);
        story.write(&engine, write, Durability::Sync).unwrap();
    }
    let write = story.any_write(&mut random);
    story.write(&engine, write, Durability::Sync).unwrap();
    let left = io.kill().unwrap();
    drop(engine);
    (left, story)
}

/// The log files that were begun.
fn logs(io: &SimulatedIo) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = io.files().unwrap().into_iter().map(|file| file.0).collect();
    paths.retain(|path| {
        let mut header = [0; 8];
        path.extension().is_some_and(|end| end == "log")
            && io.open(path).unwrap().read_at(0, &mut header).is_ok()
            && header != [0; 8]
    });
    paths
}

fn make(io: &SimulatedIo, path: &str, bytes: &[u8]) {
    let file = io.create(Path::new(path)).unwrap();
    file.write_at(0, &[IoSlice::new(bytes)]).unwrap();
}

fn exists(io: &SimulatedIo, path: &str) -> bool {
    io.exists(Path::new(path)).unwrap()
}

/// It opens with all that it held.
fn assert_whole(io: &SimulatedIo, story: &Story) {
    let mut story = story.clone();
    let floor = story.acknowledged;
    story.settle(&open(io).unwrap(), floor);
}

/// It does not open, says that `path` is why, and so does the doctor; nothing is removed.
fn assert_refused(io: &SimulatedIo, path: &str) {
    let before = io.files().unwrap();
    let error = open(io).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption, "{error}");
    assert!(error.message().contains(path), "{error}");
    let log_files = |files: Vec<(PathBuf, u64)>| -> Vec<(PathBuf, u64)> {
        let is_log = |path: &Path| path.extension().is_some_and(|end| end == "log");
        files.into_iter().filter(|file| is_log(&file.0)).collect()
    };
    assert_eq!(log_files(io.files().unwrap()), log_files(before));
    if let Ok(report) = doctor_with(Arc::new(io.clone()), Path::new(ROOT), &Options::default()) {
        assert!(report.findings.iter().any(|finding| finding.is_fault));
    }
}

#[test]
fn a_file_made_ahead_and_never_used_is_no_fault() {
    let (io, story) = killed(1);
    let number = logs(&io).len() + 1;
    let path = format!("{FOLDER}/{number:010}.0.log");
    if !exists(&io, &path) {
        make(&io, &path, &vec![0; 1 << 20]);
    }
    assert_whole(&io, &story);
    let report = doctor_with(Arc::new(io), Path::new(ROOT), &Options::default()).unwrap();
    assert_eq!(report.findings, []);
}

#[test]
fn a_file_that_was_only_begun_is_no_fault() {
    let (io, story) = killed(2);
    let number = logs(&io).len() + 1;
    let path = format!("{FOLDER}/{number:010}.0.log");
    for bytes in [&b""[..], &[0; 30], b"NFLOG\0\0\x01 half a header"] {
        let io = io.kill().unwrap();
        if exists(&io, &path) {
            io.remove(Path::new(&path)).unwrap();
        }
        make(&io, &path, bytes);
        assert_whole(&io, &story);
        assert_whole(&io, &story);
    }
}

#[test]
fn any_missing_log_file_is_named() {
    let (io, _) = killed(4);
    let paths = logs(&io);
    assert!(paths.len() >= 4);
    for path in paths {
        let io = io.kill().unwrap();
        io.remove(&path).unwrap();
        assert_refused(&io, &path.to_string_lossy());
    }
}

#[test]
fn a_file_without_a_header_is_named_and_kept() {
    let (io, _) = killed(4);
    drop(open(&io).unwrap());
    for path in logs(&io) {
        let io = io.kill().unwrap();
        io.flip_bit(&path, 20, 3).unwrap();
        assert_refused(&io, &path.to_string_lossy());
    }
}

#[test]
fn a_missing_catalog_is_not_a_new_store() {
    let (io, story) = killed(1);
    let catalog = Path::new("/store/catalog");
    io.rename(catalog, Path::new("/aside")).unwrap();
    let error = open(&io).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption, "{error}");
    assert!(error.message().contains("/store/catalog"), "{error}");
    io.rename(Path::new("/aside"), catalog).unwrap();
    assert_whole(&io, &story);
}

#[test]
fn a_missing_manifest_is_named() {
    let (io, _) = killed(1);
    let path = format!("{FOLDER}/manifest");
    io.remove(Path::new(&path)).unwrap();
    assert_refused(&io, &path);
}

#[test]
fn a_missing_or_damaged_checkpoint_is_made_good() {
    let (io, story) = killed(2);
    drop(open(&io).unwrap());
    let files = io.files().unwrap();
    let path = files.iter().map(|file| &file.0);
    let mut paths = path.filter(|path| path.extension().is_some_and(|end| end == "checkpoint"));
    let path = paths.next().unwrap();
    for missing in [true, false] {
        let io = io.kill().unwrap();
        if missing {
            io.remove(path).unwrap();
        } else {
            io.flip_bit(path, 100, 0).unwrap();
        }
        let report = doctor_with(Arc::new(io.clone()), Path::new(ROOT), &Options::default());
        let findings = report.unwrap().findings;
        assert!(findings.len() == 1 && !findings[0].is_fault, "{findings:?}");
        assert_whole(&io, &story);
    }
}

/// Deletes and replaced rows are gone from the files, and the checkpoint that knew of them too.
#[test]
fn nothing_comes_back_when_a_checkpoint_is_lost_after_a_compaction() {
    let (io, mut story) = killed(2);
    let engine = open(&io).unwrap();
    let ids = story.now.keys().cloned().collect();
    let everything = harness::Write::Delete(ids);
    story.write(&engine, everything, Durability::Sync).unwrap();
    call(&engine, Compact::new("albums")).unwrap();
    let left = io.kill().unwrap();
    drop(engine);
    for (path, _) in left.files().unwrap() {
        if path.extension().is_some_and(|end| end == "checkpoint") {
            left.remove(&path).unwrap();
        }
    }
    assert!(story.now.is_empty());
    assert_whole(&left, &story);
}

#[test]
fn leftovers_go() {
    let (io, story) = killed(1);
    let leftovers = [
        "/store/catalog.new".to_owned(),
        format!("{FOLDER}/manifest.new"),
        format!("{FOLDER}/0000000001.7.log"),
        format!("{FOLDER}/0000000099.checkpoint"),
        "/store/collections/00000042/0000000001.0.log".to_owned(),
        "/store/snapshots/albums-1.partial/catalog".to_owned(),
    ];
    for path in &leftovers {
        io.create_directory(Path::new(path).parent().unwrap())
            .unwrap();
        make(&io, path, b"left over");
    }
    assert_whole(&io, &story);
    for path in &leftovers {
        assert!(!exists(&io, path), "{path}");
    }
    assert!(!exists(&io, "/store/collections/00000042"));
    assert!(!exists(&io, "/store/snapshots/albums-1.partial"));
}

#[test]
fn of_two_files_of_one_number_the_manifest_chooses() {
    let (io, mut story) = killed(2);
    let engine = open(&io).unwrap();
    let path = |generation: u32| format!("{FOLDER}/0000000001.{generation}.log");
    // The engine may have compacted it by itself.
    let generation = (0..100).find(|generation| exists(&io, &path(*generation)));
    let generation = generation.unwrap();
    let first = path(generation);
    let mut old = vec![0; io.open(Path::new(&first)).unwrap().len().unwrap() as usize];
    io.open(Path::new(&first))
        .unwrap()
        .read_at(0, &mut old)
        .unwrap();
    let ids = story.now.keys().take(50).cloned().collect();
    let some = harness::Write::Delete(ids);
    story.write(&engine, some, Durability::Sync).unwrap();
    call(&engine, Compact::new("albums")).unwrap();
    let left = io.kill().unwrap();
    drop(engine);
    let compacted = path(generation + 1);
    assert!(exists(&left, &compacted) && !exists(&left, &first));
    make(&left, &first, &old);
    // Without the one that counts, the other is not taken for it, nor removed.
    let without = left.kill().unwrap();
    without.remove(Path::new(&compacted)).unwrap();
    assert_refused(&without, &compacted);
    assert!(exists(&without, &first));
    let left = left.kill().unwrap();
    assert_whole(&left, &story);
    assert!(!exists(&left, &first));
}

#[test]
fn a_lock_file_may_hold_anything() {
    let (io, story) = killed(1);
    for bytes in [&b""[..], b"\0\xff garbage", b"{\"pid\":", &[b'['; 5_000]] {
        io.truncate(Path::new("/store/lock"), 0).unwrap();
        io.overwrite(Path::new("/store/lock"), 0, bytes).unwrap();
        assert_whole(&io, &story);
    }
    io.remove(Path::new("/store/lock")).unwrap();
    assert_whole(&io, &story);
}

#[test]
fn a_restart_is_not_forgotten_by_an_opening_that_was_cut_short() {
    let mut holes = 0;
    for seed in 0..200 {
        let mut random = Random(seed);
        let io = SimulatedIo::new(seed);
        let engine = open(&io).unwrap();
        let mut story = Story::any("albums", &mut random);
        call(&engine, story.schema.clone()).unwrap();
        for _ in 0..12 {
            let write = story.any_write(&mut random);
            story.write(&engine, write, Durability::Os).unwrap();
        }
        let after = io.crash(seed).unwrap();
        drop(engine);
        // The doctor, and an opening that dies on the way, in the new boot.
        let options = Options::default();
        let report = doctor_with(Arc::new(after.clone()), Path::new(ROOT), &options).unwrap();
        holes += usize::from(report.findings.iter().any(|finding| !finding.is_fault));
        after.power_off_after(random.below(12));
        let _half_way = open(&after);
        let after = after.kill().unwrap();
        let engine = open(&after).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        story.settle(&engine, 0);
    }
    assert!(holes > 0);
}

#[test]
fn a_snapshot_is_a_store() {
    let (io, mut story) = killed(2);
    let engine = open(&io).unwrap();
    let snapshot = Snapshot::new("albums").destination("/copy");
    let taken = call(&engine, snapshot).unwrap();
    assert_eq!(taken.count, story.now.len() as u64);
    let copy = story.clone();
    let more = story.any_write(&mut Random(1));
    story.write(&engine, more, Durability::Sync).unwrap();
    let after = io.crash_losing_all(1).unwrap();
    drop(engine);
    assert_whole(&after, &story);
    let mut options = Options::default();
    options.background = false;
    let engine = Engine::open_with(Arc::new(after), Path::new("/copy"), options).unwrap();
    let floor = copy.acknowledged;
    let mut copy = copy;
    copy.settle(&engine, floor);
}

/// Files of the index of these endings.
fn index_files(io: &SimulatedIo) -> Vec<(PathBuf, u64)> {
    let mut files = io.files().unwrap();
    files.retain(|(path, _)| {
        let name = path.to_string_lossy();
        [".segment", ".model", "index.manifest"]
            .iter()
            .any(|end| name.ends_with(end))
    });
    files
}

/// Searches find everything, at any recall, before and after the index is made again; the
/// doctor knew of it, and has nothing to say afterwards.
fn assert_made_again(io: &SimulatedIo, story: &Story, what: &str) {
    let machine = || Arc::new(io.clone());
    let report = doctor_with(machine(), Path::new(ROOT), &with_index()).unwrap();
    assert_eq!(report.findings.len(), 1, "{what}: {:?}", report.findings);
    let finding = &report.findings[0];
    assert!(!finding.is_fault, "{what}: {finding:?}");
    assert!(finding.message.contains(FOLDER), "{what}: {finding:?}");
    let engine = Engine::open_with(machine(), Path::new(ROOT), with_index()).unwrap();
    let mut story = story.clone();
    let mut random = Random(1);
    let floor = story.acknowledged;
    story.settle(&engine, floor);
    assert_no_leftovers(io, ROOT, &engine);
    for _ in 0..5 {
        story.check_search(&engine, &mut random);
    }
    let describe = || call(&engine, DescribeCollection::new("albums")).unwrap();
    assert!(
        describe().index.is_none_or(|index| index.fault.is_some()),
        "{what}"
    );
    while describe()
        .index
        .is_none_or(|index| index.fault.is_some() || index.older_epoch_rows > 0)
    {
        let write = story.any_write(&mut random);
        story.write(&engine, write, Durability::Os).unwrap();
    }
    call(&engine, Flush::new("albums")).unwrap();
    story.flushed();
    assert_eq!(describe().unindexed, 0, "{what}");
    for _ in 0..5 {
        story.check_search(&engine, &mut random);
    }
    assert_no_leftovers(io, ROOT, &engine);
    drop(engine);
    let report = doctor_with(machine(), Path::new(ROOT), &with_index()).unwrap();
    assert_eq!(report.findings, [], "{what}");
}

#[test]
fn a_damaged_or_missing_file_of_the_index_is_made_again() {
    let (io, story) = with_two_epochs();
    let files = index_files(&io);
    assert!(files.len() >= 5, "{files:?}");
    let mut random = Random(4);
    for (path, length) in files {
        for round in 0..6 {
            let io = io.kill().unwrap();
            let offset = random.below(length);
            match round {
                0 => io.remove(&path).unwrap(),
                1 => io.truncate(&path, offset).unwrap(),
                2 => io.truncate(&path, 0).unwrap(),
                3 => io.overwrite(&path, length, b"more").unwrap(),
                _ => io.flip_bit(&path, offset, random.below(8) as u32).unwrap(),
            }
            assert_made_again(&io, &story, &format!("{} {round} {offset}", path.display()));
        }
    }
}

#[test]
fn an_index_that_is_gone_altogether_is_no_fault() {
    let (io, story) = with_two_epochs();
    for (path, _) in index_files(&io) {
        io.remove(&path).unwrap();
    }
    let report = doctor_with(Arc::new(io.clone()), Path::new(ROOT), &with_index()).unwrap();
    assert_eq!(report.findings, []);
    assert_whole(&io, &story);
}

#[test]
fn an_index_of_another_collection_is_not_taken_for_its_own() {
    let (io, story) = with_two_epochs();
    let engine = Engine::open_with(Arc::new(io.clone()), Path::new(ROOT), with_index()).unwrap();
    let mut other = story.clone();
    other.schema.collection = "books".to_owned();
    call(&engine, other.schema.clone()).unwrap();
    let mut other = Story::new(other.schema, &mut Random(9));
    let mut random = Random(10);
    let describe = || call(&engine, DescribeCollection::new("books")).unwrap();
    while describe().count < 200 {
        let write = other.any_write(&mut random);
        other.write(&engine, write, Durability::Sync).unwrap();
    }
    call(&engine, Flush::new("books")).unwrap();
    drop(engine);
    for (path, length) in index_files(&io) {
        if path.starts_with(FOLDER) {
            continue;
        }
        let mut bytes = vec![0; length as usize];
        io.open(&path).unwrap().read_at(0, &mut bytes).unwrap();
        let to = format!("{FOLDER}/{}", path.file_name().unwrap().to_string_lossy());
        if exists(&io, &to) {
            io.remove(Path::new(&to)).unwrap();
        }
        make(&io, &to, &bytes);
    }
    let engine = Engine::open_with(Arc::new(io.clone()), Path::new(ROOT), with_index()).unwrap();
    assert_no_leftovers(&io, ROOT, &engine);
    let mut story = story;
    let floor = story.acknowledged;
    story.settle(&engine, floor);
    story.check_search(&engine, &mut random);
}

/// The log ends where its last writes were lost with their mark. What they had removed is back,
/// and the index had left it out.
#[test]
fn an_index_that_knows_of_lost_writes_is_made_again() {
    let (io, mut story) = with_two_epochs();
    let log = logs(&io).pop().unwrap();
    let end = |io: &SimulatedIo| {
        let file = io.open(&log).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(0, &mut bytes).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
        (used.next_multiple_of(64), bytes.len() as u64)
    };
    let engine = Engine::open_with(Arc::new(io.clone()), Path::new(ROOT), with_index()).unwrap();
    call(&engine, Flush::new("albums")).unwrap();
    // The last 128 bytes are a mark, in whose place the next record goes.
    let position = end(&io).0 - 128;
    let before = story.clone();
    let ids = story.now.keys().take(80).cloned().collect();
    let some = harness::Write::Delete(ids);
    story.write(&engine, some, Durability::Sync).unwrap();
    call(&engine, Flush::new("albums")).unwrap();
    let left = io.kill().unwrap();
    drop(engine);
    let (used, _) = end(&left);
    let zeros = vec![0; (used - position) as usize];
    left.overwrite(&log, position, &zeros).unwrap();
    assert_made_again(&left, &before, "lost writes");
}
