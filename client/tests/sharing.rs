//! Processes that open one path: the first has the engine, the others ask it, and when it goes
//! another takes over.
#![cfg(feature = "shm")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/process.rs"]
mod process;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearfield::{Batch, Builder, Context, Database, ErrorKind, Filter, Metadata, Metric};

use crate::process::Process;

fn open(path: &Path) -> Database {
    nearfield::connect(path.to_string_lossy()).unwrap()
}

/// Not a test of its own: what other processes run.
#[test]
fn child() {
    process::run(|path, words| match words {
        ["own"] => {
            let db = open(path);
            let docs = db.create_collection("docs", 2, Metric::Dot).unwrap();
            docs.upsert(Batch::new([1], &[1.0, 0.0])).run().unwrap();
            process::say("ready");
            process::wait();
        }
        ["write", id] => {
            let id: u64 = id.parse().unwrap();
            let docs = open(path).collection("docs").unwrap();
            docs.upsert(Batch::new([id], &[0.0, 1.0])).run().unwrap();
            process::say("ready");
            process::wait();
            // With nobody to ask but itself.
            docs.upsert(Batch::new([id + 1], &[0.0, 1.0]))
                .run()
                .unwrap();
            process::say(&docs.count().run().unwrap().count.to_string());
            process::wait();
        }
        ["open"] => {
            let opened = Builder::new(path.to_string_lossy())
                .timeout(Duration::from_millis(400))
                .open();
            process::say(&opened.map_or_else(|error| error.to_string(), |_| "opened".to_owned()));
        }
        ["snapshot"] => {
            let docs = open(path).collection("docs").unwrap();
            std::env::set_current_dir(path.with_file_name("here")).unwrap();
            docs.snapshot("copy").unwrap();
            process::say("ready");
        }
        _ => panic!("{words:?}"),
    });
}

#[test]
fn two_processes_open_one_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut owner = Process::start(&path, "own");
    owner.expect("ready");
    let docs = open(&path).collection("docs").unwrap();
    docs.upsert(Batch::new([2], &[0.0, 1.0])).run().unwrap();
    assert_eq!(docs.count().run().unwrap().count, 2);
    let found = docs.search(&[0.0, 1.0]).limit(1).run().unwrap();
    assert_eq!(found.results[0][0].id, 2.into());
}

#[test]
fn the_socket_is_for_its_user_unless_the_group_is_let_in() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    for (with_group, mode) in [(false, 0o600), (true, 0o660)] {
        let path = folder.path().join(mode.to_string());
        let builder = Builder::new(path.to_string_lossy()).share_with_group(with_group);
        let db = builder.open().unwrap();
        let socket = path.join("socket").metadata().unwrap();
        assert_eq!(socket.permissions().mode() & 0o777, mode);
        drop(db);
    }
}

#[test]
fn a_guest_takes_over_when_the_owner_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut owner = Process::start(&path, "own");
    owner.expect("ready");
    let docs = open(&path).collection("docs").unwrap();
    let mut guest = Process::start(&path, "write 10");
    guest.expect("ready");
    owner.kill();
    let start = Instant::now();
    docs.upsert(Batch::new([2], &[0.0, 1.0])).run().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    guest.go_on();
    guest.expect("4");
    assert_eq!(docs.count().run().unwrap().count, 4);
}

#[test]
fn a_guest_takes_over_when_the_owner_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut owner = Process::start(&path, "own");
    owner.expect("ready");
    let docs = open(&path).collection("docs").unwrap();
    owner.go_on();
    owner.end();
    let filter = Filter::parse("a = 1").unwrap();
    let patch = Metadata::parse(r#"{"a": 1}"#).unwrap();
    docs.update_metadata([1], patch).run().unwrap();
    assert_eq!(docs.delete_matching(filter).run().unwrap().deleted, 1);
}

#[test]
fn a_second_opener_in_the_same_process_has_the_same_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let first = open(&path);
    first.create_collection("docs", 2, Metric::Dot).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let second = open(&link);
    drop(first);
    assert_eq!(second.collections().unwrap(), ["docs"]);
    drop(second);
    // Nobody has it any more.
    let alone = Builder::new(path.to_string_lossy()).share(false);
    assert_eq!(alone.open().unwrap().collections().unwrap(), ["docs"]);
}

#[test]
fn a_removed_lock_file_makes_no_second_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut owner = Process::start(&path, "own");
    owner.expect("ready");
    std::fs::remove_file(path.join("lock")).unwrap();
    let docs = open(&path).collection("docs").unwrap();
    docs.upsert(Batch::new([2], &[0.0, 1.0])).run().unwrap();
    assert_eq!(docs.count().run().unwrap().count, 2);
    assert!(!path.join("lock").exists(), "nobody took another lock");
}

#[cfg(target_os = "linux")]
#[test]
fn a_removed_lock_file_makes_no_second_owner_beside_one_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let open_alone = || {
        let builder = Builder::new(path.to_string_lossy());
        builder.share(false).open()
    };
    let mut owner = Process::start(&path, "own");
    owner.expect("ready");
    owner.stop();
    std::fs::remove_file(path.join("lock")).unwrap();
    let told = Process::start(&path, "open").next().unwrap();
    assert!(told.contains("is held by another process"), "{told}");
    let error = open_alone().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    owner.kill();

    let alone = open_alone().unwrap();
    std::fs::remove_file(path.join("lock")).unwrap();
    let told = Process::start(&path, "open").next().unwrap();
    assert!(told.contains("is held by another process"), "{told}");
    drop(alone);
    let told = Process::start(&path, "open").next().unwrap();
    assert_eq!(told, "opened");
}

