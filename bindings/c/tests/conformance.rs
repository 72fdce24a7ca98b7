//! The cases that every door answers alike, through a C program that calls `nf_call`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/answerer.rs"]
mod answerer;
mod common;

use std::process::Command;

use answerer::{Answerer, assert_all_pass};
use common::{LANGUAGES, compile};
use nearfield_conformance::replay_texts;

#[test]
fn a_c_program_answers_in_memory() {
    let program = compile("gcc", &LANGUAGES[0], "answer.c");
    let results = replay_texts(&[], || {
        let mut answerer = Answerer::start(Command::new(&program.path).arg(":memory:"));
        Ok(move |_: &nearfield_model::Context, text: &str| answerer.answer(text))
    });
    assert_all_pass(&results.unwrap());
}

#[test]
fn a_c_program_answers_in_files() {
    let program = compile("clang", &LANGUAGES[0], "answer.c");
    let mut number = 0;
    let results = replay_texts(&["files"], || {
        number += 1;
        let target = program.folder().join(format!("store {number}"));
        let mut answerer = Answerer::start(Command::new(&program.path).arg(target));
        Ok(move |_: &nearfield_model::Context, text: &str| answerer.answer(text))
    });
    assert_all_pass(&results.unwrap());
}
