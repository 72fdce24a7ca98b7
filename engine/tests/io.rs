//! Files on disk, in memory and on a simulated disk behave alike.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use nearfield_engine::io::{File, Io, LockOutcome, MemoryIo, RealIo, SimulatedIo};
use std::collections::BTreeSet;
use std::io::{ErrorKind, IoSlice};
use std::path::Path;
use std::sync::Arc;

/// Runs a case on every kind of machine, with a directory to work in.
fn on_every_machine(case: impl Fn(&dyn Io, &Path)) {
    let directory = tempfile::tempdir().unwrap();
    case(&RealIo::new(), directory.path());
    for io in [&MemoryIo::new() as &dyn Io, &SimulatedIo::new(1)] {
        let root = Path::new("/store");
        io.create_directory(root).unwrap();
        case(io, root);
    }
}

fn write(file: &Arc<dyn File>, offset: u64, bytes: &[u8]) {
    file.write_at(offset, &[IoSlice::new(bytes)]).unwrap();
}

fn read(file: &Arc<dyn File>) -> Vec<u8> {
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_name_is_made_once_and_found() {
    on_every_machine(|io, root| {
        let path = root.join("a");
        assert!(!io.exists(&path).unwrap());
        assert_eq!(io.open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        write(&io.create(&path).unwrap(), 0, b"first");
        assert!(io.exists(&path).unwrap());
        assert_eq!(
            io.create(&path).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(read(&io.open(&path).unwrap()), b"first");
        let orphan = io.create(&root.join("missing/b")).unwrap_err();
        assert_eq!(orphan.kind(), ErrorKind::NotFound);
        assert_eq!(io.open(root).unwrap_err().kind(), ErrorKind::IsADirectory);
    });
}

#[test]
fn names_are_listed_in_order() {
    on_every_machine(|io, root| {
        for name in ["b", "c", "a"] {
            io.create(&root.join(name)).unwrap();
        }
        io.create_directory(&root.join("0/1")).unwrap();
        assert_eq!(io.list(root).unwrap(), ["0", "a", "b", "c"]);
        assert_eq!(io.list(&root.join("0")).unwrap(), ["1"]);
        assert_eq!(
            io.list(&root.join("x")).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            io.list(&root.join("a")).unwrap_err().kind(),
            ErrorKind::NotADirectory
        );
    });
}

#[test]
fn directories_come_with_parents_and_go_with_contents() {
    on_every_machine(|io, root| {
        let deep = root.join("x/y/z");
        io.create_directory(&deep).unwrap();
        io.create_directory(&deep).unwrap();
        let file = io.create(&deep.join("a")).unwrap();
        write(&file, 0, b"kept open");
        assert_eq!(
            io.create_directory(&deep.join("a")).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        io.sync_directory(&deep).unwrap();
        io.remove_directory(&root.join("x")).unwrap();
        assert!(!io.exists(&deep).unwrap());
        assert!(io.list(root).unwrap().is_empty());
        assert_eq!(read(&file), b"kept open");
        write(&file, 9, b" and written");
        file.sync_data().unwrap();
        let gone = io.remove_directory(&root.join("x")).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_rename_replaces() {
    on_every_machine(|io, root| {
        let (old, new) = (root.join("old"), root.join("new"));
        let replaced = io.create(&old).unwrap();
        write(&replaced, 0, b"1");
        write(&io.create(&new).unwrap(), 0, b"2");
        io.rename(&new, &old).unwrap();
        assert_eq!(io.list(root).unwrap(), ["old"]);
        assert_eq!(read(&io.open(&old).unwrap()), b"2");
        assert_eq!(read(&replaced), b"1");
        assert_eq!(
            io.rename(&new, &old).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        io.rename(&old, &old).unwrap();

        io.create_directory(&root.join("d/e")).unwrap();
        io.rename(&old, &root.join("d/e/moved")).unwrap();
        io.rename(&root.join("d"), &root.join("f")).unwrap();
        assert_eq!(read(&io.open(&root.join("f/e/moved")).unwrap()), b"2");
        assert!(io.rename(&root.join("f"), &root.join("f/e/f")).is_err());
        io.remove(&root.join("f/e/moved")).unwrap();
        assert!(io.remove(&root.join("f/e")).is_err());
    });
}

#[test]
fn parts_are_written_in_a_row() {
    on_every_machine(|io, root| {
        let file = io.create(&root.join("a")).unwrap();
        // More parts than the kernel takes at once.
        let parts: Vec<Vec<u8>> = (0..3_000_usize).map(|n| vec![n as u8; n % 5]).collect();
        let slices: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
        file.write_at(3, &slices).unwrap();
        let expected = [vec![0; 3], parts.concat()].concat();
        assert_eq!(read(&file), expected);
        file.write_at(0, &[]).unwrap();
        assert!(
            file.write_at(u64::MAX - 1, &[IoSlice::new(b"abc")])
                .is_err()
        );

        let mut beyond = [0; 4];
        let error = file
            .read_at(expected.len() as u64 - 3, &mut beyond)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        file.set_len(5).unwrap();
        file.set_len(8).unwrap();
        assert_eq!(read(&file), [&expected[..5], &[0; 3]].concat());
        assert!(!file.is_empty().unwrap());
    });
}

#[test]
fn a_map_shows_what_is_settled() {
    on_every_machine(|io, root| {
        let file = io.create(&root.join("a")).unwrap();
        let map = file.map(1 << 20).unwrap();
        assert_eq!(map.len(), 1 << 20);
        write(&file, 0, &[1, 2, 3, 4]);
        assert_eq!(map.bytes(0, 4), None);
        file.settle(4).unwrap();
        assert_eq!(map.bytes(0, 4), Some(&[1, 2, 3, 4][..]));
        assert_eq!(map.bytes(4, 0), Some(&[][..]));
        assert_eq!(map.bytes(1, 4), None);
        assert_eq!(map.bytes(u64::MAX, 2), None);

        write(&file, 4, &1.5_f32.to_le_bytes());
        write(&file, 8, &(-2.0_f32).to_le_bytes());
        file.settle(12).unwrap();
        assert_eq!(map.floats(4, 2), Some(&[1.5, -2.0][..]));
        assert_eq!(map.floats(2, 1), None);
        assert_eq!(map.floats(8, 2), None);
        assert_eq!(map.floats(4, usize::MAX), None);
        map.advise_random();
        map.advise_huge();
        map.advise_soon(0, 12);
        let clone = map.clone();
        drop((map, file));
        io.remove(&root.join("a")).unwrap();
        assert_eq!(clone.readable_len(), 12);
        assert_eq!(clone.floats(8, 1), Some(&[-2.0][..]));

        let empty = io.create(&root.join("b")).unwrap().map(0).unwrap();
        assert_eq!(empty.bytes(0, 0), Some(&[][..]));
        assert_eq!(empty.bytes(0, 1), None);
    });
}

#[test]
fn settled_bytes_stay() {
    on_every_machine(|io, root| {
        let file = io.create(&root.join("a")).unwrap();
        assert_eq!(file.settle(1).unwrap_err().kind(), ErrorKind::InvalidInput);
        write(&file, 0, b"settled, and not");
        file.settle(7).unwrap();
        file.settle(3).unwrap();
        let again = io.open(&root.join("a")).unwrap();
        for handle in [&file, &again] {
            let denied = handle.write_at(6, &[IoSlice::new(b"x")]).unwrap_err();
            assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
            assert_eq!(
                handle.set_len(6).unwrap_err().kind(),
                ErrorKind::PermissionDenied
            );
        }
        write(&again, 7, b"!");
        again.set_len(8).unwrap();
        assert_eq!(read(&file), b"settled!");
    });
}

#[test]
fn a_file_opened_afresh_has_nothing_settled() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let io = RealIo::new();
    let file = io.create(&path).unwrap();
    write(&file, 0, b"torn");
    file.settle(4).unwrap();
    let map = file.map(4).unwrap();
    drop(file);
    assert!(io.open(&path).unwrap().set_len(0).is_err());
    drop(map);
    io.open(&path).unwrap().set_len(0).unwrap();
}

#[test]
fn maps_are_read_while_others_write() {
    on_every_machine(|io, root| {
        let file = io.create(&root.join("a")).unwrap();
        let map = file.map(64 * 1_024).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for row in 0..1_024_u64 {
                    write(&file, row * 64, &[row as u8; 64]);
                    file.settle((row + 1) * 64).unwrap();
                }
            });
            while map.readable_len() < map.len() {
                let rows = map.readable_len() as u64 / 64;
                if rows > 0 {
                    assert_eq!(
                        map.bytes((rows - 1) * 64, 64).unwrap(),
                        [(rows - 1) as u8; 64]
                    );
                }
            }
        });
    });
}

#[test]
fn a_lock_has_one_holder_and_names_it() {
    on_every_machine(|io, root| {
        let path = root.join("lock");
        let LockOutcome::Held { lock, previous } = io.lock(&path, b"the first, 17").unwrap() else {
            panic!("nobody else has it");
        };
        assert_eq!(previous, b"");
        match io.lock(&path, b"the second").unwrap() {
            LockOutcome::Busy { holder } => assert_eq!(holder, b"the first, 17"),
            LockOutcome::Held { .. } => panic!("it is held"),
        }
        drop(lock);
        match io.lock(&path, b"third").unwrap() {
            LockOutcome::Held { previous, .. } => assert_eq!(previous, b"the first, 17"),
            LockOutcome::Busy { .. } => panic!("it is free"),
        }
        assert_eq!(read(&io.open(&path).unwrap()), b"third");
    });
}

#[test]
fn a_lock_outlives_its_file() {
    on_every_machine(|io, root| {
        let path = root.join("lock");
        let first = io.lock(&path, b"1").unwrap();
        io.remove(&path).unwrap();
        match io.lock(&path, b"2").unwrap() {
            LockOutcome::Busy { holder } => assert_eq!(holder, b"", "nobody tells who"),
            LockOutcome::Held { .. } => panic!("the folder is held"),
        }
        assert!(!io.exists(&path).unwrap(), "who loses makes no file");
        drop(first);
        match io.lock(&path, b"3").unwrap() {
            LockOutcome::Held { previous, .. } => assert_eq!(previous, b""),
            LockOutcome::Busy { .. } => panic!("it is free"),
        }
    });
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "another program's lock, which knows nothing of this one's rooms"
)]
fn who_holds_the_file_alone_holds_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    // As versions did that knew nothing of the folder's lock.
    std::fs::write(&path, "earlier").unwrap();
    let file = std::fs::File::open(&path).unwrap();
    file.try_lock().unwrap();
    let io = RealIo::new();
    for _ in 0..2 {
        match io.lock(&path, b"later").unwrap() {
            LockOutcome::Busy { holder } => assert_eq!(holder, b"earlier"),
            LockOutcome::Held { .. } => panic!("the file is held"),
        }
    }
    drop(file);
    let held = io.lock(&path, b"later").unwrap();
    assert!(matches!(held, LockOutcome::Held { .. }));
    let file = std::fs::File::open(&path).unwrap();
    assert!(file.try_lock().is_err(), "the file is locked, too");
}

#[test]
fn clocks_advance_and_chance_varies() {
    on_every_machine(|io, _| {
        let before = io.now();
        assert!(io.now() >= before);
        assert!(io.wall_clock() > std::time::UNIX_EPOCH);
        assert_eq!(io.boot_id(), io.boot_id());
        let mut seen = BTreeSet::new();
        for _ in 0..8 {
            let mut bytes = [0; 19];
            io.fill_random(&mut bytes);
            assert!(seen.insert(bytes));
        }
    });
}

#[test]
fn a_bare_name_has_a_parent() {
    // Relative paths: the parent of `x` is the working directory, which has no name.
    assert!(RealIo::new().create_directory(Path::new("")).is_ok());
    assert!(RealIo::new().create_directory(Path::new(".")).is_ok());
}
