//! What a Rust file may not hold: leftovers, unsafe code outside its rooms, too many lines.

use super::{Findings, code, tree::Tree};

const LINES_MAX: usize = 600;

const LEFTOVERS: &[&str] = &["todo!", "dbg!", "unimplemented!"];

/// The files and folders that may allow unsafe code.
const UNSAFE_ROOMS: &[&str] = &[
    "client/tests/fork.rs",
    "engine/src/kernel/",
    "engine/src/io/map.rs",
    "bindings/c/src/",
    "transports/http/src/body/json/scan.rs",
    "bindings/python/",
    "transports/shm/src/credentials.rs",
    "transports/shm/src/fork.rs",
    "transports/shm/src/region.rs",
    "transports/shm/src/region/",
    "transports/shm/tests/hostile.rs",
    "transports/shm/tests/processes.rs",
];

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    for (path, text) in tree.ending(".rs") {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            findings.warnings.push(format!(
                "{path}: {lines} lines; above {LINES_MAX}, look for a second noun"
            ));
        }
        let code = code::blank(text);
        for (index, line) in code.lines().enumerate() {
            let number = index + 1;
            for leftover in LEFTOVERS.iter().filter(|word| holds(line, word)) {
                findings
                    .faults
                    .push(format!("{path}:{number}: `{leftover}` is left over"));
            }
            if allows_unsafe(line) && !in_unsafe_room(path) {
                findings.faults.push(format!(
                    "{path}:{number}: `unsafe_code` is allowed only inside {}",
                    UNSAFE_ROOMS.join(", ")
                ));
            }
        }
    }
}

/// Whether the line names the lint other than to forbid it. The attribute may span lines.
fn allows_unsafe(line: &str) -> bool {
    let forbids = line.contains("deny(") || line.contains("forbid(");
    let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    !forbids && words.any(|word| word == "unsafe_code")
}

fn in_unsafe_room(path: &str) -> bool {
    UNSAFE_ROOMS.iter().any(|room| path.starts_with(room))
}

/// Whether `line` holds `word` at the start of a word.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    #[test]
    fn leftovers_are_faults_in_code_alone() {
        let file = |text| faults(&[("a/build.rs", text), ("a/Cargo.toml", "")]);
        assert_eq!(file("fn f() { todo!() }").len(), 1);
        assert_eq!(file("fn f() -> u8 { dbg!(1) }").len(), 1);
        assert_eq!(
            file("// todo! is refused\nconst A: &str = \"dbg!\";").len(),
            0
        );
        assert_eq!(file("not_todo!()").len(), 0);
    }

    #[test]
    fn unsafe_code_is_allowed_in_its_rooms_alone() {
        let text = "#![allow(unsafe_code, reason = \"\")]";
        assert_eq!(faults(&[("build.rs", text), ("Cargo.toml", "")]).len(), 1);
        let forbidden = "#![forbid(unsafe_code)]\nfn unsafe_code_is_refused() {}";
        let files = [("build.rs", forbidden), ("Cargo.toml", "")];
        assert_eq!(faults(&files), [""; 0]);
        let room = [
            ("engine/Cargo.toml", ""),
            ("engine/src/lib.rs", "mod kernel;"),
            ("engine/src/kernel/mod.rs", text),
        ];
        assert_eq!(faults(&room), [""; 0]);
    }
}
