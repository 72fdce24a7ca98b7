//! Readers that go away.
#![cfg(unix)]

mod common;

use std::process::Stdio;

use common::{Place, noise, npy};

#[test]
fn nothing_panics_when_nobody_reads() {
    let place = Place::new();
    place.write("v.npy", npy(&noise(2_000, 16), 16));
    place.ok(&["import", "data", "v.npy", "-c", "c"]);
    for arguments in [
        &["help"][..],
        &[],
        &["--version"],
        &["completions", "bash"],
        &["info", "data"],
        &["info", "data", "--json"],
        &["export", "data", "--jsonl", "-"],
        &["search", "data", "--like", "7", "--limit", "1000"],
        &["get", "data", "1", "2"],
        &["get", "data", "nobody"],
        &["nonsense"],
        &["import", "data", "v.npy", "-c", "c", "--batch", "10"],
    ] {
        for (close_stdout, close_stderr) in [(true, false), (false, true), (true, true)] {
            let mut command = place.command(arguments);
            if close_stdout {
                command.stdout(closed());
            }
            if close_stderr {
                command.stderr(closed());
            }
            let output = command.output().unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(!err.contains("panicked"), "{arguments:?}: {err}");
            let code = output.status.code().unwrap_or(-1);
            assert!((0..=2).contains(&code), "{arguments:?}: {code} {err}");
            if close_stdout && arguments != ["nonsense"] && !arguments.contains(&"nobody") {
                assert_eq!((code, &*err), (0, if close_stderr { "" } else { &*err }));
            }
        }
    }
    assert_eq!(place.ok(&["count", "data"]), "2,000\n");
}

/// The writing end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    writer.into()
}
