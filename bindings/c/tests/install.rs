//! What `make install` puts is found by pkg-config and by CMake, and the examples run with it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{home, library};

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}; is it installed?"));
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    out
}

/// Installs the library under `prefix`.
fn install(prefix: &Path) {
    let mut make = Command::new("make");
    make.arg("install").current_dir(home());
    make.arg(format!("PREFIX={}", prefix.display()));
    make.arg(format!("BUILD={}", library().display()));
    run(&mut make);
}

fn flags(prefix: &Path, wanted: &[&str]) -> Vec<String> {
    let mut config = Command::new("pkg-config");
    config.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let flags = run(config.args(wanted).arg("nearfield"));
    flags.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_examples_run_with_what_pkg_config_says() {
    let prefix = tempfile::tempdir().unwrap();
    let prefix = prefix.path();
    install(prefix);
    let version = flags(prefix, &["--modversion"]);
    assert_eq!(version, [env!("CARGO_PKG_VERSION")]);
    for (compiler, source) in [
        ("gcc", "albums.c"),
        ("g++", "albums.cpp"),
        ("clang", "albums.c"),
    ] {
        let program = prefix.join("albums");
        let mut command = Command::new(compiler);
        command
            .args(["-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&program);
        command.arg(home().join("examples").join(source));
        run(command.args(flags(prefix, &["--cflags", "--libs"])));
        let found = run(Command::new(&program).env("LD_LIBRARY_PATH", prefix.join("lib")));
        assert!(found.starts_with("0.99"), "{found}");
        let data = prefix.join(source);
        let found = run(Command::new(&program)
            .arg(data)
            .env("LD_LIBRARY_PATH", prefix.join("lib")));
        assert!(found.lines().count() >= 2, "{found}");
    }
}

#[test]
fn a_program_takes_the_library_into_itself() {
    let prefix = tempfile::tempdir().unwrap();
    let prefix = prefix.path();
    install(prefix);
    std::fs::remove_file(prefix.join("lib/libnearfield.so")).unwrap();
    let program = prefix.join("albums");
    let mut command = Command::new("gcc");
    command
        .arg(home().join("examples/albums.c"))
        .arg("-o")
        .arg(&program);
    run(command.args(flags(prefix, &["--static", "--cflags", "--libs"])));
    assert!(run(&mut Command::new(&program)).starts_with("0.99"));
}

#[test]
fn cmake_finds_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("prefix");
    install(&prefix);
    let project = "cmake_minimum_required(VERSION 3.16)\nproject(albums C)\n\
        find_package(nearfield 0.1 REQUIRED)\nadd_executable(albums albums.c)\n\
        target_link_libraries(albums nearfield::nearfield)\n";
    let source = folder.path().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("CMakeLists.txt"), project).unwrap();
    std::fs::copy(home().join("examples/albums.c"), source.join("albums.c")).unwrap();
    let build = folder.path().join("build");
    let mut cmake = Command::new("cmake");
    cmake.arg("-S").arg(&source).arg("-B").arg(&build);
    run(cmake.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
    run(Command::new("cmake").arg("--build").arg(&build));
    assert!(run(&mut Command::new(build.join("albums"))).starts_with("0.99"));
}
