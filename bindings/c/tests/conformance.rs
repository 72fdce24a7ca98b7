//! The cases that every door answers alike, through a C program that calls `nf_call`.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::{LANGUAGES, Program, compile};
use nearfield_conformance::{CaseResult, replay_texts};
use nearfield_model::codec::response_from_json;
use nearfield_model::{Error, ErrorKind, Response, Result};

/// A running C program that answers requests.
struct Answerer {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Answerer {
    fn start(program: &Program, target: &str) -> Answerer {
        let mut process = Command::new(&program.path)
            .arg(target)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Answerer {
            requests: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    fn answer(&mut self, request: &str) -> Result<Response> {
        // Line breaks between the members of JSON mean nothing.
        let request = request.replace('\n', " ");
        writeln!(self.requests.as_ref().unwrap(), "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let line = line.trim_end_matches('\n');
        if let Some(response) = line.strip_prefix("ok ") {
            return response_from_json(response);
        }
        Err(error_of(line).unwrap_or_else(|| panic!("{request} was answered by {line:?}")))
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.requests.take());
        let ended = self.process.wait().unwrap();
        assert!(ended.success() || std::thread::panicking(), "{ended}");
    }
}

fn error_of(line: &str) -> Option<Error> {
    let mut parts = line.strip_prefix("error ")?.splitn(4, ' ');
    let kind = ErrorKind::parse(parts.next()?)?;
    let (row, field) = (parts.next()?, parts.next()?);
    let mut error = Error::new(kind, parts.next()?);
    if row != "-1" {
        error = error.at_row(row.parse().ok()?);
    }
    if field != "-" {
        error = error.in_field(field);
    }
    Some(error)
}

fn assert_all_pass(results: &[CaseResult]) {
    let faults: Vec<_> = results
        .iter()
        .filter_map(|result| Some(format!("{}: {}", result.name, result.fault.as_ref()?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(results.len() > 20, "{} cases", results.len());
}

#[test]
fn a_c_program_answers_in_memory() {
    let program = compile("gcc", &LANGUAGES[0], "answer.c");
    let results = replay_texts(&[], || {
        let mut answerer = Answerer::start(&program, ":memory:");
        Ok(move |_: &nearfield_model::Context, text: &str| answerer.answer(text))
    });
    assert_all_pass(&results.unwrap());
}

#[test]
fn a_c_program_answers_in_files() {
    let program = compile("clang", &LANGUAGES[0], "answer.c");
    let mut number = 0;
    let results = replay_texts(&["files"], || {
        number += 1;
        let target = program.folder().join(format!("store {number}"));
        let mut answerer = Answerer::start(&program, &target.display().to_string());
        Ok(move |_: &nearfield_model::Context, text: &str| answerer.answer(text))
    });
    assert_all_pass(&results.unwrap());
}
