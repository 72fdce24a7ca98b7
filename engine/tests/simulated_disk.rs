//! What the simulated disk keeps and loses, and how it fails when told to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use nearfield_engine::io::{File, Io, LockOutcome, SimulatedIo};
use std::collections::BTreeSet;
use std::io::{ErrorKind, IoSlice};
use std::path::Path;
use std::sync::Arc;

const SECTOR: usize = 512;

fn path(text: &str) -> &Path {
    Path::new(text)
}

fn write(file: &Arc<dyn File>, offset: usize, bytes: &[u8]) {
    file.write_at(offset as u64, &[IoSlice::new(bytes)])
        .unwrap();
}

fn content(io: &SimulatedIo, name: &str) -> Option<Vec<u8>> {
    if !io.exists(path(name)).unwrap() {
        return None;
    }
    let file = io.open(path(name)).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    Some(bytes)
}

/// A disk with a durable file `a` of these bytes.
fn disk_with(bytes: &[u8]) -> (SimulatedIo, Arc<dyn File>) {
    let io = SimulatedIo::new(7);
    let file = io.create(path("a")).unwrap();
    write(&file, 0, bytes);
    file.sync_data().unwrap();
    io.sync_directory(path("/")).unwrap();
    (io, file)
}

/// What `a` may be after a power loss, over many seeds.
fn fates_of(io: &SimulatedIo, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    (0..200)
        .map(|seed| content(&io.crash(seed).unwrap(), name))
        .collect()
}

#[test]
fn what_was_synced_survives() {
    let (io, _file) = disk_with(&[1; 3 * SECTOR]);
    assert_eq!(
        fates_of(&io, "a"),
        BTreeSet::from([Some(vec![1; 3 * SECTOR])])
    );
}

#[test]
fn a_synced_file_without_a_synced_name_may_be_gone() {
    let io = SimulatedIo::new(1);
    let file = io.create(path("a")).unwrap();
    write(&file, 0, b"content");
    file.sync_data().unwrap();
    assert_eq!(
        fates_of(&io, "a"),
        BTreeSet::from([None, Some(b"content".to_vec())])
    );
    assert_eq!(content(&io.crash_losing_all(1).unwrap(), "a"), None);
}

#[test]
fn sectors_are_lost_kept_torn_and_reordered() {
    let (io, file) = disk_with(&[1; 4 * SECTOR]);
    for sector in 0..4 {
        write(&file, sector * SECTOR, &[2; SECTOR]);
    }
    let mut torn = false;
    let mut kept = BTreeSet::new();
    for bytes in fates_of(&io, "a") {
        let bytes = bytes.unwrap();
        assert_eq!(bytes.len(), 4 * SECTOR);
        let mut pattern = Vec::new();
        for sector in bytes.chunks(SECTOR) {
            let new = sector.iter().take_while(|&&byte| byte == 2).count();
            assert!(sector[new..].iter().all(|&byte| byte == 1));
            torn |= new > 0 && new < SECTOR;
            pattern.push(new == SECTOR);
        }
        kept.insert(pattern);
    }
    assert!(torn);
    for pattern in [
        [false; 4],
        [true; 4],
        [false, false, false, true],
        [true, true, false, false],
    ] {
        assert!(kept.contains(&pattern[..]), "{pattern:?} never happened");
    }
}

#[test]
fn a_sector_may_survive_as_it_was_between_two_writes() {
    let (io, file) = disk_with(&[1; SECTOR]);
    write(&file, 0, &[2; SECTOR]);
    write(&file, 0, &[3; SECTOR]);
    let fates = fates_of(&io, "a");
    for byte in 1..=3 {
        assert!(fates.contains(&Some(vec![byte; SECTOR])));
    }
}

#[test]
fn a_length_may_be_old_or_new() {
    let (io, file) = disk_with(&[1; 100]);
    write(&file, 100, &[2; 1_000]);
    let fates = fates_of(&io, "a");
    let lengths: BTreeSet<usize> = fates.iter().flatten().map(Vec::len).collect();
    assert_eq!(lengths, BTreeSet::from([100, 1_100]));
    assert!(fates.iter().flatten().all(|bytes| bytes[..100] == [1; 100]));
    let zeros = |bytes: &Vec<u8>| bytes.len() == 1_100 && bytes[600..] == [0; 500];
    assert!(
        fates.iter().flatten().any(zeros),
        "the length came before the data"
    );
}

#[test]
fn a_cut_may_be_undone_and_does_not_resurrect_once_synced() {
    let (io, file) = disk_with(&[1; 2_000]);
    file.set_len(700).unwrap();
    assert!(fates_of(&io, "a").contains(&Some(vec![1; 2_000])));
    let io = io.kill().unwrap();
    let file = io.open(path("a")).unwrap();
    file.set_len(2_000).unwrap();
    file.sync_data().unwrap();
    let cut = [vec![1; 700], vec![0; 1_300]].concat();
    assert_eq!(fates_of(&io, "a"), BTreeSet::from([Some(cut)]));
}

