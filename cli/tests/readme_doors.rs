//! What the README says about the network is what a shell with curl and a Python run here.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/python.rs"]
mod python;
#[path = "common/served.rs"]
mod served;

use std::process::Command;

use crate::python::{environment, run};
use crate::served::Served;

/// Python packages that the examples import.
const PACKAGES: [&str; 3] = ["requests", "msgpack", "numpy"];

/// The code blocks of the README's part about the network: language and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let readme = include_str!("../../README.md");
    let part = readme.split("## Over the network").nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    part.split("```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

#[test]
fn the_readmes_examples_run() {
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(&folder.path().join("data"));
    let python = environment("python", &PACKAGES);
    let mut said = Vec::new();
    for (language, text) in blocks() {
        let text = text.replace("http://127.0.0.1:6327", server.url());
        said.push(match language {
            "sh" => run(Command::new("sh").args(["-euc", &text])),
            "python" => run(Command::new(python.join("python")).args(["-c", &text])),
            "rust,ignore" => continue,
            other => panic!("a block of {other} is not run"),
        });
    }
    assert_eq!(said.len(), 3);
    assert!(said[0].contains("\"title\": \"Blue\""), "{}", said[0]);
    let hits: Vec<&str> = said[1].lines().collect();
    assert!(
        hits[0].ends_with("Pastel Blues") && hits[1].ends_with("Blue"),
        "{hits:?}"
    );
    assert_eq!(said[2].trim(), "1000");
}
