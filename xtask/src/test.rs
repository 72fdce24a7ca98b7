//! `cargo xtask test`: every step runs, also after one has failed, so one run tells all.

use std::time::{Duration, Instant};

use crate::{deny, isolation, mojo, programs, python, run, tidy};

/// One step of `cargo xtask test`. What it returns is a note for the summary.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    run: fn() -> Result<String, String>,
}

/// All steps, the quickest to answer first.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "the source is formatted",
        run: fmt,
    },
    Step {
        name: "tidy",
        about: "the housekeeping checks",
        run: tidy::step,
    },
    Step {
        name: "deny",
        about: "who may import whom, licences and sources of dependencies",
        run: deny::check,
    },
    Step {
        name: "clippy",
        about: "lints, warnings refused",
        run: clippy,
    },
    Step {
        name: "test",
        about: "unit, integration and documentation tests of the workspace",
        run: tests,
    },
    Step {
        name: "isolation",
        about: "other users, containers and read-only folders share a path, where this machine permits it",
        run: isolation::step,
    },
    Step {
        name: "mojo",
        about: "the Mojo package, where its compiler is",
        run: mojo::step,
    },
    Step {
        name: "python",
        about: "the Python package: its types, its examples, and the cases of all doors through it",
        run: python::check,
    },
    Step {
        name: "doc",
        about: "the documentation builds, warnings refused",
        run: doc,
    },
];

/// Reads `[--mojo] [--only STEP]...`, runs the steps and prints the summary.
pub(crate) fn command(arguments: &[&str]) -> Result<(), String> {
    let arguments = match arguments {
        ["--mojo", rest @ ..] => {
            mojo::install()?;
            rest
        }
        all => all,
    };
    let outcomes: Vec<Outcome> = chosen(arguments)?.into_iter().map(perform).collect();
    println!("\nSummary");
    for outcome in &outcomes {
        println!("  {outcome}");
    }
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_err())
        .map(|outcome| outcome.step.name)
        .collect();
    if failed.is_empty() {
        println!("All {} steps passed.", outcomes.len());
        return Ok(());
    }
    let again: Vec<String> = failed.iter().map(|name| format!("--only {name}")).collect();
    Err(format!(
        "Failed: {}. To run only that: cargo xtask test {}",
        failed.join(", "),
        again.join(" ")
    ))
}

fn chosen(arguments: &[&str]) -> Result<Vec<&'static Step>, String> {
    let mut names = Vec::new();
    let mut rest = arguments.iter();
    while let Some(&flag) = rest.next() {
        match (flag, rest.next()) {
            ("--only", Some(&name)) if STEPS.iter().any(|step| step.name == name) => {
                names.push(name);
            }
            ("--only", Some(name)) => return Err(format!("no step is named `{name}`")),
            ("--only", None) => return Err("--only needs the name of a step".into()),
            (other, _) => return Err(format!("cannot read `{other}`; try --only STEP")),
        }
    }
    Ok(STEPS
        .iter()
        .filter(|step| names.is_empty() || names.contains(&step.name))
        .collect())
}

struct Outcome {
    step: &'static Step,
    time: Duration,
    result: Result<String, String>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.time.as_secs_f64();
        let (verdict, note) = match &self.result {
            Ok(note) => ("ok", note),
            Err(reason) => ("FAILED", reason),
        };
        let line = format!(
            "{:<9} {verdict:<6} {seconds:>7.1} s  {note}",
            self.step.name
        );
        f.write_str(line.trim_end())
    }
}

fn perform(step: &'static Step) -> Outcome {
    println!("\n== {}: {}", step.name, step.about);
    let start = Instant::now();
    let result = (step.run)();
    let outcome = Outcome {
        step,
        time: start.elapsed(),
        result,
    };
    println!("== {outcome}");
    if outcome.result.is_err() {
        println!("== again: cargo xtask test --only {}", step.name);
    }
    outcome
}

fn fmt() -> Result<String, String> {
    run::succeed(run::cargo("fmt --all -- --check"))
        .map_err(|reason| format!("{reason}; `cargo fmt --all` formats"))?;
    Ok(String::new())
}

fn clippy() -> Result<String, String> {
    run::succeed(run::cargo(
        "clippy --workspace --all-targets --all-features -- -D warnings",
    ))?;
    Ok(String::new())
}

fn tests() -> Result<String, String> {
    programs::install()?;
    let mut count = Count::default();
    let command = run::cargo("test --workspace --all-features --no-fail-fast");
    let result = run::watch(command, |line| count.add(line));
    match result {
        Ok(()) => Ok(count.to_string()),
        Err(reason) => Err(format!("{count}; {reason}")),
    }
}

fn doc() -> Result<String, String> {
    let mut command = run::cargo("doc --workspace --all-features --no-deps");
    command.env("RUSTDOCFLAGS", "-D warnings");
    run::succeed(command)?;
    Ok(String::new())
}

/// The sum of the `test result:` lines.
#[derive(Default, Debug, PartialEq)]
pub(crate) struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Count {
    /// Adds what a line tells.
    pub(crate) fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<u64>().ok());
            match (number, words.next()) {
                (Some(number), Some("passed")) => self.passed += number,
                (Some(number), Some("failed")) => self.failed += number,
                (Some(number), Some("ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Count {
            passed,
            failed,
            ignored,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {ignored} ignored")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_over_test_programs() {
        let mut count = Count::default();
        count.add("running 3 tests");
        count.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        count.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; finished in 0.00s");
        let expected = Count {
            passed: 4,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(count, expected);
    }

    #[test]
    fn steps_are_chosen_by_name_and_all_by_default() {
        let names = |arguments: &[&str]| -> Vec<&str> {
            chosen(arguments)
                .expect("readable")
                .iter()
                .map(|step| step.name)
                .collect()
        };
        assert_eq!(names(&[]).len(), STEPS.len());
        assert_eq!(names(&["--only", "doc", "--only", "fmt"]), ["fmt", "doc"]);
        assert!(chosen(&["--only", "nothing"]).is_err());
        assert!(chosen(&["--only"]).is_err());
        assert!(chosen(&["fmt"]).is_err());
    }
}
