//! The description that a server gives of itself holds: schemathesis sends what it allows, and
//! what it does not, and looks at every answer.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/python.rs"]
mod python;
#[path = "common/served.rs"]
mod served;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::python::{environment, run};
use crate::served::Served;

/// What is looked at: no failure of the server, and no status, media type or body but those that
/// are described.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";

/// The verbs whose examples find what they work on.
const ANSWERED: [&str; 11] = [
    "list_collections",
    "create_collection",
    "upsert",
    "get",
    "delete",
    "update_metadata",
    "search",
    "scan",
    "count",
    "flush",
    "compact",
];

fn get(server: &Served, path: &str) -> String {
    let address = server.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn answers_are_as_described() {
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(&folder.path().join("data"));
    let programs = environment("schemathesis", &["schemathesis"]);
    let said = run(Command::new(programs.join("schemathesis"))
        .arg("run")
        .arg(format!("{}/openapi.json", server.url()))
        .args(["--checks", CHECKS])
        // A call that has no time is answered 504, as described, which counts as a failure here.
        .args(["--header", "nearfield-timeout-ms: 60000"])
        .args([
            "--max-examples",
            "25",
            "--seed",
            "1",
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .current_dir(&folder));
    assert!(said.contains("Tested: 19"), "{said}");
    assert!(
        said.contains("Fuzzing") && !said.contains("Failures"),
        "{said}"
    );
    // The examples of the description are answered well, one after the other.
    let metrics = get(&server, "/metrics");
    for verb in ANSWERED {
        let answered = format!("door=\"http\",verb=\"{verb}\",outcome=\"ok\"}}");
        assert!(metrics.contains(&answered), "{verb}: {metrics}");
    }
}