#[test]
fn a_rename_leaves_the_old_or_the_new() {
    let (io, _file) = disk_with(b"old");
    let next = io.create(path("next")).unwrap();
    write(&next, 0, b"new");
    next.sync_data().unwrap();
    io.rename(path("next"), path("a")).unwrap();
    let both = BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]);
    assert_eq!(fates_of(&io, "a"), both);
    for seed in 0..100 {
        let after = io.crash(seed).unwrap();
        if content(&after, "a") == Some(b"new".to_vec()) {
            assert!(!after.exists(path("next")).unwrap());
        }
    }
    let io = io.kill().unwrap();
    io.sync_directory(path("/")).unwrap();
    assert_eq!(fates_of(&io, "a"), BTreeSet::from([Some(b"new".to_vec())]));
}

#[test]
fn a_move_to_another_directory_leaves_one_of_both() {
    let (io, _file) = disk_with(b"1");
    io.create_directory(path("d")).unwrap();
    io.rename(path("a"), path("d/b")).unwrap();
    io.sync_directory(path("/")).unwrap();
    for seed in 0..100 {
        let after = io.crash(seed).unwrap();
        assert!(after.exists(path("a")).unwrap() != after.exists(path("d/b")).unwrap());
    }
    let io = io.kill().unwrap();
    io.sync_directory(path("d")).unwrap();
    assert_eq!(fates_of(&io, "a"), BTreeSet::from([None]));
    assert_eq!(fates_of(&io, "d/b"), BTreeSet::from([Some(b"1".to_vec())]));
}

#[test]
fn a_removal_may_be_undone_until_it_is_synced() {
    let (io, _file) = disk_with(b"1");
    io.create_directory(path("d")).unwrap();
    io.create(path("d/b")).unwrap();
    io.sync_directory(path("d")).unwrap();
    io.remove(path("a")).unwrap();
    io.remove_directory(path("d")).unwrap();
    assert_eq!(
        fates_of(&io, "a"),
        BTreeSet::from([None, Some(b"1".to_vec())])
    );
    assert!(fates_of(&io, "d/b").contains(&Some(Vec::new())));
    let io = io.kill().unwrap();
    io.sync_directory(path("/")).unwrap();
    assert_eq!(fates_of(&io, "a"), BTreeSet::from([None]));
    assert!(io.crash(1).unwrap().files().unwrap().is_empty());
}

#[test]
fn the_same_seed_has_the_same_fate() {
    let run = || {
        let (io, file) = disk_with(&[1; 8 * SECTOR]);
        write(&file, 100, &[2; 6 * SECTOR]);
        let after = io.crash(42).unwrap();
        (content(&after, "a"), after.boot_id(), after.now())
    };
    assert_eq!(run(), run());
}

#[test]
fn the_old_machine_is_dead_after_a_crash() {
    let (io, file) = disk_with(b"1234");
    file.settle(4).unwrap();
    let map = file.map(4).unwrap();
    let LockOutcome::Held { lock: _lock, .. } = io.lock(path("lock"), b"1").unwrap() else {
        panic!("nobody else has it");
    };
    let after = io.crash(7).unwrap();
    assert!(file.write_at(4, &[IoSlice::new(b"5")]).is_err());
    assert!(file.sync_data().is_err() && file.len().is_err());
    assert!(io.open(path("a")).is_err() && io.list(path("/")).is_err());
    assert_eq!(map.bytes(0, 4), Some(&b"1234"[..]));
    assert_eq!(content(&after, "a"), Some(b"1234".to_vec()));
    assert!(matches!(
        after.lock(path("lock"), b"2").unwrap(),
        LockOutcome::Held { .. }
    ));
    assert_ne!(after.boot_id(), io.boot_id());
    let (mut old, mut new) = ([0; 16], [0; 16]);
    io.fill_random(&mut old);
    after.fill_random(&mut new);
    assert_ne!(old, new);
    assert!(after.wall_clock() > io.wall_clock());
}

