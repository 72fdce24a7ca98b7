//! The files of the repository and their text.

use std::collections::BTreeMap;

use super::Findings;
use crate::run;

const FILE_BYTES_MAX: u64 = 9_000_000;

/// Paths from the root, with `/`.
pub(super) struct Tree {
    pub(super) files: BTreeMap<String, File>,
}

/// One file; the text is kept of Rust, Markdown and TOML.
pub(super) struct File {
    bytes: u64,
    pub(super) text: String,
}

impl Tree {
    /// What git tracks, and what it would add.
    pub(super) fn read() -> Result<Tree, String> {
        let mut git = std::process::Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others"])
            .arg("--exclude-standard")
            .current_dir(run::root());
        let listing = run::output(git).ok_or("`git ls-files` failed: tidy needs a git clone")?;
        let mut files = BTreeMap::new();
        for path in listing.split('\0').filter(|path| !path.is_empty()) {
            let place = run::root().join(path);
            // Deleted but not yet committed: no longer a file.
            let Ok(metadata) = place.metadata() else {
                continue;
            };
            let text = if has_text(path) {
                std::fs::read_to_string(&place).map_err(|error| format!("{path}: {error}"))?
            } else {
                String::new()
            };
            let bytes = metadata.len();
            files.insert(path.to_owned(), File { bytes, text });
        }
        Ok(Tree { files })
    }

    /// The paths and texts of the files that end in `ending`.
    pub(super) fn ending(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(ending))
            .map(|(path, file)| (path.as_str(), file.text.as_str()))
    }

    /// Whether this is a file, or a folder with files.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    pub(super) fn check_sizes(&self, findings: &mut Findings) {
        for (path, file) in &self.files {
            if file.bytes > FILE_BYTES_MAX {
                let bytes = file.bytes;
                findings.faults.push(format!(
                    "{path}: {bytes} bytes; the limit is {FILE_BYTES_MAX}"
                ));
            }
        }
    }

    /// Refuses names that no person would give: programs under test leave such files behind.
    pub(super) fn check_names(&self, findings: &mut Findings) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        for path in self.files.keys().filter(|path| !path.bytes().all(plain)) {
            findings.faults.push(format!(
                "{path:?}: names have the characters A-Z a-z 0-9 . _ - alone"
            ));
        }
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        let file = |text: &str| File {
            bytes: text.len() as u64,
            text: text.to_owned(),
        };
        let files = files
            .iter()
            .map(|&(path, text)| (path.to_owned(), file(text)));
        Tree {
            files: files.collect(),
        }
    }
}

fn has_text(path: &str) -> bool {
    [".rs", ".md", ".toml"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

/// `relative` seen from the folder of `file`, without `.` and `..`; none if it leaves the root.
pub(super) fn resolve(file: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let mut findings = Findings::default();
        let files = [
            ("a/b-c_1.rs", ""),
            (".ci/run", ""),
            ("a b", ""),
            ("\u{eb}/x", ""),
        ];
        Tree::of(&files).check_names(&mut findings);
        assert_eq!(findings.faults.len(), 2, "{:?}", findings.faults);
    }

    #[test]
    fn paths_resolve_from_the_folder_of_their_file() {
        assert_eq!(resolve("a/b.md", "../c.md").as_deref(), Some("c.md"));
        assert_eq!(resolve("a/b.md", "./c/d.md").as_deref(), Some("a/c/d.md"));
        assert_eq!(resolve("a/b.md", "..").as_deref(), Some(""));
        assert_eq!(resolve("b.md", "../c.md"), None);
    }
}
