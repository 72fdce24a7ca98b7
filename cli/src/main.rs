//! The `nearfield` program: one command per file.

mod arguments;
mod budget;
mod compact;
mod completions;
mod count;
mod create;
mod delete;
mod demo;
mod doctor;
mod drop;
mod export;
mod failure;
mod get;
mod ids;
mod import;
mod info;
mod interrupt;
mod key;
mod ladder;
mod list;
mod participants;
mod restore;
mod resume;
mod search;
mod serve;
mod show;
mod snapshot;
mod source;
mod store;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::arguments::{Arguments, GUIDE};
use crate::failure::Failure;
use crate::show::{Output, stderr_takes_colours};

fn main() -> ExitCode {
    raise_file_limit();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    if let Some(bytes) = arguments.memory_budget {
        budget::set(bytes);
    }
    let output = Output::to_stdout(arguments.json.is_stdout());
    let outcome = match arguments.command {
        Some(command) => command.run(output),
        None => output
            .text(GUIDE)
            .and_then(|()| output.json(&serde_json::json!({"guide": GUIDE}))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(arguments.json.is_stdout(), stderr_takes_colours());
            ExitCode::from(failure.code())
        }
    }
}

/// A store keeps a file open per collection and per 64 MiB; the limit that programs begin with
/// is often 1,024.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // A store with fewer files opens all the same.
    let _best_effort = setrlimit(Resource::Nofile, raised);
}

/// Prints help where it was asked for, or what is wrong with the arguments.
fn explain(error: &clap::Error) -> ExitCode {
    let asked_for = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if asked_for || !wants_json() {
        // Whoever closed the other end does not want to read it.
        let _ = error.print();
        return ExitCode::from(if asked_for { 0 } else { 2 });
    }
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default();
    let failure = Failure::usage(message.strip_prefix("error: ").unwrap_or(message));
    failure.report(true, false);
    ExitCode::from(failure.code())
}

/// Whether a program reads, as far as that can be told from arguments that are wrong.
fn wants_json() -> bool {
    let environment = std::env::var("NEARFIELD_JSON").unwrap_or_default();
    std::env::args_os().any(|argument| argument == "--json")
        || !["", "0", "n", "no", "f", "false", "off"].contains(&environment.to_lowercase().as_str())
}
