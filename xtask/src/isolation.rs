//! The step `isolation`: processes of other users, in containers, and in folders that are mounted
//! otherwise share a path. It needs root and namespaces, and says so where they are not to be had.

use std::process::Command;

use crate::run;
use crate::test::Count;

/// What the tests have done to them: `unshare` fails where it is not permitted.
const ISOLATED: [&str; 8] = [
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--net",
    "--ipc",
    "--uts",
    "true",
];

/// Runs the tests, or says why they were skipped.
pub(crate) fn step() -> Result<String, String> {
    if let Some(reason) = missing() {
        println!("SKIPPED, so nothing is known about other users and containers: {reason}");
        return Ok(format!("skipped: {reason}"));
    }
    let tests = run::cargo("test --workspace --all-features --test isolation -- --ignored");
    let mut count = Count::default();
    let result = run::watch(tests, |line| count.add(line));
    result.map_err(|reason| format!("{count}; {reason}"))?;
    Ok(count.to_string())
}

fn missing() -> Option<String> {
    let mut id = Command::new("id");
    id.arg("-u");
    if run::output(id).is_none_or(|user| user.trim() != "0") {
        return Some("not root; as root: cargo xtask test --only isolation".to_owned());
    }
    let mut unshare = Command::new("unshare");
    unshare.args(ISOLATED);
    if run::output(unshare).is_none() {
        let words = ISOLATED.join(" ");
        return Some(format!(
            "this machine permits no namespaces: `unshare {words}` fails"
        ));
    }
    None
}
