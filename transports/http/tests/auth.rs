//! Keys: every route times every right, and what happens when the file changes.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::time::{Duration, Instant};

use common::{Prompt, VERBS, body, call, serve};
use nearfield_http::server::{Server, Settings, create_key};
use nearfield_model::{ErrorKind, Rights};
use tempfile::TempDir;

struct Keyed {
    folder: TempDir,
    server: Server,
    keys: [(Rights, String); 3],
}

fn keyed() -> Keyed {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    let keys = [Rights::Read, Rights::Write, Rights::Admin].map(|right| {
        let (key, line) = create_key(right.as_str(), right).unwrap();
        text += &format!("{line}\n");
        (right, key)
    });
    let path = folder.path().join("keys");
    std::fs::write(&path, text).unwrap();
    let server = serve(Prompt, |settings| settings.keys = Some(path));
    Keyed {
        folder,
        server,
        keys,
    }
}

fn needs(verb: &str) -> Rights {
    match verb {
        "create_collection" | "drop_collection" | "compact" | "snapshot" => Rights::Admin,
        "upsert" | "delete" | "update_metadata" | "flush" => Rights::Write,
        _ => Rights::Read,
    }
}

#[test]
fn every_route_asks_for_its_right() {
    let Keyed {
        server,
        keys,
        folder: _folder,
    } = keyed();
    for (method, path, verb) in VERBS {
        for (right, key) in &keys {
            let headers = format!("authorization: Bearer {key}\r\n");
            let answer = call(&server, method, path, &headers, body(verb));
            match *right >= needs(verb) {
                true => assert!(answer.status < 300, "{verb} {right:?}: {answer:?}"),
                false => {
                    assert_eq!(
                        (answer.status, answer.kind().as_str()),
                        (403, "forbidden"),
                        "{verb} {right:?}"
                    );
                    assert!(
                        answer.json()["detail"]
                            .as_str()
                            .unwrap()
                            .contains(needs(verb).as_str())
                    );
                }
            }
        }
    }
}

#[test]
fn nobody_is_anonymous_once_there_is_a_key() {
    let Keyed {
        server,
        keys,
        folder: _folder,
    } = keyed();
    let (_, admin) = &keys[2];
    let wrong = [
        String::new(),
        "authorization: Bearer\r\n".to_owned(),
        "authorization: Bearer nf_0000\r\n".to_owned(),
        format!("authorization: Basic {admin}\r\n"),
        format!("authorization: {admin}\r\n"),
        format!("authorization: Bearer {admin}0\r\n"),
        format!("authorization: Bearer {}\r\n", admin.to_uppercase()),
        "api-key: \r\n".to_owned(),
        "api-key: read\r\n".to_owned(),
    ];
    for (method, path, verb) in VERBS {
        for headers in &wrong {
            let answer = call(&server, method, path, headers, body(verb));
            assert_eq!(
                (answer.status, answer.kind().as_str()),
                (401, "unauthenticated"),
                "{verb} {headers}"
            );
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    assert_eq!(call(&server, "GET", "/metrics", "", "").status, 401);
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs"] {
        assert_eq!(call(&server, "GET", path, "", "").status, 200, "{path}");
    }
}

#[test]
fn another_door_on_the_port_is_told_who_calls() {
    use axum::extract::Extension;
    use nearfield_http::server::{Builder, Limited};
    use nearfield_model::Result;

    let (key, line) = create_key("writer", Rights::Write).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::fs::write(&path, line).unwrap();
    let mut settings = Settings::default();
    settings.listen = "127.0.0.1:0".to_owned();
    settings.keys = Some(path);
    let told = |Extension(rights): Extension<Result<Rights>>| async move {
        rights.map_or_else(|error| error.kind().as_str(), Rights::as_str)
    };
    let limited = Limited::new(std::sync::Arc::new(Prompt), 8);
    let server = Builder::new(std::sync::Arc::new(limited), settings)
        .grpc(axum::Router::new().fallback(told))
        .start()
        .unwrap();
    let grpc = "content-type: application/grpc+proto\r\n";
    let keyed = format!("{grpc}authorization: Bearer {key}\r\n");
    for (headers, told) in [(grpc, "unauthenticated"), (&keyed, "write")] {
        let answer = call(
            &server,
            "POST",
            "/nearfield.v1.Nearfield/Count",
            headers,
            "",
        );
        assert_eq!(answer.body, told.as_bytes());
        assert_eq!(answer.headers["nearfield-wire"], "1");
    }
    let evil =
        "POST / HTTP/1.1\r\nhost: evil.example.com\r\ncontent-type: application/grpc\r\n\r\n";
    let mut caller = common::Caller::new(server.local_addr());
    caller.send(evil.as_bytes());
    assert_eq!(caller.answer().unwrap().status, 403);
}

#[test]
fn a_key_comes_in_either_header() {
    let Keyed {
        server,
        keys,
        folder: _folder,
    } = keyed();
    let (_, key) = &keys[0];
    for headers in [
        format!("api-key: {key}\r\n"),
        format!("authorization: bearer {key}\r\n"),
        format!("Authorization: BEARER  {key}\r\n"),
    ] {
        assert_eq!(
            call(&server, "GET", "/v1/collections", &headers, "").status,
            200
        );
    }
}

#[test]
fn a_changed_file_is_read_again_and_a_broken_one_is_not_believed() {
    let Keyed {
        server,
        keys,
        folder,
    } = keyed();
    let path = folder.path().join("keys");
    let headers = |key: &str| format!("api-key: {key}\r\n");
    let status = |key: &str| call(&server, "GET", "/v1/collections", &headers(key), "").status;
    let (_, old) = &keys[2];
    let (new, line) = create_key("new", Rights::Read).unwrap();
    std::fs::write(&path, "this is no key\n").unwrap();
    assert!(server.reload().is_err());
    assert_eq!(status(old), 200);
    std::fs::write(&path, format!("{line}\n")).unwrap();
    let start = Instant::now();
    while status(&new) != 200 {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the new key is not taken"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(status(old), 401);
    // A file that lost its keys lets nobody in.
    std::fs::write(&path, "").unwrap();
    server.reload().unwrap();
    assert_eq!(status(&new), 401);
    assert_eq!(call(&server, "GET", "/v1/collections", "", "").status, 401);
}

#[test]
fn a_server_that_everybody_could_reach_does_not_start_without_keys() {
    let mut settings = Settings::default();
    settings.listen = "0.0.0.0:0".to_owned();
    let start = |settings| Server::start(std::sync::Arc::new(Prompt), settings).map(drop);
    assert_eq!(
        start(settings.clone()).unwrap_err().kind(),
        ErrorKind::Forbidden
    );
    settings.insecure = true;
    assert!(start(settings).is_ok());
}