#[test]
fn a_killed_process_loses_nothing_yet() {
    let (io, file) = disk_with(&[1; SECTOR]);
    write(&file, 0, &[2; SECTOR]);
    io.create(path("b")).unwrap();
    let LockOutcome::Held { lock: _lock, .. } = io.lock(path("lock"), b"one").unwrap() else {
        panic!("nobody else has it");
    };
    let after = io.kill().unwrap();
    assert!(file.len().is_err());
    assert_eq!(after.boot_id(), io.boot_id());
    assert_eq!(content(&after, "a"), Some(vec![2; SECTOR]));
    assert!(after.exists(path("b")).unwrap());
    match after.lock(path("lock"), b"two").unwrap() {
        LockOutcome::Held { previous, .. } => assert_eq!(previous, b"one"),
        LockOutcome::Busy { .. } => panic!("its holder is dead"),
    }
    let lost = after.crash_losing_all(1).unwrap();
    assert_eq!(content(&lost, "a"), Some(vec![1; SECTOR]));
    assert!(!lost.exists(path("b")).unwrap());
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next() {
    let (io, file) = disk_with(&[1; SECTOR]);
    write(&file, 0, &[2; SECTOR]);
    io.fail_nth_sync(1);
    assert!(file.sync_data().is_err());
    assert_eq!(content(&io, "a"), Some(vec![2; SECTOR]));
    file.sync_data().unwrap();
    let lost = io.crash_losing_all(1).unwrap();
    assert_eq!(content(&lost, "a"), Some(vec![1; SECTOR]));

    let (io, file) = disk_with(&[1; SECTOR]);
    write(&file, 0, &[2; SECTOR]);
    io.fail_nth_sync(1);
    assert!(file.sync_data().is_err());
    write(&file, 0, &[3; SECTOR]);
    file.sync_data().unwrap();
    let lost = io.crash_losing_all(1).unwrap();
    assert_eq!(content(&lost, "a"), Some(vec![3; SECTOR]));
}

#[test]
fn a_failed_sync_of_a_longer_file_is_made_good_by_writing_again() {
    let (io, file) = disk_with(b"");
    write(&file, 0, &[2; SECTOR]);
    io.fail_nth_sync(1);
    assert!(file.sync_data().is_err());
    // The process dies and its successor sees the bytes, but they are not on the disk.
    let io = io.kill().unwrap();
    let file = io.open(path("a")).unwrap();
    file.sync_data().unwrap();
    assert_eq!(
        content(&io.crash_losing_all(1).unwrap(), "a"),
        Some(Vec::new())
    );

    let io = io.crash(1).unwrap();
    let file = io.open(path("a")).unwrap();
    write(&file, 0, &[2; SECTOR]);
    io.fail_nth_sync(1);
    assert!(file.sync_data().is_err());
    write(&file, 0, &[2; SECTOR]);
    file.sync_data().unwrap();
    assert_eq!(
        content(&io.crash_losing_all(1).unwrap(), "a"),
        Some(vec![2; SECTOR])
    );
}

#[test]
fn a_full_disk_takes_what_fits() {
    let (io, file) = disk_with(b"");
    io.fail_writes_after(10);
    write(&file, 0, b"123456");
    let full = file.write_at(6, &[IoSlice::new(b"7890ab")]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert_eq!(content(&io, "a"), Some(b"1234567890".to_vec()));
    assert!(file.write_at(10, &[IoSlice::new(b"a")]).is_err());
    io.heal();
    write(&file, 10, b"ab");
}

#[test]
fn writes_syncs_and_renames_fail_when_told_to() {
    let (io, file) = disk_with(b"");
    io.fail_nth_write(2, ErrorKind::TimedOut);
    write(&file, 0, b"1");
    let failed = file.write_at(1, &[IoSlice::new(b"2")]).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::TimedOut);
    write(&file, 1, b"2");

    io.fail_nth_sync(2);
    file.sync_data().unwrap();
    assert!(io.sync_directory(path("/")).is_err());
    io.sync_directory(path("/")).unwrap();

    io.fail_renames();
    assert!(io.rename(path("a"), path("b")).is_err());
    assert!(io.exists(path("a")).unwrap());
    io.heal();
    io.rename(path("a"), path("b")).unwrap();
}

#[test]
fn the_power_goes_after_any_operation() {
    let steps = |io: &SimulatedIo| -> std::io::Result<()> {
        let file = io.create(path("next"))?;
        file.write_at(0, &[IoSlice::new(b"whole")])?;
        file.sync_data()?;
        io.rename(path("next"), path("current"))?;
        io.sync_directory(path("/"))
    };
    let whole = SimulatedIo::new(1);
    steps(&whole).unwrap();
    assert_eq!(whole.operations(), 5);
    for count in 0..=5 {
        let io = SimulatedIo::new(1);
        io.power_off_after(count);
        assert_eq!(steps(&io).is_ok(), count == 5);
        for current in fates_of(&io, "current") {
            assert!(current == Some(b"whole".to_vec()) || count < 5 && current.is_none());
        }
    }
}

#[test]
fn corruption_is_on_the_disk_and_in_the_map() {
    let (io, file) = disk_with(b"abcd");
    file.settle(4).unwrap();
    let map = file.map(4).unwrap();
    io.flip_bit(path("a"), 1, 0).unwrap();
    assert_eq!(map.bytes(0, 4), Some(&b"accd"[..]));
    io.overwrite(path("a"), 2, b"XYZ").unwrap();
    assert_eq!(
        content(&io.crash_losing_all(1).unwrap(), "a"),
        Some(b"acXYZ".to_vec())
    );
    io.truncate(path("a"), 2).unwrap();
    assert_eq!(io.files().unwrap(), [(path("/a").to_path_buf(), 2)]);
    let (missing, past) = (io.flip_bit(path("b"), 0, 0), io.flip_bit(path("a"), 9, 0));
    assert!(missing.is_err() && past.is_err());
}
