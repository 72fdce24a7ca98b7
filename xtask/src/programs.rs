//! Programs of the system that the tests run, installed by the name of their Debian package where they
//! are missing.

use std::process::Command;

use crate::run;

/// Each program, by any of its names, with its package. The C door is tested with two compilers, sanitizers, valgrind and
/// as it is installed; the ladder's page in a browser; the server by curl.
const PROGRAMS: [(&[&str], &str); 8] = [
    (&["g++"], "g++"),
    (&["clang"], "clang"),
    (&["valgrind"], "valgrind"),
    (&["cmake"], "cmake"),
    (&["make"], "make"),
    (&["pkg-config"], "pkg-config"),
    (
        &["chromium", "chromium-browser", "google-chrome"],
        "chromium",
    ),
    (&["curl"], "curl"),
];

/// Installs what is missing.
///
/// # Errors
/// With the packages that could not be installed.
pub(crate) fn install() -> Result<(), String> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    println!("== installing {}", packages.join(" "));
    let mut update = apt_get();
    update.args(["update", "-qq"]);
    let mut install = apt_get();
    install
        .args(["install", "--yes", "-qq", "--no-install-recommends"])
        .args(&packages);
    let installed = run::succeed(update).and_then(|()| run::succeed(install));
    match missing() {
        packages if packages.is_empty() => Ok(()),
        packages => Err(format!(
            "{} are missing; install them ({installed:?})",
            packages.join(" ")
        )),
    }
}

fn apt_get() -> Command {
    let mut id = Command::new("id");
    id.arg("-u");
    if run::output(id).is_some_and(|user| user.trim() == "0") {
        return Command::new("apt-get");
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", "apt-get"]);
    sudo
}

/// The packages of the programs that do not run.
fn missing() -> Vec<&'static str> {
    let runs = |program: &&str| {
        let mut version = Command::new(program);
        version.arg("--version");
        run::output(version).is_some()
    };
    let missing = PROGRAMS.iter().filter(|(names, _)| !names.iter().any(runs));
    missing.map(|(_, package)| *package).collect()
}
