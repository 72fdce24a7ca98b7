//! The step `python`: the package is built, installed under the oldest and the newest Python at
//! hand, and tested there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// The oldest minor version of Python 3 that the package supports.
const MINOR_MIN: u32 = 11;
/// The newest that is looked for.
const MINOR_MAX: u32 = 20;

/// What the tests need beside the package, by the names that PyPI knows.
const NEEDED: &[&str] = &[
    "maturin>=1.9,<2",
    "mypy>=1.15",
    "numpy>=1.26",
    "pandas>=2.2",
    "pandas-stubs",
    "polars>=1.20",
    "pyarrow>=19",
    "pytest>=8",
    "tqdm",
];

/// What the adapters adapt to; installed under the oldest Python alone.
const FRAMEWORKS: &[&str] = &["langchain-core>=0.3", "llama-index-core>=0.12"];

/// Compares the types with what is compiled.
const STUBTEST: [&str; 8] = [
    "-m",
    "mypy.stubtest",
    "nearfield._nearfield",
    "--mypy-config-file",
    "pyproject.toml",
    "--allowlist",
    "tests/stubtest_allowlist.txt",
    "--ignore-unused-allowlist",
];

pub(crate) fn check() -> Result<String, String> {
    let pythons = interpreters();
    let Some((oldest, first)) = pythons.first_key_value() else {
        return Err(format!(
            "no Python from 3.{MINOR_MIN} on is in the path; install one, with its module venv"
        ));
    };
    run::succeed(run::cargo("build --package nearfield-cli"))?;
    let venv = make_venv(*oldest, first)?;
    pip(&venv, &[NEEDED, FRAMEWORKS].concat())?;
    let wheel = build(&venv)?;
    install(&venv, &wheel)?;
    mypy(&venv)?;
    pytest(&venv, &[])?;
    let mut tested = format!("3.{oldest}");
    if let Some((newest, python)) = pythons.last_key_value()
        && newest != oldest
    {
        let venv = make_venv(*newest, python)?;
        pip(&venv, NEEDED)?;
        install(&venv, &wheel)?;
        pytest(&venv, &["--ignore=tests/test_integrations.py"])?;
        tested.push_str(&format!(" and 3.{newest}"));
    }
    Ok(format!("under Python {tested}"))
}

/// Pythons by their minor version: those of the path, and those of pyenv.
fn interpreters() -> BTreeMap<u32, PathBuf> {
    let mut found = BTreeMap::new();
    for minor in MINOR_MIN..=MINOR_MAX {
        let mut places = vec![PathBuf::from(format!("python3.{minor}"))];
        places.extend(of_pyenv(minor));
        if let Some(python) = places.into_iter().find(|python| has_venv(python)) {
            found.insert(minor, python);
        }
    }
    found
}

fn of_pyenv(minor: u32) -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = std::env::home_dir().map(|home| home.join(".pyenv"));
    let Some(versions) = root.or(home).map(|root| root.join("versions")) else {
        return Vec::new();
    };
    let names = std::fs::read_dir(versions).into_iter().flatten().flatten();
    let of_minor = names.filter(|name| {
        let name = name.file_name();
        name.to_string_lossy().starts_with(&format!("3.{minor}."))
    });
    of_minor
        .map(|name| name.path().join("bin/python3"))
        .collect()
}

fn has_venv(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import venv, ensurepip"]);
    run::output(command).is_some()
}

/// Makes the virtual environment of a Python, unless it is there; gives its interpreter.
fn make_venv(minor: u32, python: &Path) -> Result<PathBuf, String> {
    let place = run::root().join(format!("target/python-3.{minor}"));
    let inside = place.join("bin/python");
    if !inside.exists() {
        let mut command = Command::new(python);
        command.args(["-m", "venv"]).arg(&place);
        run::succeed(command)?;
    }
    Ok(inside)
}

fn pip(venv: &Path, packages: &[&str]) -> Result<(), String> {
    let mut command = Command::new(venv);
    command.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    run::succeed(command.args(packages)).map_err(|reason| format!("pip: {reason}"))
}

/// Builds the wheel with the crates that other steps have built.
fn build(venv: &Path) -> Result<PathBuf, String> {
    let wheels = run::root().join("target/wheels-tested");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels).map_err(|error| error.to_string())?;
    }
    let mut command = Command::new(venv);
    command
        .args(["-m", "maturin", "build", "--profile", "dev", "--out"])
        .arg(&wheels)
        .current_dir(run::root().join("bindings/python"));
    run::succeed(command).map_err(|reason| format!("maturin: {reason}"))?;
    let wheel = std::fs::read_dir(&wheels)
        .map_err(|error| error.to_string())?
        .flatten()
        .map(|file| file.path())
        .find(|path| path.extension().is_some_and(|end| end == "whl"));
    wheel.ok_or_else(|| "maturin made no wheel".to_owned())
}

fn install(venv: &Path, wheel: &Path) -> Result<(), String> {
    let mut command = Command::new(venv);
    command
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--force-reinstall", "--no-deps"])
        .arg(wheel);
    run::succeed(command)
}

/// The types of the package, and of a program that uses it.
fn mypy(venv: &Path) -> Result<(), String> {
    let checks: [&[&str]; 3] = [
        &["-m", "mypy", "--strict", "python/nearfield"],
        &["-m", "mypy", "--strict", "tests/typed.py"],
        &STUBTEST,
    ];
    for words in checks {
        run::succeed(inside(venv).args(words)).map_err(|reason| format!("{words:?}: {reason}"))?;
    }
    Ok(())
}

fn pytest(venv: &Path, words: &[&str]) -> Result<(), String> {
    let mut command = inside(venv);
    let program = format!("nearfield{}", std::env::consts::EXE_SUFFIX);
    command
        .args(["-m", "pytest", "-q", "tests", "-p", "no:cacheprovider"])
        .args(words)
        .env(
            "NEARFIELD_PROGRAM",
            run::root().join("target/debug").join(program),
        );
    run::succeed(command).map_err(|reason| format!("pytest: {reason}"))
}

fn inside(venv: &Path) -> Command {
    let mut command = Command::new(venv);
    command.current_dir(run::root().join("bindings/python"));
    command
}
