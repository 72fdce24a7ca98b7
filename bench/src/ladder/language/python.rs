//! Python: an interpreter that has the package and NumPy; in a source tree one is made.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Program, tree};

const SOURCE: &str = include_str!("../../../climbers/climber.py");
/// What the package is made of.
const SOURCES: [&str; 5] = ["model", "engine", "transports", "client", "bindings/python"];

/// Finds or makes an interpreter, and writes the program into `folder`.
///
/// # Errors
/// What is missing.
pub(super) fn prepare(
    given: Option<&Path>,
    program: &Path,
    folder: &Path,
    say: &dyn Fn(&str),
) -> Result<Program, String> {
    let interpreter = match given {
        Some(given) => {
            check(given.as_os_str()).map_err(|why| format!("{}: {why}", given.display()))?;
            given.to_owned()
        }
        None => found(program, say)?,
    };
    let source = folder.join("climber.py");
    std::fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
    Ok(Program {
        command: vec![interpreter.into(), source.into()],
        environment: Vec::new(),
    })
}

/// The interpreter of the source tree, which is as new as the tree, or the system's.
fn found(program: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, String> {
    let why = match tree::root(program) {
        Some(root) => match made(&root, say) {
            Ok(interpreter) => return Ok(interpreter),
            Err(why) => why,
        },
        None => "there is no source tree around this program to build its package from".to_owned(),
    };
    match check(OsStr::new("python3")) {
        Ok(()) => Ok(PathBuf::from("python3")),
        Err(missing) => Err(format!("python3: {missing}; {why}")),
    }
}

/// Whether an interpreter can import what is needed.
fn check(interpreter: &OsStr) -> Result<(), String> {
    let output = Command::new(interpreter)
        .args(["-c", "import numpy, nearfield; nearfield.connect"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(said
        .trim_end()
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned())
}

/// An interpreter below the tree's target folder, with the package built from the tree; made anew
/// when the tree has changed.
fn made(root: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, String> {
    let package = root.join("bindings/python");
    if !package.join("pyproject.toml").is_file() {
        return Err("the source tree has no bindings/python".to_owned());
    }
    let home = root.join("target/ladder/python");
    let interpreter = home.join("bin/python");
    let stamp = home.join("nearfield-built");
    let built = stamp.metadata().and_then(|data| data.modified()).ok();
    let changed = SOURCES
        .iter()
        .map(|source| tree::newest(&root.join(source)))
        .max();
    if built.is_some() && built >= changed.flatten() && check(interpreter.as_os_str()).is_ok() {
        return Ok(interpreter);
    }
    if !interpreter.is_file() {
        say("making an environment for Python");
        run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    }
    say("fetching NumPy and maturin for Python");
    let pip = |arguments: &[&str]| {
        let mut command = Command::new(&interpreter);
        command.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        command.args(arguments);
        command
    };
    run(&mut pip(&["numpy", "maturin>=1.9,<2"]))?;
    say("building Python's package; minutes the first time");
    let begun = std::time::SystemTime::now();
    let wheels = home.join("wheels");
    // A wheel of before may have another name.
    let _there_was_none = std::fs::remove_dir_all(&wheels);
    run(Command::new(home.join("bin/maturin"))
        .args(["build", "--release", "--quiet", "--interpreter"])
        .arg(&interpreter)
        .arg("--out")
        .arg(&wheels)
        .current_dir(&package))?;
    let wheel = std::fs::read_dir(&wheels)
        .map_err(|error| error.to_string())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|name| name == "whl"))
        .ok_or("maturin made no wheel")?;
    let wheel = wheel.to_string_lossy();
    run(&mut pip(&["--force-reinstall", "--no-deps", &wheel]))?;
    check(interpreter.as_os_str())?;
    let stamped = std::fs::File::create(&stamp).and_then(|file| file.set_modified(begun));
    stamped.map_err(|error| error.to_string())?;
    Ok(interpreter)
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.trim_end().lines().last().unwrap_or_default();
    Err(format!("{name} failed: {last}"))
}
