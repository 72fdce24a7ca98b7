//! `nearfield ladder` on a tiny workload, through every door that is there.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;
#[path = "common/python.rs"]
mod python;

use std::process::Command;

use common::Place;
use serde_json::Value;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ladder.schema.json");
/// Doors that need nothing but this program.
const ALWAYS: [&str; 8] = [
    "engine",
    "embedded",
    "shm",
    "unix",
    "http-json-cold",
    "http-json",
    "http-msgpack",
    "grpc",
];

fn climb(place: &Place, doors: &str) -> Value {
    let arguments = [
        "ladder",
        "--vectors",
        "2000",
        "--dim",
        "16",
        "--batch",
        "1,100",
        "--rounds",
        "1",
        "--seconds",
        "0.05",
        "--path",
        ".",
        "--json",
        "ladder.json",
        "--html",
        "ladder.html",
        "--markdown",
        "ladder.md",
        "--chart",
        "ladder.svg",
        "--door",
        doors,
    ];
    let mut command = place.command(&arguments);
    if let Some(interpreter) = std::env::var_os("NEARFIELD_PYTHON") {
        command.env("NEARFIELD_PYTHON", interpreter);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&place.read("ladder.json")).unwrap()
}

#[test]
fn every_door_is_measured_or_said_not_to_be() {
    let place = Place::new();
    let mut doors = ALWAYS.to_vec();
    doors.extend(["c-single", "c-batch", "mojo"]);
    if std::env::var_os("NEARFIELD_PYTHON").is_some() {
        doors.extend([
            "python-list",
            "python-numpy",
            "python-reserve",
            "python-http-json",
        ]);
    }
    let climbed = climb(&place, &doors.join(","));
    let rows = climbed["rows"].as_array().unwrap();
    let not_run = climbed["not_run"].as_array().unwrap();
    for door in doors {
        let is_its = |entry: &&Value| entry["door"] == door;
        let its: Vec<&Value> = rows.iter().filter(is_its).collect();
        match not_run.iter().find(is_its) {
            Some(not) => {
                assert!(!ALWAYS.contains(&door) && its.is_empty(), "{not}");
                assert!(!not["reason"].as_str().unwrap().is_empty());
            }
            None => assert!(!its.is_empty(), "{door} has no row"),
        }
        for row in its {
            assert!(row["rate"].as_f64().unwrap() > 0.0, "{row}");
            let has_stages = !row["stages_us"].as_object().unwrap().is_empty();
            assert!(has_stages || door == "python-http-json", "{row}");
        }
    }
    assert!(climbed["faults"].as_array().unwrap().is_empty());
    validate(&place);
}

/// The JSON is what its schema says.
fn validate(place: &Place) {
    let programs = python::environment("ladder-schema", &["jsonschema"]);
    let check = "import json, sys, jsonschema\n\
                 schema, given = (json.load(open(file)) for file in sys.argv[1:])\n\
                 jsonschema.Draft202012Validator.check_schema(schema)\n\
                 jsonschema.validate(given, schema)";
    let mut command = Command::new(programs.join("python"));
    command
        .args(["-c", check, SCHEMA])
        .arg(place.path("ladder.json"));
    python::run(&mut command);
}

#[test]
fn a_run_is_told_as_text_page_markdown_and_picture() {
    let place = Place::new();
    climb(&place, "embedded,http-json");
    let page = place.text("ladder.html");
    assert!(page.contains("http-json") && !page.contains("<script"));
    for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let markdown = place.text("ladder.md");
    assert!(markdown.contains("(ladder.svg)") && markdown.contains("147,586"));
    assert!(place.text("ladder.svg").starts_with("<svg"));
}

#[test]
fn nothing_behind_the_doors_is_measured_too() {
    let place = Place::new();
    let arguments = [
        "ladder",
        "--engine",
        "null",
        "--vectors",
        "2000",
        "--batch",
        "100",
        "--rounds",
        "1",
        "--seconds",
        "0.05",
        "--path",
        ".",
        "--door",
        "embedded,http-msgpack,shm",
        "--json",
        "ladder.json",
    ];
    place.ok(&arguments);
    let climbed: Value = serde_json::from_slice(&place.read("ladder.json")).unwrap();
    assert_eq!(climbed["workload"]["engine"], "null");
    // Three doors, writes of one size and searches of two.
    assert_eq!(climbed["rows"].as_array().unwrap().len(), 9);
}

#[test]
fn what_cannot_be_done_is_refused() {
    let place = Place::new();
    for arguments in [
        &["ladder", "--vectors", "0"][..],
        &["ladder", "--batch", "0"],
        &["ladder", "--data", "missing.npy"],
        &["ladder", "--data", "a.txt"],
    ] {
        place.fails(1, arguments);
    }
    place.fails(2, &["ladder", "--door", "window"]);
}
