//! Looks that take a nightly compiler and minutes: Miri, sanitizers, and builds for other platforms.

use std::process::Command;

use crate::run;

/// The tests of `nearfield-shm` that are about memory, and need neither sockets nor a fork: Miri knows
/// neither.
const UNDER_MIRI: [&str; 2] = ["region", "handing_over"];
/// Orders in which Miri lets threads go on.
const MIRI_SEEDS: &str = "0..8";
/// Platforms other than Linux that the client is built for.
const PLATFORMS: [&str; 2] = ["aarch64-apple-darwin", "x86_64-unknown-freebsd"];
const SANITIZED: &str = "x86_64-unknown-linux-gnu";

/// `cargo xtask miri`: the memory that processes share, under Miri.
pub(crate) fn miri() -> Result<(), String> {
    let mut test = nightly("miri test --package nearfield-shm --lib --");
    test.args(UNDER_MIRI);
    let flags = format!("-Zmiri-disable-isolation -Zmiri-many-seeds={MIRI_SEEDS}");
    test.env("MIRIFLAGS", flags);
    run::succeed(test).map_err(|reason| {
        format!(
            "{reason}; Miri comes by `rustup toolchain install nightly --component miri,rust-src`"
        )
    })
}

/// `cargo xtask sanitize address|thread`: the tests of `nearfield-shm` with a sanitizer.
pub(crate) fn sanitize(sanitizer: &str) -> Result<(), String> {
    if !["address", "thread"].contains(&sanitizer) {
        return Err(format!("`{sanitizer}` is neither `address` nor `thread`"));
    }
    // The standard library is built too: else what its locks order would look like races.
    let mut test = nightly("test -Zbuild-std --package nearfield-shm --tests --target");
    test.arg(SANITIZED);
    let meant = run::root().join("xtask/races.txt");
    test.env("TSAN_OPTIONS", format!("suppressions={}", meant.display()));
    test.env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}"));
    test.env(
        "CARGO_TARGET_DIR",
        run::root().join("target/sanitize").join(sanitizer),
    );
    run::succeed(test)
}

/// `cargo xtask platforms`: the client is built for other platforms, though nothing runs there.
pub(crate) fn platforms() -> Result<(), String> {
    for platform in PLATFORMS {
        let mut check = run::cargo("check --package nearfield --package nearfield-shm --target");
        check.arg(platform);
        run::succeed(check)
            .map_err(|reason| format!("{reason}; `rustup target add {platform}` may be missing"))?;
    }
    Ok(())
}

/// The nightly compiler's `cargo` with these words.
fn nightly(words: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]);
    command.args(words.split(' ')).current_dir(run::root());
    command
}
