//! C and C++ programs, by gcc and clang with warnings refused, on stores in memory and in files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use common::{COMPILERS, LANGUAGES, Program, compile};

/// Runs a program that takes a target and a folder for snapshots.
fn run_everything(program: &Program) {
    let at = |name| program.folder().join(name).display().to_string();
    program.run(&[":memory:"]);
    program.run(&[&at("data"), &at("snapshot")]);
}

#[test]
fn every_function_works_in_c99_and_cpp17_by_gcc_and_clang() {
    for compiler in COMPILERS {
        for language in LANGUAGES {
            run_everything(&compile(compiler, &language, "everything.c"));
        }
    }
}

#[test]
fn each_misuse_is_refused_by_name() {
    for compiler in COMPILERS {
        compile(compiler, &LANGUAGES[0], "misuse.c").run(&[]);
    }
}

#[test]
fn threads_share_handles_and_have_their_own_errors() {
    let program = compile("gcc", &LANGUAGES[0], "threads.c");
    program.run(&[":memory:"]);
    program.run(&[&program.folder().join("data").display().to_string()]);
}

#[test]
fn stores_are_opened_and_closed_without_a_leak() {
    let program = compile("gcc", &LANGUAGES[0], "leaks.c");
    program.run(&[":memory:", "200", "4096"]);
    program.run(&[
        &program.folder().join("data").display().to_string(),
        "60",
        "4096",
    ]);
}
