//! Each decision record has a number of its own and a link from the README beside it.

use std::collections::BTreeMap;

use super::{Findings, tree::Tree};

const FOLDER: &str = "docs/decisions/";

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let index = tree.files.get("docs/decisions/README.md");
    let index = index.map_or("", |file| file.text.as_str());
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, _) in tree.ending(".md") {
        let Some(name) = path.strip_prefix(FOLDER) else {
            continue;
        };
        if name == "README.md" {
            continue;
        }
        if !index.contains(&format!("]({name})")) {
            findings
                .faults
                .push(format!("{path}: {FOLDER}README.md does not link to it"));
        }
        match name.split_once('-') {
            Some((number, _)) if number.len() == 4 && number.parse::<u16>().is_ok() => {
                if let Some(other) = numbers.insert(number, name) {
                    findings
                        .faults
                        .push(format!("{path}: {other} has the same number"));
                }
            }
            _ => findings
                .faults
                .push(format!("{path}: not named NNNN-what-it-decides.md")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    #[test]
    fn a_decision_is_linked_numbered_and_unique() {
        let index = "[a](0001-a.md) [b](0001-b.md) [c](c.md)";
        let files = [
            ("docs/decisions/README.md", index),
            ("docs/decisions/0001-a.md", ""),
            ("docs/decisions/0001-b.md", ""),
            ("docs/decisions/0002-d.md", ""),
            ("docs/decisions/c.md", ""),
        ];
        let faults = faults(&files);
        assert_eq!(faults.len(), 3, "{faults:?}");
    }
}
