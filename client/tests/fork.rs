//! Processes that fork with a shared path open: the child takes nothing of its parent's, and
//! goes on as a process of its own.
#![cfg(all(feature = "shm", unix))]
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop; forking is not safe in general, which is what is tested"
)]

#[path = "common/process.rs"]
mod process;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearfield::{Batch, Builder, Collection, Database, ErrorKind, Metric};

use crate::process::Process;

fn open(path: &Path) -> Database {
    nearfield::connect(path.to_string_lossy()).unwrap()
}

fn create(path: &Path) -> Collection {
    let db = open(path);
    db.create_collection("docs", 2, Metric::Dot).unwrap()
}

fn write(docs: &Collection, id: u64) {
    docs.upsert(Batch::new([id], &[0.0, 1.0])).run().unwrap();
}

fn count(docs: &Collection) -> u64 {
    docs.count().run().unwrap().count
}

/// Runs `act` in a forked child, and gives the child's number. A child that hangs is ended.
fn fork(act: impl FnOnce()) -> libc::pid_t {
    // SAFETY: what the child calls is what is tested to be usable after a fork; the C library's
    // allocator is. It ends without touching what else the parent had.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: sets a timer.
            unsafe { libc::alarm(30) };
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        child => {
            assert!(child > 0, "no fork");
            child
        }
    }
}

#[track_caller]
fn assert_done(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: waits for a child that was forked above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child failed, or was ended because it hung");
}

/// Not a test of its own: what other processes run.
#[test]
fn child() {
    process::run(|path, words| match words {
        // Becomes the owner, or a guest, and leaves a child behind that outlives it.
        ["fork"] => {
            let docs = match open(path).collection("docs") {
                Ok(docs) => docs,
                Err(_) => create(path),
            };
            write(&docs, 1);
            let child = fork(|| {
                process::say("forked");
                process::wait();
                write(&docs, 3);
                process::say(&count(&docs).to_string());
                process::wait();
            });
            assert_done(child);
        }
        _ => panic!("{words:?}"),
    });
}

#[test]
fn the_child_of_an_owner_is_its_guest() {
    let folder = tempfile::tempdir().unwrap();
    let docs = create(&folder.path().join("store"));
    write(&docs, 1);
    // Both give out the next number of a write; the one is no retry of the other.
    let child = fork(|| {
        write(&docs, 2);
        assert_eq!(count(&docs), 2);
    });
    assert_done(child);
    write(&docs, 3);
    assert_eq!(count(&docs), 3);
    let child = fork(|| assert_eq!(count(&docs), 3));
    assert_done(child);
}

#[test]
fn a_child_that_closes_what_it_inherited_leaves_the_parent_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let docs = create(&path);
    write(&docs, 1);
    let mut copy = Some(docs.clone());
    drop(docs);
    assert_done(fork(|| drop(copy.take())));
    let mut other = Some(copy.take().unwrap());
    assert_done(fork(|| {
        let docs = other.take().unwrap();
        write(&docs, 2);
        drop(docs);
        // Opened anew, and by then the parent's still.
        assert_eq!(count(&open(&path).collection("docs").unwrap()), 2);
    }));
    let docs = other.unwrap();
    let target = format!("shm:{}", path.display());
    let guest = nearfield::connect(target).unwrap();
    assert_eq!(count(&guest.collection("docs").unwrap()), 2);
    assert_eq!(count(&docs), 2);
}

#[test]
fn a_child_of_a_guest_is_a_guest_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let docs = create(&path);
    let guest = nearfield::connect(format!("shm:{}", path.display())).unwrap();
    let guest = guest.collection("docs").unwrap();
    write(&guest, 1);
    let child = fork(|| {
        write(&guest, 2);
        write(&docs, 3);
        assert_eq!(count(&guest), 3);
    });
    assert_done(child);
    write(&guest, 4);
    assert_eq!(count(&docs), 4);
}

#[test]
fn a_child_keeps_neither_the_lock_nor_the_connections_of_a_dead_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut owner = Process::start(&path, "fork");
    owner.expect("forked");
    let docs = open(&path).collection("docs").unwrap();
    assert_eq!(count(&docs), 1);
    owner.kill();
    let start = Instant::now();
    write(&docs, 2);
    assert!(start.elapsed() < Duration::from_secs(10), "{start:?}");
    // The child goes on, with its parent's pipes.
    owner.go_on();
    owner.expect("3");
    assert_eq!(count(&docs), 3);
}

#[test]
fn a_child_of_a_dead_guest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let docs = create(&path);
    let mut guest = Process::start(&path, "fork");
    guest.expect("forked");
    guest.kill();
    write(&docs, 2);
    guest.go_on();
    guest.expect("3");
    assert_eq!(count(&docs), 3);
}

#[test]
fn no_lock_of_another_thread_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let docs = create(&path);
    let guest = nearfield::connect(format!("unix:{}", path.display())).unwrap();
    let guest = guest.collection("docs").unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let docs = if writer % 2 == 0 { &docs } else { &guest };
            let (is_over, others) = (&is_over, folder.path());
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    write(docs, 1_000 + writer);
                    // So that the list of open paths is busy, too.
                    drop(open(&others.join(writer.to_string())));
                }
            });
        }
        for id in 0..40 {
            assert_done(fork(|| {
                write(&docs, id);
                write(&guest, id + 100);
            }));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(count(&docs), 84);
}

#[test]
fn a_child_of_a_process_that_does_not_share_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let alone = Builder::new(path.to_string_lossy()).share(false);
    let db = alone.open().unwrap();
    let docs = db.create_collection("docs", 2, Metric::Dot).unwrap();
    let child = fork(|| {
        let error = docs.count().run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    });
    assert_done(child);
    write(&docs, 1);
    drop((docs, db));
    let child = fork(|| assert_eq!(count(&open(&path).collection("docs").unwrap()), 1));
    assert_done(child);
}
