//! `nearfield serve`: its options in flags, environment and file; keys; and how it ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use common::Place;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A server that runs; killed when dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    /// Starts a server, and returns once its store is open.
    fn start(mut command: Command) -> Running {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let url = told["url"].as_str().unwrap();
        let address = url.strip_prefix("http://").unwrap().to_owned();
        Running { child, address }
    }

    fn serve(place: &Place, flags: &[&str]) -> Running {
        let start = ["--json", "serve", "data", "--listen", "127.0.0.1:0"];
        Running::start(place.command(&[&start[..], flags].concat()))
    }

    /// Sends a request, and returns the status and the body.
    fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const DOCS: &str = "/v1/collections/docs";

#[test]
fn what_was_acknowledged_is_there_after_each_kill() {
    let place = Place::new();
    let server = Running::serve(&place, &[]);
    assert_eq!(server.call("PUT", DOCS, "", r#"{"dimension": 2}"#).0, 201);
    let mut server = Some(server);
    for round in 0..5 {
        let running = server.take().unwrap();
        let ids: Vec<String> = (0..20)
            .map(|number| format!("\"{round}-{number}\""))
            .collect();
        let vectors = vec!["[1, 2]"; ids.len()].join(",");
        let ids = ids.join(",");
        let body = format!(r#"{{"ids": [{ids}], "vectors": [{vectors}]}}"#);
        assert_eq!(
            running.call("POST", &format!("{DOCS}/upsert"), "", &body).0,
            200
        );
        running.kill();
        let running = Running::serve(&place, &[]);
        let (status, got) = running.call(
            "POST",
            &format!("{DOCS}/get"),
            "",
            &format!(r#"{{"ids": [{ids}]}}"#),
        );
        assert_eq!(status, 200);
        let points = got["points"].as_array().unwrap();
        assert!(points.iter().all(Value::is_object), "round {round}");
        server = Some(running);
    }
}

#[test]
fn a_write_that_is_sent_again_is_applied_once() {
    let place = Place::new();
    let server = Running::serve(&place, &[]);
    server.call("PUT", DOCS, "", r#"{"dimension": 2}"#);
    let id = "nearfield-request-id: 00112233445566778899aabbccddeeff-1\r\n";
    let upsert = format!("{DOCS}/upsert");
    let first = server.call("POST", &upsert, id, r#"{"ids": [1], "vectors": [[1, 2]]}"#);
    server.call("POST", &upsert, "", r#"{"ids": [1], "vectors": [[2, 1]]}"#);
    assert_eq!(
        server.call("POST", &upsert, id, r#"{"ids": [1], "vectors": [[1, 2]]}"#),
        first
    );
    let (_, got) = server.call("POST", &format!("{DOCS}/get"), "", r#"{"ids": [1]}"#);
    assert_eq!(got["points"][0]["vector"], serde_json::json!([2.0, 1.0]));
}

#[test]
fn flags_environment_and_file_agree_in_this_order() {
    let place = Place::new();
    // A body of 30 bytes tells which limit holds.
    let refused = |server: &Running| server.call("PUT", DOCS, "", &format!("{:30}", "{}")).0 == 413;
    let file = |bytes: &str| {
        let text = format!(
            "listen = \"127.0.0.1:0\"\nbody_bytes_max = {bytes}\nallowed-host = [\"a.example\", \"b.example\"]\n"
        );
        place.write("serve.toml", text);
    };
    let serve = ["--json", "serve", "data", "--config", "serve.toml"];
    file("20");
    assert!(refused(&Running::start(place.command(&serve))));
    let mut command = place.command(&serve);
    command.env("NEARFIELD_BODY_BYTES_MAX", "1KiB");
    assert!(!refused(&Running::start(command)));
    let mut command = place.command(&[&serve[..], &["--body-bytes-max", "10"]].concat());
    command.env("NEARFIELD_BODY_BYTES_MAX", "1KiB");
    assert!(refused(&Running::start(command)));
    file("\"1KiB\"");
    let mut command = place.command(&["--json", "serve", "data"]);
    command.env("NEARFIELD_CONFIG", "serve.toml");
    let server = Running::start(command);
    assert!(!refused(&server));
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream
        .write_all(b"GET /v1/collections HTTP/1.1\r\nhost: b.example\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_file_with_faults_is_refused_by_name() {
    let place = Place::new();
    for (text, said) in [
        ("listne = \"127.0.0.1:0\"", "listne"),
        ("config = \"other.toml\"", "config"),
        ("calls_max = \"many\"", "many"),
        ("listen = { host = \"a\" }", "listen"),
        ("listen = ", "serve.toml"),
        ("log_level = \"loud\"", "loud"),
    ] {
        place.write("serve.toml", text);
        let error = place.fails(2, &["serve", "data", "--config", "serve.toml"]);
        assert!(error.contains(said), "{text}: {error}");
    }
    place.fails(1, &["serve", "data", "--config", "nowhere.toml"]);
}

#[test]
fn sigterm_ends_the_server_in_order() {
    let place = Place::new();
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Running::serve(&place, &[]);
        assert_eq!(server.call("GET", "/readyz", "", "").0, 200);
        server.signal(signal);
        assert!(server.child.wait().unwrap().success());
    }
}

#[test]
fn a_created_key_opens_what_its_right_allows_and_sighup_reads_keys_again() {
    let place = Place::new();
    let write = place.json(&["key", "create", "ingest", "--right", "write"]);
    place.write("keys", write["line"].as_str().unwrap());
    let server = Running::serve(&place, &["--keys", "keys"]);
    let bearer =
        |key: &Value| format!("authorization: Bearer {}\r\n", key["key"].as_str().unwrap());
    let status = |headers: &str| server.call("PUT", DOCS, headers, r#"{"dimension": 2}"#).0;
    assert_eq!(status(""), 401);
    assert_eq!(status(&bearer(&write)), 403);
    let admin = place.json(&["key", "create", "root", "--right", "admin"]);
    place.write("keys", admin["line"].as_str().unwrap());
    server.signal(Signal::HUP);
    let start = std::time::Instant::now();
    while status(&bearer(&admin)) != 201 {
        assert!(start.elapsed().as_secs() < 10, "the new key is not taken");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(status(&bearer(&write)), 401);
}

#[test]
fn what_keeps_a_server_from_starting_is_told_with_a_hint() {
    let place = Place::new();
    let error = place.fails(1, &["serve", "data", "--listen", "0.0.0.0:0"]);
    assert!(error.contains("nearfield key create"), "{error}");
    let error = place.fails(1, &["serve", "data", "--listen", "256.0.0.1:1"]);
    assert!(error.contains("--listen"), "{error}");
    let server = Running::serve(&place, &[]);
    let error = place.fails(1, &["serve", "other", "--listen", &server.address]);
    assert!(error.contains("--listen"), "{error}");
    let error = place.fails(
        1,
        &["serve", "data", "--no-share", "--listen", "127.0.0.1:0"],
    );
    assert!(error.contains("nearfield serve"), "{error}");
}
