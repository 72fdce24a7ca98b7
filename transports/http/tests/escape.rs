//! Names and hosts that try to get out are refused.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Caller, Prompt, VERBS, answering, body, call, prompt, serve};

#[test]
fn no_name_outside_of_the_alphabet_reaches_the_service() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let service = answering(move |_: &_, request: &_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(prompt(request))
    });
    let server = serve(service, |_| {});
    let long = "a".repeat(129);
    let names = [
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2fetc",
        "..%5c..",
        "a%00b",
        "a%2fb",
        "a.b",
        "a;b",
        "a:b",
        "~",
        "%c3%a9",
        "a+b",
        "a%20b",
        "..;",
        &long,
        "...",
        "a%",
        "%",
    ];
    for name in names {
        for (method, path, verb) in VERBS.iter().filter(|(_, path, _)| path.contains("docs")) {
            let path = path.replace("docs", name);
            let answer = call(&server, method, &path, "", body(verb));
            assert!(
                (400..500).contains(&answer.status),
                "{verb} {name}: {answer:?}"
            );
            assert!(!answer.kind().is_empty());
        }
    }
    for path in [
        "/v1/collections/../../etc/passwd",
        "//v1/collections",
        "/v1//collections",
        "/../healthz",
        "/v1/collections/docs/../search",
    ] {
        assert_eq!(call(&server, "GET", path, "", "").status, 404, "{path}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn unlisted_hosts_and_origins_are_refused_before_all_else() {
    let server = serve(Prompt, |_| {});
    for raw in [
        "GET /v1/collections HTTP/1.1\r\nhost: evil.example.com\r\n\r\n",
        "GET http://evil.example.com/v1/collections HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v1/collections HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example.com\r\n\r\n",
        "GET /v1/collections HTTP/1.1\r\nhost: localhost\r\norigin: null\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nhost: evil.example.com\r\n\r\n",
    ] {
        let mut caller = Caller::new(server.local_addr());
        caller.send(raw.as_bytes());
        let answer = caller.answer().unwrap();
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (403, "forbidden"),
            "{raw}"
        );
    }
    let mut caller = Caller::new(server.local_addr());
    caller.send(b"GET /v1/collections HTTP/1.1\r\n\r\n");
    assert_eq!(caller.answer().unwrap().status, 400);
}

#[test]
fn probes_need_no_listed_host() {
    let server = serve(Prompt, |_| {});
    for path in ["/healthz", "/readyz"] {
        let mut caller = Caller::new(server.local_addr());
        caller.send(format!("GET {path} HTTP/1.1\r\nhost: 10.1.2.3:6327\r\n\r\n").as_bytes());
        assert_eq!(caller.answer().unwrap().status, 200);
    }
}
