//! The library as C programs are linked with it, the compilers, and programs made with them.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Compilers that the header and the programs have to pass with.
pub(crate) const COMPILERS: [&str; 2] = ["gcc", "clang"];

/// C99 and C++17, as the compilers call them.
pub(crate) const LANGUAGES: [[&str; 3]; 2] = [["-x", "c", "-std=c99"], ["-x", "c++", "-std=c++17"]];

/// The folder of this crate.
pub(crate) fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with `libnearfield.so` and `libnearfield.a`, which are built if need be.
pub(crate) fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let program = std::env::current_exe().unwrap();
        let folder = program.ancestors().nth(2).unwrap().to_owned();
        let mut cargo = Command::new(env!("CARGO"));
        // The profile of tests, whose dependencies are there already.
        cargo.args(["build", "--quiet", "--profile", "test", "--lib"]);
        cargo.args(["--package", "nearfield-c", "--target-dir"]);
        cargo.arg(folder.parent().unwrap()).current_dir(home());
        assert!(cargo.status().unwrap().success(), "the library is built");
        assert!(folder.join("libnearfield.so").exists(), "{folder:?}");
        folder
    })
}

/// Makes a program of one of the sources in `tests/programs`, warnings refused.
pub(crate) fn compile(compiler: &str, flags: &[&str], source: &str) -> Program {
    let source = home().join("tests/programs").join(source);
    compile_path(compiler, flags, &source)
}

/// Makes a program of a source, warnings refused.
pub(crate) fn compile_path(compiler: &str, flags: &[&str], source: &Path) -> Program {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    let mut command = Command::new(compiler);
    command
        .args(flags)
        .args(["-g", "-O1", "-D_POSIX_C_SOURCE=200809L"])
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(home().join("include"))
        .arg(source)
        .args(["-x", "none", "-o"])
        .arg(&path)
        .arg("-L")
        .arg(library())
        .args(["-lnearfield", "-lm", "-pthread"])
        .arg(format!("-Wl,-rpath,{}", library().display()));
    let output = command.output().unwrap_or_else(|error| {
        panic!("{compiler} cannot be run ({error}); install it: apt-get install {compiler}")
    });
    assert!(output.status.success(), "{command:?}\n{}", text(&output));
    Program { folder, path }
}

/// A compiled program, which goes with its folder.
pub(crate) struct Program {
    folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Program {
    /// A folder that nobody else uses.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the program, which has to succeed.
    pub(crate) fn run(&self, arguments: &[&str]) {
        succeed(Command::new(&self.path).args(arguments));
    }

    /// Runs the program under valgrind, which must find no error and no lost memory.
    pub(crate) fn run_under_valgrind(&self, arguments: &[&str]) {
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
            .args([
                "--errors-for-leak-kinds=definite",
                "--show-leak-kinds=definite",
                "--fair-sched=yes",
            ])
            .arg(&self.path)
            .args(arguments);
        succeed(&mut valgrind);
    }
}

fn succeed(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}; is it installed?"));
    assert!(output.status.success(), "{command:?}\n{}", text(&output));
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{}\n{out}{err}", output.status)
}
