//! The chores of the project. `cargo xtask test` is every test there is; `cargo xtask help`
//! lists the rest.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the terminal is this program's only output"
)]

mod deep;
mod deny;
mod isolation;
mod ladder;
mod mojo;
mod programs;
mod python;
mod run;
mod test;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["test", rest @ ..] => test::command(rest),
        ["tidy"] => tidy::command(),
        ["miri"] => deep::miri(),
        ["sanitize", sanitizer] => deep::sanitize(sanitizer),
        ["platforms"] => deep::platforms(),
        ["ladder", rest @ ..] => ladder::command(rest),
        [] | ["help" | "--help" | "-h"] => {
            print!("{}", help());
            Ok(())
        }
        other => Err(format!("cannot read `{}`\n\n{}", other.join(" "), help())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = String::from(
        "cargo xtask test [--only STEP]...   run every step below, or those named\n\
         cargo xtask test --mojo             the same, with the Mojo compiler installed first\n\
         cargo xtask tidy                    run the housekeeping checks alone\n\
         cargo xtask miri                    run what Miri can of the memory that processes share\n\
         cargo xtask sanitize address|thread run the tests of that memory with a sanitizer\n\
         cargo xtask platforms               build the client for macOS and FreeBSD, too\n\
         cargo xtask ladder --check          compare the doors' taxes with bench/baseline.json\n\
         cargo xtask ladder --keep           make this machine's taxes the baseline\n\
         cargo xtask ladder --publish        measure all, and write docs/performance.md and its chart\n\
         cargo xtask help                    print this\n\nSteps:\n",
    );
    for step in test::STEPS {
        text.push_str(&format!("  {:<9} {}\n", step.name, step.about));
    }
    text
}
