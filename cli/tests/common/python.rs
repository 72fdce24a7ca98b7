//! A Python with packages from PyPI, made once below the build folder.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a command to its end; gives what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {out}{err}");
    out
}

/// The folder of programs of an environment of this name, which has these packages. They are
/// named as they are imported.
pub(crate) fn environment(name: &str, packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = folder.join("bin/python");
    let import = format!("import {}", packages.join(", "));
    let has_all = Command::new(&python).args(["-c", &import]).output();
    if !has_all.is_ok_and(|output| output.status.success()) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "-q"])
            .args(packages));
    }
    folder.join("bin")
}
