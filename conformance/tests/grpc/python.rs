//! Python's `grpcio` calls the server, and asks it what there is by reflection.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::Server;

/// A Python of its own with `grpcio`.
fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-grpc");
    let python = root.join("bin/python");
    let packages = [
        "grpcio==1.76.0",
        "grpcio-health-checking==1.76.0",
        "grpcio-reflection==1.76.0",
    ];
    if !root.join("ready").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&root));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet"])
            .args(packages));
        std::fs::write(root.join("ready"), packages.join("\n")).unwrap();
    }
    python
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

#[test]
fn grpcio_finds_the_service_and_uses_it() {
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grpc/client.py");
    let said = run(Command::new(python())
        .arg(script)
        .arg(server.address().to_string()));
    assert_eq!(said.trim(), "all answered");
}
