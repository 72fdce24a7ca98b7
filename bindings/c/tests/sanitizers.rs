//! The same programs under AddressSanitizer, with undefined behaviour refused, and valgrind.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use common::{COMPILERS, LANGUAGES, compile};

const SANITIZED: [&str; 2] = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
];

/// C99 with sanitizers.
fn sanitized() -> Vec<&'static str> {
    [&LANGUAGES[0][..], &SANITIZED].concat()
}

#[test]
fn every_function_keeps_to_its_memory() {
    for compiler in COMPILERS {
        let program = compile(compiler, &sanitized(), "everything.c");
        let at = |name| program.folder().join(name).display().to_string();
        program.run(&[":memory:"]);
        program.run(&[&at("data"), &at("snapshot")]);
    }
}

#[test]
fn misuse_touches_no_memory() {
    for compiler in COMPILERS {
        compile(compiler, &sanitized(), "misuse.c").run(&[]);
    }
}

#[test]
fn threads_keep_to_their_memory() {
    compile("clang", &sanitized(), "threads.c").run(&[]);
}

#[test]
fn nothing_is_lost_when_stores_close() {
    let program = compile("clang", &sanitized(), "leaks.c");
    // Freed memory is set aside here and below; lost memory is reported at the end.
    program.run(&[":memory:", "8", "1000000"]);
}

#[test]
fn valgrind_finds_no_error() {
    for source in ["everything.c", "misuse.c"] {
        compile("gcc", &LANGUAGES[0], source).run_under_valgrind(&[]);
    }
}

#[test]
fn valgrind_finds_no_lost_memory() {
    let program = compile("gcc", &LANGUAGES[0], "leaks.c");
    program.run_under_valgrind(&[":memory:", "8", "1000000"]);
}
