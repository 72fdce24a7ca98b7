//! The Mojo package over the C library: its verbs, its examples, and the conformance cases. Where
//! the compiler is: in `NEARFIELD_MOJO`, which `cargo xtask test --mojo` sets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/answerer.rs"]
mod answerer;
mod common;

use std::path::PathBuf;
use std::process::Command;

use answerer::{Answerer, assert_all_pass};
use common::{home, library};
use nearfield_conformance::replay_texts;

fn package() -> PathBuf {
    home().join("../mojo")
}

/// The Mojo compiler, with the library and the package in its reach.
fn mojo(verb: &str) -> Command {
    let compiler = std::env::var_os("NEARFIELD_MOJO");
    let mut mojo = Command::new(compiler.unwrap_or_else(|| "mojo".into()));
    mojo.env("NEARFIELD_LIBRARY", library().join("libnearfield.so"));
    mojo.current_dir(package()).args([verb, "-I", "."]);
    mojo
}

fn run(source: &str) -> String {
    let output = mojo("run").arg(source).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{source}\n{out}{err}");
    out
}

#[test]
#[ignore = "needs the Mojo compiler: cargo xtask test --mojo"]
fn every_verb_works_and_refuses() {
    assert!(run("tests/verbs.mojo").ends_with("all verbs hold\n"));
}

#[test]
#[ignore = "needs the Mojo compiler: cargo xtask test --mojo"]
fn the_example_runs() {
    assert!(run("examples/albums.mojo").contains("Kind of Blue"));
}

#[test]
#[ignore = "needs the Mojo compiler: cargo xtask test --mojo"]
fn a_mojo_program_answers_the_cases() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("answer");
    let mut build = mojo("build");
    build.arg("tests/answer.mojo").arg("-o").arg(&program);
    assert!(build.status().unwrap().success());
    let mut number = 0;
    let results = replay_texts(&["files"], || {
        number += 1;
        let target = folder.path().join(format!("store {number}"));
        let mut command = Command::new(&program);
        command.env("NEARFIELD_LIBRARY", library().join("libnearfield.so"));
        let mut answerer = Answerer::start(command.arg(target));
        Ok(move |_: &nearfield_model::Context, text: &str| answerer.answer(text))
    });
    assert_all_pass(&results.unwrap());
}
