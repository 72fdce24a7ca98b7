//! Orphans: Rust files that no crate compiles, because no `mod` leads to them.

use std::collections::BTreeSet;

use super::{
    Findings, code,
    tree::{Tree, resolve},
};

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = roots(tree);
    while let Some(path) = open.pop() {
        let Some(file) = tree.files.get(&path) else {
            continue;
        };
        open.extend(children(&path, &file.text, roots(tree).contains(&path)));
        reached.insert(path);
        open.retain(|path| !reached.contains(path));
    }
    for (path, _) in tree.ending(".rs") {
        if !reached.contains(path) {
            findings
                .faults
                .push(format!("{path}: no `mod` leads to this file"));
        }
    }
}

/// The files where cargo starts to compile.
fn roots(tree: &Tree) -> Vec<String> {
    let mut roots = Vec::new();
    for (manifest, text) in tree.ending("Cargo.toml") {
        let folder = manifest.strip_suffix("Cargo.toml").unwrap_or_default();
        let sources = tree.ending(".rs").map(|(path, _)| path);
        roots.extend(
            sources
                .filter(|path| path.strip_prefix(folder).is_some_and(is_root))
                .map(str::to_owned),
        );
        let paths = text.lines().filter_map(|line| line.strip_prefix("path = "));
        roots.extend(paths.filter_map(|path| resolve(manifest, path.trim().trim_matches('"'))));
    }
    roots
}

/// Whether cargo finds this path of a crate without being told.
fn is_root(path: &str) -> bool {
    if ["src/lib.rs", "src/main.rs", "build.rs"].contains(&path) {
        return true;
    }
    ["src/bin/", "tests/", "benches/", "examples/"]
        .iter()
        .filter_map(|folder| path.strip_prefix(folder))
        .any(|rest| {
            !rest.contains('/') || (rest.split('/').count() == 2 && rest.ends_with("/main.rs"))
        })
}

/// The files that the modules and inclusions of one file may live in. Modules declared inside
/// inline modules are looked for beside the others.
fn children(path: &str, text: &str, root: bool) -> Vec<String> {
    let code = code::blank(text);
    let mut children = Vec::new();
    let mut attribute: Option<&str> = None;
    for (line, source) in code.lines().zip(text.lines()) {
        if line.trim_start().starts_with("#[path") {
            attribute = source.split('"').nth(1);
        }
        if line.contains("include!") {
            let included = source.split('"').nth(1);
            children.extend(included.and_then(|file| resolve(path, file)));
        }
        let Some(name) = module(line) else { continue };
        match attribute.take() {
            Some(file) => children.extend(resolve(path, file)),
            None => {
                let folder = module_folder(path, root);
                children.push(format!("{folder}{name}.rs"));
                children.push(format!("{folder}{name}/mod.rs"));
            }
        }
    }
    children
}

/// `name`, if the line ends in `mod name;`.
fn module(line: &str) -> Option<&str> {
    let mut words = line.trim().strip_suffix(';')?.split_whitespace().rev();
    let name = words.next()?;
    (words.next()? == "mod").then(|| name.trim_start_matches("r#"))
}

/// Where the modules of this file live.
fn module_folder(path: &str, root: bool) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    match name.trim_end_matches(".rs") {
        "mod" => folder,
        _ if root => folder,
        name => format!("{folder}{name}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    #[test]
    fn files_reached_by_a_module_are_no_orphans() {
        let files = [
            ("a/Cargo.toml", "[[bin]]\npath = \"other/start.rs\""),
            ("a/other/start.rs", "mod near;"),
            ("a/other/near.rs", ""),
            (
                "a/src/lib.rs",
                "pub(crate) mod b;\n#[path = \"x/y.rs\"]\nmod c;\n#[cfg(test)] mod r#in;",
            ),
            ("a/src/b.rs", "mod inner;"),
            ("a/src/b/inner.rs", ""),
            ("a/src/x/y.rs", ""),
            ("a/src/in/mod.rs", "mod deep;"),
            ("a/src/in/deep.rs", "include!(\"table.rs\");"),
            ("a/src/in/table.rs", ""),
            ("a/tests/crash.rs", "mod common;"),
            ("a/tests/common/mod.rs", ""),
            ("a/tests/large/main.rs", ""),
        ];
        assert_eq!(faults(&files), [""; 0]);
    }

    #[test]
    fn a_file_without_a_module_is_an_orphan() {
        let files = [
            ("a/Cargo.toml", ""),
            ("a/src/lib.rs", "// mod b;\nmod c {}"),
            ("a/src/b.rs", ""),
        ];
        assert_eq!(faults(&files), ["a/src/b.rs: no `mod` leads to this file"]);
    }
}
