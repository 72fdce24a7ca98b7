//! This program, run again as a process of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;

/// A hidden command on the store at `path`; its output is for this process.
pub(super) fn command(name: &str, path: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name).arg("--store").arg(path);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped());
    Ok(command)
}

/// Says a line to the process that runs this one.
pub(super) fn tell(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
