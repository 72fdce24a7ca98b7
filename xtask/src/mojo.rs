//! The step `mojo`: the Mojo package, where the compiler is. `--mojo` installs it, about 800 MB,
//! into `target/mojo`.

use std::path::PathBuf;
use std::process::Command;

use crate::run;

const VERSION: &str = "1.2.0";

/// Runs the tests of the Mojo package, or says that they were skipped.
pub(crate) fn step() -> Result<String, String> {
    let Some(compiler) = compiler() else {
        return Ok("skipped: no mojo; cargo xtask test --mojo installs it".into());
    };
    let mut tests = run::cargo("test --package nearfield-c --test mojo -- --ignored");
    tests.env("NEARFIELD_MOJO", &compiler);
    run::succeed(tests)?;
    Ok(compiler.display().to_string())
}

/// Installs the compiler unless it is there.
pub(crate) fn install() -> Result<(), String> {
    if compiler().is_some() {
        return Ok(());
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(place());
    run::succeed(venv)?;
    let mut pip = Command::new(place().join("bin/pip"));
    pip.args(["install", "--quiet", &format!("mojo=={VERSION}")]);
    run::succeed(pip)
}

fn place() -> PathBuf {
    run::root().join("target/mojo")
}

/// The compiler that was installed, or one that the path leads to.
fn compiler() -> Option<PathBuf> {
    [place().join("bin/mojo"), PathBuf::from("mojo")]
        .into_iter()
        .find(|compiler| {
            let mut version = Command::new(compiler);
            version.arg("--version");
            run::output(version).is_some()
        })
}
