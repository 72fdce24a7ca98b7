//! Imports that are stopped, by Ctrl-C or by force, and go on.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod common;

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use common::{Answer, Place, holds, noise, npy};
use serde_json::Value;

const ROWS: usize = 20_000;
const IMPORT: [&str; 7] = ["import", "data", "v.npy", "-c", "c", "--batch", "2"];

fn prepared() -> Place {
    let place = Place::new();
    place.write("v.npy", npy(&noise(ROWS, 8), 8));
    place
}

/// The row that the store's record of the import names.
fn recorded(place: &Place) -> Option<u64> {
    let entries = std::fs::read_dir(place.path("data")).ok()?;
    let name = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with(".nearfield-import-") && !name.ends_with(".part"))?;
    let text = std::fs::read(place.path("data").join(name)).ok()?;
    let record: Value = serde_json::from_slice(&text).ok()?;
    record["next_row"].as_u64()
}

/// Starts an import and waits until it recorded a row after `row`.
fn started(place: &Place, arguments: &[&str], row: u64) -> Child {
    started_at(place, arguments, row + 1)
}

/// Starts an import and waits until it recorded `row` or a later one.
fn started_at(place: &Place, arguments: &[&str], row: u64) -> Child {
    let mut child = place.command(arguments).spawn().unwrap();
    let start = Instant::now();
    while recorded(place).is_none_or(|there| there < row) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "nothing was recorded"
        );
        assert!(
            child.try_wait().unwrap().is_none(),
            "the import ended too early"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    // Beyond what was recorded.
    std::thread::sleep(Duration::from_millis(50));
    child
}

fn check_complete(place: &Place) {
    let info = place.json(&["info", "data"]);
    let there = &info["collections"][0];
    assert_eq!(there["count"], ROWS as u64);
    assert_eq!(there["dead_rows"], 0, "no row was written twice");
    assert!(!holds(&place.path("data"), ".nearfield-import"));
    let values = noise(ROWS, 8);
    for row in [0, 1, ROWS / 2, ROWS - 1] {
        let got = place.json(&["get", "data", &row.to_string()]);
        let stored: Vec<f32> = got["points"][0]["vector"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| component.as_f64().unwrap() as f32)
            .collect();
        assert_eq!(stored, values[row * 8..row * 8 + 8]);
    }
    assert_eq!(place.json(&["doctor", "data"])["healthy"], true);
}

#[test]
fn an_import_killed_again_and_again_goes_on_and_doubles_nothing() {
    let place = prepared();
    let mut row = 0;
    for _ in 0..3 {
        let mut child = started(&place, &IMPORT, row);
        child.kill().unwrap();
        child.wait().unwrap();
        row = recorded(&place).unwrap();
        let count = place.json(&["count", "data"])["count"].as_u64().unwrap();
        assert!(row <= count && count < ROWS as u64, "{row} {count}");
    }
    let mut rest = IMPORT.to_vec();
    rest.pop();
    rest.extend(["1000", "--json"]);
    // Batches of another size go on as well.
    let answer = place.run(&rest);
    assert_eq!(answer.code, 0, "{}", answer.err);
    let done: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(done["resumed_at"], row);
    assert_eq!(done["rows"], ROWS as u64);
    let info = place.json(&["info", "data"]);
    assert_eq!(info["collections"][0]["count"], ROWS as u64);
}

#[test]
fn a_killed_import_sends_batches_again_under_the_same_request_ids() {
    let place = prepared();
    let mut child = started(&place, &IMPORT, 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let row = recorded(&place).unwrap();
    let mut child = started(&place, &IMPORT, row);
    Command::new("kill")
        .args(["-KILL", &child.id().to_string()])
        .status()
        .unwrap();
    child.wait().unwrap();
    let answer = place.run(&IMPORT);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.err.contains("going on after"), "{}", answer.err);
    check_complete(&place);
}

#[test]
fn ctrl_c_stops_after_the_batch_and_says_how_to_go_on() {
    for signal in ["-INT", "-TERM"] {
        for durability in ["sync", "os"] {
            let place = prepared();
            let mut arguments = IMPORT.to_vec();
            arguments.extend(["--durability", durability]);
            // Under `os` the first record comes only after two seconds.
            let child = started_at(&place, &arguments, u64::from(durability == "sync"));
            Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()
                .unwrap();
            let answer = Answer::of(child.wait_with_output().unwrap());
            if answer.code == 0 {
                // It was through before the signal came.
                continue;
            }
            assert_eq!(answer.code, 1, "{}", answer.err);
            assert!(answer.err.contains("error: stopped"), "{}", answer.err);
            assert!(
                answer.err.contains("the same command goes on from there"),
                "{}",
                answer.err
            );
            let row = recorded(&place).unwrap();
            assert_eq!(place.json(&["count", "data"])["count"], row);
            place.ok(&arguments);
            check_complete(&place);
        }
    }
}

#[test]
fn ctrl_c_is_heard_while_stdin_is_silent() {
    let place = Place::new();
    let mut command = place.command(&["import", "data", "-", "-c", "c"]);
    command.stdin(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    use std::io::Write;
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(b"{\"vector\": [1, 2]}\n{\"vec").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_changed_file_and_a_dropped_collection_start_over() {
    let place = prepared();
    let mut child = started(&place, &IMPORT, 0);
    child.kill().unwrap();
    child.wait().unwrap();
    place.ok(&["drop", "data", "c"]);
    let mut quick = IMPORT.to_vec();
    quick.pop();
    quick.push("1000");
    let answer = place.run(&quick);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.err.contains("starting over"), "{}", answer.err);
    check_complete(&place);

    place.ok(&["drop", "data", "c"]);
    let mut child = started(&place, &IMPORT, 0);
    child.kill().unwrap();
    child.wait().unwrap();
    place.write("v.npy", npy(&noise(ROWS + 1, 8), 8));
    let mut replacing = quick.clone();
    replacing.push("--replace");
    let answer = place.run(&replacing);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.err.contains("was changed"), "{}", answer.err);
    assert_eq!(place.json(&["count", "data"])["count"], ROWS as u64 + 1);
}

#[test]
fn lines_of_json_go_on_too() {
    let place = Place::new();
    let lines: String = noise(ROWS, 4)
        .chunks(4)
        .enumerate()
        .map(|(row, v)| format!("{{\"id\": \"p{row}\", \"vector\": {v:?}}}\n\n"))
        .collect();
    place.write("p.jsonl", lines);
    let arguments = ["import", "data", "p.jsonl", "-c", "c", "--batch", "2"];
    let mut child = started(&place, &arguments, 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let done = place.json(&arguments);
    assert!(done["resumed_at"].as_u64().unwrap() > 0);
    let info = place.json(&["info", "data"]);
    assert_eq!(info["collections"][0]["count"], ROWS as u64);
    assert_eq!(info["collections"][0]["dead_rows"], 0);
    place.ok(&["get", "data", "p0", "p19999"]);
}
