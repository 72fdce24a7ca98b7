//! cargo-deny: who may import whom, licences and sources, as `deny.toml` says.

use crate::run;

const OLDEST: (u32, u32) = (0, 20);

/// Installs cargo-deny if it is missing or too old, then checks.
pub(crate) fn check() -> Result<String, String> {
    let installed = run::output(run::cargo("deny --version"));
    if installed.as_deref().and_then(version) < Some(OLDEST) {
        println!("cargo-deny is missing or older than 0.20: installing it, for a minute or two");
        // Unoptimised: sooner built, and the check is short.
        run::succeed(run::cargo(
            "install cargo-deny --version ^0.20 --locked --debug",
        ))?;
    }
    run::succeed(run::cargo(COMMAND))?;
    Ok(String::new())
}

const COMMAND: &str = "deny --log-level error check --allow unused-wrapper bans licenses sources";

fn version(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.trim().strip_prefix("cargo-deny ")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_or_missing_cargo_deny_is_replaced_and_a_newer_one_kept() {
        assert!(version("cargo-deny 0.19.4\n") < Some(OLDEST));
        assert!(version("cargo-deny 0.20.2\n") >= Some(OLDEST));
        assert!(version("cargo-deny 1.0.0\n") >= Some(OLDEST));
        assert!(version("something else") < Some(OLDEST));
    }
}
