//! `cargo xtask ladder`: the doors measured, and compared with a baseline or published.

use std::process::Command;

use crate::run;

/// What is compared: large batches, whose figures move least. The tax of a single request depends on
/// which cores the system puts both sides on, by half of itself.
const COMPARED: &str = "--op ingest --batch 1000 --rounds 3";
const BASELINE: &str = "bench/baseline.json";
const PUBLISHED: &str = "--markdown docs/performance.md --chart docs/ladder.svg";

/// Reads `--check`, `--keep` or `--publish` and does that.
pub(crate) fn command(arguments: &[&str]) -> Result<(), String> {
    let words = match arguments {
        ["--check"] => format!("{COMPARED} --against {BASELINE}"),
        ["--keep"] => format!("{COMPARED} --keep {BASELINE}"),
        ["--publish"] => PUBLISHED.to_owned(),
        _ => return Err("give --check, --keep or --publish".to_owned()),
    };
    run::succeed(run::cargo("build --release"))?;
    let mut ladder = Command::new(run::root().join("target/release/nearfield"));
    ladder.arg("ladder").args(words.split(' '));
    ladder.current_dir(run::root());
    run::succeed(ladder)
}
