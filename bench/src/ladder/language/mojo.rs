//! Mojo: the program is compiled on the spot where there is a compiler, with the package of the
//! source tree.

use std::path::Path;
use std::process::Command;

use super::{Program, c, tree};

const SOURCE: &str = include_str!("../../../climbers/climber.mojo");

/// Compiles the program into `folder`.
///
/// # Errors
/// What is missing.
pub(super) fn prepare(program: &Path, folder: &Path) -> Result<Program, String> {
    let compiler = std::env::var_os("NEARFIELD_MOJO").unwrap_or_else(|| "mojo".into());
    let there = Command::new(&compiler).arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        return Err(format!(
            "there is no compiler for Mojo ({}); NEARFIELD_MOJO may name one",
            compiler.display()
        ));
    }
    let package = tree::root(program)
        .map(|root| root.join("bindings/mojo"))
        .filter(|package| package.is_dir())
        .ok_or("bindings/mojo is not in a source tree around this program")?;
    let library = c::library(program)?;
    let (source, built) = (folder.join("climber.mojo"), folder.join("climber-mojo"));
    std::fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
    let output = Command::new(&compiler)
        .args(["build", "-I"])
        .arg(package)
        .arg(&source)
        .arg("-o")
        .arg(&built)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let first = said.lines().find(|line| line.contains("error:"));
        let first = first.unwrap_or_default();
        return Err(format!("its program cannot be compiled: {first}"));
    }
    Ok(Program {
        command: vec![built.into()],
        environment: vec![("NEARFIELD_LIBRARY".into(), library.into())],
    })
}
