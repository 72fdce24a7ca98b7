//! The benchmark program; `--help` lists its commands, and `README.md` tells how to read them.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match nearfield_bench::run(nearfield_bench::Program::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
            let _told = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
