//! Paths of any length and of any bytes lead all processes to the same store.
#![cfg(all(target_os = "linux", feature = "shm"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/process.rs"]
mod process;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use nearfield::{Batch, Collection, ErrorKind, Metric, connect};

use crate::process::Process;

/// Not a test of its own: what other processes run.
#[test]
fn child() {
    process::run(|path, words| {
        let [scheme] = *words else {
            panic!("{words:?}");
        };
        let db = connect(format!("{scheme}{}", path.display())).unwrap();
        if db.collections().unwrap().is_empty() {
            db.create_collection("docs", 2, Metric::Dot).unwrap();
        }
        let docs = db.collection("docs").unwrap();
        let count = || docs.count().run().unwrap().count;
        upsert(&docs, count() + 1);
        process::say(&count().to_string());
        loop {
            match &*process::wait() {
                "go on" => {
                    upsert(&docs, count() + 1);
                    process::say(&count().to_string());
                }
                "snapshot" => {
                    let error = docs.snapshot("copy").unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
                    process::say(error.message());
                }
                _ => return,
            }
        }
    });
}

fn upsert(docs: &Collection, id: u64) {
    docs.upsert(Batch::new([id], &[1.0, 0.0])).run().unwrap();
}

fn start(folder: &Path, store: &str, scheme: &str) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.current_dir(folder);
    Process::by(command, Path::new(store), scheme)
}

/// An owner, guests by each way, and an heir.
fn share(folder: &Path, store: &str) {
    let mut owner = start(folder, store, "");
    owner.expect("1");
    for (scheme, count) in [("shm:", "2"), ("unix:", "3")] {
        start(folder, store, scheme).expect(count);
    }
    let mut heir = start(folder, store, "");
    heir.expect("4");
    owner.kill();
    heir.go_on();
    heir.expect("5");
    start(folder, store, "shm:").expect("6");
}

#[test]
fn a_path_longer_than_the_address_of_a_socket_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{0}/{0}/{0}", "long ".repeat(40).trim());
    share(folder.path(), &long);
    let whole = folder.path().join(&long);
    assert!(whole.as_os_str().len() > 600);
    share(folder.path(), &format!("{}/below", whole.display()));
}

#[test]
fn a_path_of_spaces_colons_lines_and_letters_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    for store in [
        "./ a b ",
        "./shm:x",
        "./c:d//e/../f",
        "./ab\ncd",
        "./żółw/数据",
    ] {
        share(folder.path(), store);
    }
}

#[test]
fn a_folder_whose_name_is_not_utf8_is_shared_from_inside() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join(OsStr::from_bytes(b"\xff\xfe \x80"));
    std::fs::create_dir(&odd).unwrap();
    share(&odd, "store");
    // Too long for an address, too.
    share(&odd, &"long".repeat(50));
    let mut owner = start(folder.path(), "there", "");
    owner.expect("1");
    std::os::unix::fs::symlink(folder.path().join("there"), odd.join("here")).unwrap();
    let mut guest = start(&odd, "here", "");
    guest.expect("2");
    // A destination is text, which has no name for this folder.
    guest.tell("snapshot");
    let said = guest.next().unwrap();
    assert!(said.contains("not UTF-8"), "{said}");
}