#[test]
fn who_insists_on_an_owner_needs_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let db = open(&path);
    db.create_collection("docs", 2, Metric::Dot).unwrap();
    for scheme in ["shm", "unix"] {
        let target = format!("{scheme}:{}", path.display());
        let guest = nearfield::connect(&target).unwrap();
        assert_eq!(guest.collections().unwrap(), ["docs"]);
    }
    let socket = format!("unix:{}", path.join("socket").display());
    let guest = nearfield::connect(&socket).unwrap();
    assert_eq!(guest.collections().unwrap(), ["docs"]);
    drop(db);
    let mut context = Context::with_timeout(Duration::from_millis(300));
    let error = guest
        .call_with(&mut context, nearfield::ListCollections {})
        .unwrap_err();
    assert!(error.kind().is_retryable(), "{error}");
    let target = format!("shm:{}", path.display());
    let error = Builder::new(&target)
        .timeout(Duration::from_millis(300))
        .open()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("nearfield serve"), "{error}");
}

#[test]
fn a_timeout_may_be_endless() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let open = |scheme: &str| {
        let target = format!("{scheme}{}", path.display());
        Builder::new(target).timeout(Duration::MAX).open().unwrap()
    };
    let owner = open("");
    owner.create_collection("docs", 2, Metric::Dot).unwrap();
    for scheme in ["shm:", "unix:"] {
        assert_eq!(open(scheme).collections().unwrap(), ["docs"]);
    }
}

#[test]
fn a_path_that_is_not_shared_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let builder = || Builder::new(path.to_string_lossy());
    let alone = builder().share(false).open().unwrap();
    let start = Instant::now();
    let error = builder().open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(alone);
    let shared = builder().open().unwrap();
    let error = builder().share(false).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    drop(shared);
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_owner_is_waited_for_until_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut owner = Process::start(&path, "own");
    owner.expect("ready");
    let db = open(&path);
    let docs = db.collection("docs").unwrap();
    owner.stop();
    let start = Instant::now();
    let mut context = Context::with_timeout(Duration::from_millis(400));
    let delete = || docs.delete([1, 2]);
    let error = delete().run_with(&mut context).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{start:?}");
    let pid = owner.id().to_string();
    assert!(error.message().contains(&pid), "{error}");
    // Another opener is told, too.
    let other = Process::start(&path, "open");
    let told = other.next().unwrap();
    assert!(told.contains(&pid) && told.contains("kill -CONT"), "{told}");
    let insisting = Builder::new(format!("shm:{}", path.display()));
    let error = insisting
        .timeout(Duration::from_millis(400))
        .open()
        .unwrap_err();
    assert!(error.message().contains("kill -CONT"), "{error}");
    // What it had been sent is answered once it goes on, and a retry gets that answer.
    owner.signal("CONT");
    context.deadline = None;
    let deleted = delete().run_with(&mut context).unwrap();
    assert_eq!(deleted.deleted, 1);
    assert_eq!(docs.count().run().unwrap().count, 0);
}

#[test]
fn a_snapshot_of_a_guest_is_where_the_guest_means() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    std::fs::create_dir(folder.path().join("here")).unwrap();
    let mut owner = Process::start(&path, "own");
    owner.expect("ready");
    let mut guest = Process::start(&path, "snapshot");
    guest.expect("ready");
    assert!(folder.path().join("here/copy/catalog").exists());
}

#[test]
fn a_folder_that_takes_no_socket_is_opened_by_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(open(&path));
    // No socket replaces a folder.
    std::fs::create_dir(path.join("socket")).unwrap();
    let db = open(&path);
    db.create_collection("docs", 2, Metric::Dot).unwrap();
    let other = Process::start(&path, "open");
    let told = other.next().unwrap();
    assert!(told.contains("does not share"), "{told}");
    assert!(told.contains("locked"), "{told}");
}

#[test]
fn nobody_gets_the_lock_while_an_owner_finds_that_it_cannot_share() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for round in 0..20 {
        drop(open(&path));
        let lock = path.join("lock");
        std::fs::create_dir(path.join("socket")).unwrap();
        let program = format!("round {round}");
        let opened = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let is_held = || std::fs::read_to_string(&lock).unwrap().contains(&program);
                while !is_held() {}
                let file = std::fs::File::open(&lock).unwrap();
                while !opened.load(Ordering::SeqCst) {
                    assert!(file.try_lock().is_err(), "the lock was given up");
                }
            });
            let builder = Builder::new(path.to_string_lossy());
            let db = builder
                .options(|options| options.program.clone_from(&program))
                .open();
            opened.store(true, Ordering::SeqCst);
            assert!(other.join().is_ok(), "{db:?}");
            let text = std::fs::read_to_string(&lock).unwrap();
            assert!(text.contains(r#""shared":false"#), "{text}");
        });
        std::fs::remove_dir(path.join("socket")).unwrap();
    }
}

#[test]
fn scans_go_on_with_another_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut owner = Process::start(&path, "own");
    owner.expect("ready");
    let docs = open(&path).collection("docs").unwrap();
    let ids: Vec<u64> = (0..100).collect();
    docs.upsert(Batch::from_values(ids.clone(), vec![1.0; 200]))
        .run()
        .unwrap();
    let first = docs.scan().limit(30).run().unwrap();
    owner.kill();
    let rest = docs.scan().limit(1_000).cursor(first.next).run().unwrap();
    let points = first.points.into_iter().chain(rest.points);
    let found: Vec<_> = points.map(|point| point.id).collect();
    let expected: Vec<_> = ids.into_iter().map(nearfield::Id::from).collect();
    assert_eq!(found, expected);
}
