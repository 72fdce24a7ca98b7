//! C: the program is compiled on the spot, against the header and the library that are there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Program, tree};

const SOURCE: &str = include_str!("../../../climbers/climber.c");

/// Compiles the program into `folder`.
///
/// # Errors
/// What is missing.
pub(super) fn prepare(program: &Path, folder: &Path) -> Result<Program, String> {
    let beside = program.parent().unwrap_or(Path::new("."));
    let root = tree::root(program);
    let header = tree::first(
        [
            beside.join("nearfield.h"),
            beside.join("../include/nearfield.h"),
        ]
        .into_iter()
        .chain(root.map(|root| root.join("bindings/c/include/nearfield.h"))),
    )
    .ok_or("nearfield.h is neither beside this program nor in a source tree around it")?;
    let library = library(program)?;
    let (header, library) = (header.parent(), library.parent());
    let (header, library) = (header.unwrap_or(beside), library.unwrap_or(beside));

    let (source, built) = (folder.join("climber.c"), folder.join("climber-c"));
    std::fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(&compiler)
        .args(["-std=c11", "-O2", "-o"])
        .args([&built, &source])
        .arg("-I")
        .arg(header)
        .arg("-L")
        .arg(library)
        .arg(format!("-Wl,-rpath,{}", library.display()))
        .arg("-lnearfield")
        .output()
        .map_err(|error| format!("there is no C compiler ({}): {error}", compiler.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let first = said
            .lines()
            .find(|line| line.contains("error"))
            .or(said.lines().next());
        return Err(format!(
            "its program cannot be compiled: {}",
            first.unwrap_or_default()
        ));
    }
    Ok(Program {
        command: vec![built.into()],
        environment: Vec::new(),
    })
}

/// The library, beside the program or where a package puts it.
///
/// # Errors
/// If it is not there.
pub(super) fn library(program: &Path) -> Result<PathBuf, String> {
    let beside = program.parent().unwrap_or(Path::new("."));
    tree::first([
        beside.join("libnearfield.so"),
        beside.join("../lib/libnearfield.so"),
    ])
    .ok_or_else(|| {
        "libnearfield.so is not beside this program; build it: cargo build --release".to_owned()
    })
}
