//! The housekeeping checks, over the files that git knows or would add.

mod code;
mod decisions;
mod links;
mod modules;
mod source;
mod tree;

use tree::Tree;

/// What the checks found: faults fail the run, warnings do not.
#[derive(Default)]
struct Findings {
    faults: Vec<String>,
    warnings: Vec<String>,
}

/// `cargo xtask tidy`.
pub(crate) fn command() -> Result<(), String> {
    step().map(|note| println!("{note}"))
}

/// The step of `cargo xtask test`.
pub(crate) fn step() -> Result<String, String> {
    let tree = Tree::read()?;
    let findings = check(&tree);
    for warning in &findings.warnings {
        println!("warning: {warning}");
    }
    for fault in &findings.faults {
        println!("fault: {fault}");
    }
    let Findings { faults, warnings } = findings;
    let note = format!("{} files, {} warnings", tree.files.len(), warnings.len());
    if faults.is_empty() {
        Ok(note)
    } else {
        Err(format!("{note}, {} faults", faults.len()))
    }
}

fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    tree.check_sizes(&mut findings);
    tree.check_names(&mut findings);
    source::check(tree, &mut findings);
    modules::check(tree, &mut findings);
    decisions::check(tree, &mut findings);
    links::check(tree, &mut findings);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of a tree with these files.
    pub(super) fn faults(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).faults
    }

    #[test]
    fn a_tidy_tree_has_no_faults() {
        let files = [
            ("a/Cargo.toml", "[package]"),
            ("a/src/lib.rs", "mod b;"),
            ("a/src/b.rs", "//! Empty."),
            ("docs/decisions/README.md", "[1](0001-one.md)"),
            ("docs/decisions/0001-one.md", "# 1. One"),
        ];
        assert_eq!(faults(&files), [""; 0]);
    }

    #[test]
    fn a_file_above_the_limit_is_a_fault() {
        let large = "x".repeat(9_000_001);
        assert_eq!(faults(&[("data.bin", &large)]).len(), 1);
    }
}
