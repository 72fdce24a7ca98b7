//! Paths that cannot be opened are refused with what is wrong and what to do, and stay as
//! they are.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;
use std::process::{Command, Stdio};

use nearfield::{Batch, Database, Error, ErrorKind, Metric, Result};

fn open(path: &Path) -> Result<Database> {
    nearfield::connect(path.to_string_lossy())
}

/// What opens a path for one process alone.
fn unshared(path: &Path) -> nearfield::Builder {
    let builder = nearfield::Builder::new(path.to_string_lossy());
    #[cfg(feature = "shm")]
    let builder = builder.share(false);
    builder
}

#[track_caller]
fn assert_is(result: Result<Database>, kind: ErrorKind, words: &[&str]) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(
            error.message().contains(word),
            "{error} does not say {word:?}"
        );
    }
    error
}

#[test]
fn a_path_that_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "text").unwrap();
    assert_is(
        open(&path),
        ErrorKind::Storage,
        &["choose a path that is a folder"],
    );
    assert_is(
        open(&path.join("below")),
        ErrorKind::Storage,
        &["choose a path that is a folder"],
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
}

#[test]
fn a_folder_with_other_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "text").unwrap();
    assert_is(
        open(folder.path()),
        ErrorKind::Storage,
        ["letter", "choose another path"][1..].as_ref(),
    );
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing was added");
}

/// Root may write anywhere, so this uses a place where nobody can make a folder: the file
/// system of processes. A user without root's rights meets the same code by `chmod`.
#[test]
fn a_path_where_nothing_can_be_made() {
    if !Path::new("/proc/self").exists() {
        println!("skipped: there is no /proc here");
        return;
    }
    let error = open(Path::new("/proc/nearfield")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    assert!(error.message().contains("/proc/nearfield"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_path_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o500)).unwrap();
    if std::fs::write(closed.join("probe"), "").is_ok() {
        println!("skipped: this user, probably root, is held by no permission");
        return;
    }
    let words = ["give this user read and write permission"];
    assert_is(open(&closed.join("store")), ErrorKind::Storage, &words);
}

#[test]
fn a_store_that_is_not_there_when_none_shall_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let builder = nearfield::Builder::new(path.to_string_lossy());
    let opened = builder.options(|options| options.create = false).open();
    assert_is(opened, ErrorKind::NotFound, &["check the path"]);
    assert!(!path.exists());
}

#[test]
fn a_second_opener_in_the_same_process_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let builder = unshared(&path);
    let first = builder
        .options(|options| options.program = "the first program".to_owned())
        .open()
        .unwrap();
    let process = std::process::id().to_string();
    let words = [
        "this process",
        &process,
        "the first program",
        "close it there first",
    ];
    assert_is(open(&path), ErrorKind::Locked, &words);
    drop(first);
    open(&path).unwrap();
}

/// Run again by [`a_second_opener_in_another_process_is_told_who_holds_it`].
#[test]
fn other_process() {
    let Ok(path) = std::env::var("NEARFIELD_TEST_STORE") else {
        return;
    };
    println!("answer: {}", open(Path::new(&path)).unwrap_err());
}

#[test]
fn a_second_opener_in_another_process_is_told_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let builder = unshared(&path);
    let db = builder
        .options(|options| options.program = "the first program".to_owned())
        .open()
        .unwrap();
    let docs = db.create_collection("docs", 1, Metric::Dot).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_process", "--nocapture"])
        .env("NEARFIELD_TEST_STORE", &path)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let process = format!("process {}", std::process::id());
    for word in [
        &process,
        "the first program",
        "close it there first",
        "locked",
    ] {
        assert!(output.contains(word), "{output} does not say {word:?}");
    }
    assert!(!output.contains("this process"), "{output}");
    docs.upsert(Batch::new([1], &[1.0])).run().unwrap();
}
