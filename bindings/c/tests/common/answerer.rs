//! Programs that answer the conformance cases from their standard input.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nearfield_conformance::CaseResult;
use nearfield_model::codec::response_from_json;
use nearfield_model::{Error, ErrorKind, Response, Result};

/// A running program that answers requests, one per line.
pub(crate) struct Answerer {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Answerer {
    pub(crate) fn start(command: &mut Command) -> Answerer {
        let mut process = command
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

    pub(crate) fn answer(&mut self, request: &str) -> Result<Response> {
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

pub(crate) fn assert_all_pass(results: &[CaseResult]) {
    let faults: Vec<_> = results
        .iter()
        .filter_map(|result| Some(format!("{}: {}", result.name, result.fault.as_ref()?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(results.len() > 20, "{} cases", results.len());
}
