//! Commands work on the URL of a server as on a path, over every door, and say so where they
//! need files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
#[path = "common/served.rs"]
mod served;

use serde_json::Value;

use crate::common::{Place, noise, npy};
use crate::served::Served;

/// What a session of commands on a target answers, without what differs from store to store.
fn session(place: &Place, target: &str) -> Vec<Value> {
    let export = "back.jsonl";
    let _absent = std::fs::remove_file(place.path(export));
    let mut answers = vec![
        place.json(&[
            "create",
            target,
            "points",
            "--dimension",
            "8",
            "--metric",
            "euclidean",
        ]),
        place.json(&[
            "import",
            target,
            "points.npy",
            "-c",
            "points",
            "--batch",
            "100",
        ]),
        place.json(&["list", target]),
        place.json(&["count", target]),
        place.json(&[
            "search", target, "--like", "7", "--limit", "3", "--recall", "1",
        ]),
        place.json(&["get", target, "3", "4"]),
        place.json(&["delete", target, "3"]),
        place.json(&["export", target, "--jsonl", export]),
        place.json(&["compact", target]),
        place.json(&["info", target]),
    ];
    for answer in &mut answers {
        for name in [
            "path", "bytes", "seconds", "rate", "file", "files", "sequence",
        ] {
            if let Some(members) = answer.as_object_mut() {
                members.remove(name);
            }
        }
    }
    answers.truncate(8);
    answers.push(place.text(export).into());
    answers
}

#[test]
fn commands_take_a_url_as_they_take_a_path() {
    let place = Place::new();
    place.write("points.npy", npy(&noise(1_000, 8), 8));
    let expected = session(&place, "data");
    for scheme in ["http", "grpc"] {
        let server = Served::start(&place.path(scheme));
        let target = server.url().replace("http", scheme);
        assert_eq!(session(&place, &target), expected, "{scheme}");
        for command in [&["doctor", &target][..], &["restore", "snapshot", &target]] {
            let told = place.fails(2, command);
            assert!(
                told.contains("works on files") && told.contains("hint:"),
                "{told}"
            );
        }
        let told = place.fails(1, &["count", &target, "-c", "nowhere"]);
        assert!(told.contains(&format!("nearfield list {target}")), "{told}");
    }
}

#[test]
fn an_address_without_a_scheme_is_no_path() {
    let place = Place::new();
    place.write("points.npy", npy(&noise(10, 8), 8));
    for command in [
        &["count", "localhost:6327"][..],
        &["import", "localhost:6327", "points.npy", "-c", "c"],
    ] {
        let told = place.fails(2, command);
        assert!(told.contains("write http://localhost:6327"), "{told}");
    }
    assert!(!place.path("localhost:6327").exists());
    place.ok(&["import", "./localhost:6327", "points.npy", "-c", "c"]);
    assert_eq!(place.ok(&["count", "localhost:6327"]).trim(), "10");
}

#[test]
fn a_path_behind_a_servers_address_is_told_apart_from_a_collection() {
    let place = Place::new();
    let server = Served::start(&place.path("data"));
    let told = place.fails(1, &["list", &format!("{}/v1", server.url())]);
    assert!(told.contains("host and port alone"), "{told}");
}

#[test]
fn a_server_that_is_not_there_is_told_with_a_hint() {
    let place = Place::new();
    for scheme in ["http", "grpc"] {
        let told = place.fails(1, &["count", &format!("{scheme}://127.0.0.1:1")]);
        assert!(told.contains("hint: check host and port"), "{told}");
    }
}
