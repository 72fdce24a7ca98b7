//! What the program says about itself.

mod common;

use std::collections::BTreeSet;

use common::Place;
use serde_json::Value;

const COMMANDS: [&str; 17] = [
    "demo",
    "ladder",
    "import",
    "search",
    "get",
    "count",
    "delete",
    "export",
    "info",
    "list",
    "create",
    "drop",
    "compact",
    "snapshot",
    "restore",
    "doctor",
    "completions",
];

#[test]
fn alone_it_prints_a_short_guide() {
    let place = Place::new();
    let guide = place.ok(&[]);
    assert!(guide.contains("nearfield demo") && guide.contains("nearfield help"));
    assert!(guide.lines().count() < 12);
    assert!(place.json(&[])["guide"].is_string());
}

#[test]
fn help_lists_all_commands_and_each_has_an_example() {
    let place = Place::new();
    let list = place.ok(&["help"]);
    assert_eq!(list, place.ok(&["--help"]));
    for command in COMMANDS {
        assert!(list.contains(&format!("\n  {command} ")), "{command}");
        let help = place.ok(&[command, "--help"]);
        assert!(help.contains("Example"), "{command}");
        assert!(
            help.contains(&format!("  nearfield {command}")),
            "{command}"
        );
        assert_eq!(help, place.ok(&["help", command]), "{command}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{command}"
        );
    }
}

#[test]
fn help_names_defaults_and_the_environment() {
    let place = Place::new();
    let help = place.ok(&["import", "--help"]);
    for word in [
        "[default: 1000]",
        "[default: sync]",
        "NEARFIELD_BATCH",
        "NEARFIELD_COLLECTION",
        "euclidean",
    ] {
        assert!(help.contains(word), "{word}");
    }
    assert!(place.ok(&["search", "-h"]).contains("[default: 0.95]"));
}

#[test]
fn the_version_and_completions_are_told() {
    let place = Place::new();
    assert!(place.ok(&["--version"]).starts_with("nearfield 0."));
    for shell in ["bash", "zsh", "fish"] {
        let script = place.ok(&["completions", shell]);
        assert!(script.contains("nearfield") && script.contains("import"));
    }
}

#[test]
fn wrong_arguments_exit_with_2() {
    let place = Place::new();
    for arguments in [
        &["conquer"][..],
        &["import"],
        &["import", "data"],
        &["search", "data", "--limit", "many", "--like", "1"],
        &["search", "data"],
        &["search", "data", "--like", "1", "--vector", "1"],
        &["search", "data", "--vector", "1", "--filter", "genre ="],
        &["import", "data", "a.npy", "--batch", "0"],
        &["import", "data", "a.csv", "-c", "docs"],
        &["import", ":memory:", "a.npy", "-c", "docs"],
        &["delete", "data"],
        &["export", "data"],
        &["export", "data", "--ids", "x", "--metadata", "x"],
        &["count", "data", "--memory-budget", "lots"],
        &["count", "data", "--memory-budget", "0"],
    ] {
        place.fails(2, arguments);
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let answer = place.run(&with_json);
        assert_eq!((answer.code, answer.out.as_str()), (2, ""));
        let error: Value = serde_json::from_str(&answer.err).unwrap();
        let keys: BTreeSet<&str> = error["error"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, BTreeSet::from(["hint", "kind", "message"]));
        assert_eq!(error["error"]["kind"], "usage", "{arguments:?}");
    }
    assert!(!place.path("data").exists());
}
