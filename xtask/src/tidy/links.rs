//! Relative links in Markdown lead to files of the repository, and to headings that they have.

use super::{
    Findings,
    tree::{Tree, resolve},
};

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    for (path, text) in tree.ending(".md") {
        for (number, link) in links(text) {
            if let Err(reason) = follow(tree, path, &link) {
                findings
                    .faults
                    .push(format!("{path}:{number}: link to `{link}`: {reason}"));
            }
        }
    }
}

fn follow(tree: &Tree, from: &str, link: &str) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        from.to_owned()
    } else {
        resolve(from, file).ok_or("outside the repository")?
    };
    if !tree.has(&target) {
        return Err("no such file".into());
    }
    match tree.files.get(&target) {
        Some(page) if target.ends_with(".md") && !heading.is_empty() => {
            let found =
                prose(&page.text).any(|(_, line)| anchor(&line).as_deref() == Some(heading));
            found.then_some(()).ok_or("no such heading".into())
        }
        _ => Ok(()),
    }
}

/// The targets of `[text](target)` and `[label]: target`, with their line numbers.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(&line);
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            links.push((number, first_word(target)));
        }
        for part in line.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            links.push((number, first_word(target)));
        }
    }
    links
}

/// The numbered lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then(|| (index + 1, line.to_owned()))
    })
}

/// The line without its `code spans`.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The target without its title.
fn first_word(target: &str) -> String {
    let word = target.split_whitespace().next().unwrap_or_default();
    word.trim_matches(['<', '>']).to_owned()
}

/// The anchor that GitHub gives to a heading.
fn anchor(line: &str) -> Option<String> {
    let heading = line.trim_start_matches('#');
    if heading.len() == line.len() || !heading.starts_with(' ') {
        return None;
    }
    let kept = heading
        .trim()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    #[test]
    fn links_to_files_folders_headings_and_sites_resolve() {
        let text = "# The `top` of it\n[a](b/c.md#in-it) [b](./b/) [s](https://x.y/z) [t](#the-top-of-it)\n\
                    [label]: b/c.md \"title\"\n`[code](gone.md)`\n```\n[code](gone.md)\n```\n";
        let files = [("a.md", text), ("b/c.md", "## In it\n[up](../a.md)")];
        assert_eq!(faults(&files), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_faults() {
        let text = "[a](gone.md) [b](../out.md) [c](#gone)\n[label]: gone.md";
        assert_eq!(faults(&[("a.md", text)]).len(), 4);
    }
}
