//! Every route answers, and everything else is refused with a kind.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Caller, Prompt, VERBS, answering, body, call, prompt, serve};
use nearfield_model::{Error, ErrorKind, RequestId, Service as _};

#[test]
fn every_verb_answers_at_its_route() {
    let server = serve(Prompt, |_| {});
    for (method, path, verb) in VERBS {
        let answer = call(
            &server,
            method,
            path,
            "content-type: application/json\r\n",
            body(verb),
        );
        let status = if verb == "create_collection" {
            201
        } else {
            200
        };
        assert_eq!(answer.status, status, "{verb}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(answer.json().is_object(), "{verb}");
    }
}

#[test]
fn every_response_bears_its_marks() {
    let server = serve(Prompt, |_| {});
    for path in [
        "/v1/collections",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/",
        "/docs",
        "/nowhere",
    ] {
        let answer = call(&server, "GET", path, "", "");
        assert_eq!(answer.headers["nearfield-wire"], "1", "{path}");
        assert!(answer.headers["server"].starts_with("nearfield/"), "{path}");
        let timing = &answer.headers["server-timing"];
        for stage in ["decode", "queue", "engine", "encode"] {
            assert!(
                timing.contains(&format!("{stage};dur=")),
                "{path}: {timing}"
            );
        }
    }
}

#[test]
fn stages_say_where_the_time_went() {
    let service = answering(|_: &_, request: &_| {
        std::thread::sleep(Duration::from_millis(20));
        Ok(prompt(request))
    });
    let server = serve(service, |_| {});
    let answer = call(&server, "GET", "/v1/collections", "", "");
    let timing = &answer.headers["server-timing"];
    let engine = timing.split("engine;dur=").nth(1).unwrap();
    let engine: f64 = engine.split(',').next().unwrap().parse().unwrap();
    assert!((20.0..1_000.0).contains(&engine), "{timing}");
}

#[test]
fn what_is_not_served_is_a_problem() {
    let server = serve(Prompt, |_| {});
    let json = "content-type: application/json\r\n";
    for (method, path, headers, body, status, kind) in [
        ("GET", "/nowhere", "", "", 404, "not_found"),
        ("GET", "/v1/collections/a/b", "", "", 404, "not_found"),
        (
            "POST",
            "/v1/collections/docs/destroy",
            json,
            "{}",
            404,
            "not_found",
        ),
        (
            "PATCH",
            "/v1/collections/docs",
            json,
            "{}",
            405,
            "unsupported",
        ),
        (
            "GET",
            "/v1/collections/docs/search",
            "",
            "",
            405,
            "unsupported",
        ),
        (
            "POST",
            "/v1/collections/docs/count",
            "content-type: text/plain\r\n",
            "{}",
            415,
            "unsupported",
        ),
        (
            "POST",
            "/v1/collections/docs/count",
            "content-encoding: br\r\n",
            "{}",
            415,
            "unsupported",
        ),
        (
            "POST",
            "/v1/collections/docs/count",
            "content-type: application/grpc\r\n",
            "{}",
            415,
            "unsupported",
        ),
        (
            "POST",
            "/v1/collections/docs/count",
            "accept: text/html\r\n",
            "{}",
            406,
            "unsupported",
        ),
        (
            "POST",
            "/v1/collections/docs/count",
            "nearfield-timeout-ms: soon\r\n",
            "{}",
            400,
            "invalid_argument",
        ),
        (
            "POST",
            "/v1/collections/docs/count",
            "nearfield-request-id: 1\r\n",
            "{}",
            400,
            "invalid_argument",
        ),
        (
            "POST",
            "/v1/collections/docs/count",
            json,
            r#"{"field": 1}"#,
            400,
            "invalid_argument",
        ),
        (
            "PUT",
            "/v1/collections/docs",
            json,
            r#"{"dimension": 0}"#,
            400,
            "invalid_argument",
        ),
    ] {
        let answer = call(&server, method, path, headers, body);
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (status, kind),
            "{method} {path} {headers}"
        );
    }
    let answer = call(&server, "PATCH", "/v1/collections/docs", "", "");
    assert_eq!(answer.headers["allow"], "PUT, GET, DELETE");
}

#[test]
fn each_kind_has_its_status_and_place() {
    for (kind, status) in [
        (ErrorKind::InvalidArgument, 400),
        (ErrorKind::Unauthenticated, 401),
        (ErrorKind::Forbidden, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::AlreadyExists, 409),
        (ErrorKind::TooLarge, 413),
        (ErrorKind::Overloaded, 429),
        (ErrorKind::Internal, 500),
        (ErrorKind::Unavailable, 503),
        (ErrorKind::WritesStopped, 503),
        (ErrorKind::DeadlineExceeded, 504),
        (ErrorKind::OutOfMemory, 507),
    ] {
        let service = answering(move |_: &_, _: &_| {
            Err(Error::new(kind, "so it is").at_row(3).in_field("vectors"))
        });
        let server = serve(service, |_| {});
        let answer = call(&server, "GET", "/v1/collections", "", "");
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (status, kind.as_str())
        );
        let problem = answer.json();
        assert_eq!(problem["row"], 3);
        assert_eq!(problem["field"], "vectors");
        assert_eq!(problem["detail"], "so it is");
        let waits = [ErrorKind::Overloaded, ErrorKind::Unavailable].contains(&kind);
        assert_eq!(answer.headers.contains_key("retry-after"), waits, "{kind}");
    }
}

#[test]
fn a_panic_behind_the_door_is_an_internal_error_and_the_server_goes_on() {
    let service = answering(
        |_: &_, request: &nearfield_model::Request<'_>| match request.verb() {
            "list_collections" => panic!("on purpose"),
            _ => Ok(prompt(request)),
        },
    );
    let server = serve(service, |_| {});
    let mut caller = Caller::new(server.local_addr());
    let answer = caller.call("GET", "/v1/collections", "", b"");
    assert_eq!((answer.status, answer.kind().as_str()), (500, "internal"));
    assert_eq!(
        caller.call("GET", "/v1/collections/docs", "", b"").status,
        200
    );
}

#[test]
fn one_connection_takes_many_requests() {
    let server = serve(Prompt, |_| {});
    let mut caller = Caller::new(server.local_addr());
    for _ in 0..50 {
        for (method, path, verb) in VERBS {
            let answer = caller.call(method, path, "", body(verb).as_bytes());
            assert!(answer.status < 300, "{verb}");
        }
    }
}

#[test]
fn requests_may_be_sent_ahead() {
    let server = serve(Prompt, |_| {});
    let mut caller = Caller::new(server.local_addr());
    let one = common::request(
        "POST",
        "/v1/collections/docs/search",
        "",
        body("search").as_bytes(),
    );
    caller.send(&one.repeat(20));
    for _ in 0..20 {
        assert_eq!(caller.answer().unwrap().status, 200);
    }
}

#[test]
fn bodies_may_come_in_chunks_and_compressed() {
    let server = serve(Prompt, |_| {});
    let body = r#"{"ids": [1, 2, 3], "vectors": [[1, 2], [3, 4], [5, 6]]}"#;
    let mut chunked = Vec::new();
    for piece in body.as_bytes().chunks(7) {
        chunked.extend(format!("{:x}\r\n", piece.len()).bytes());
        chunked.extend(piece);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, body.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::bulk::compress(body.as_bytes(), 3).unwrap();
    for (headers, bytes) in [
        ("", body.as_bytes()),
        ("transfer-encoding: chunked\r\n", &chunked),
        ("content-encoding: gzip\r\n", &gzip),
        ("content-encoding: zstd\r\n", &zstd),
    ] {
        let answer = call(
            &server,
            "POST",
            "/v1/collections/docs/upsert",
            headers,
            bytes,
        );
        assert_eq!(answer.status, 200, "{headers}: {answer:?}");
        assert_eq!(answer.json()["upserted"], 3, "{headers}");
    }
}

#[test]
fn large_answers_are_compressed_for_who_accepts_that() {
    let service = answering(|_: &_, _: &_| {
        Ok(nearfield_model::Response::ListCollections(
            nearfield_model::Listed {
                collections: (0..20_000)
                    .map(|number| format!("collection-{number}"))
                    .collect(),
            },
        ))
    });
    let server = serve(service, |_| {});
    let plain = call(&server, "GET", "/v1/collections", "", "");
    assert!(!plain.headers.contains_key("content-encoding"));
    let gzip = call(
        &server,
        "GET",
        "/v1/collections",
        "accept-encoding: gzip\r\n",
        "",
    );
    assert_eq!(gzip.headers["content-encoding"], "gzip");
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(&gzip.body[..]),
        &mut unpacked,
    )
    .unwrap();
    assert_eq!(unpacked, plain.body);
    let zstd = call(
        &server,
        "GET",
        "/v1/collections",
        "accept-encoding: gzip, zstd\r\n",
        "",
    );
    assert_eq!(zstd.headers["content-encoding"], "zstd");
    assert_eq!(
        zstd::bulk::decompress(&zstd.body, 1 << 20).unwrap(),
        plain.body
    );
}

#[test]
fn a_head_is_a_get_without_its_body() {
    let server = serve(Prompt, |_| {});
    let mut caller = Caller::new(server.local_addr());
    let length = caller.call("GET", "/v1/collections", "", b"").body.len();
    caller.send(&common::request("HEAD", "/v1/collections", "", b""));
    caller.send(&common::request("GET", "/healthz", "", b""));
    let mut both = String::new();
    while both.matches("HTTP/1.1 200").count() < 2 || !both.ends_with('}') {
        let mut piece = [0; 4_096];
        let bytes = std::io::Read::read(&mut caller.stream, &mut piece).unwrap();
        both += str::from_utf8(&piece[..bytes]).unwrap();
    }
    assert!(
        both.contains(&format!("content-length: {length}\r\n")),
        "{both}"
    );
    assert_eq!(both.matches(r#"{"collections"#).count(), 0);
}

#[test]
fn request_ids_and_timeouts_reach_the_service() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let service = answering(move |context: &nearfield_model::Context, request: &_| {
        noted
            .lock()
            .unwrap()
            .push((context.request_id, context.deadline));
        Ok(prompt(request))
    });
    let server = serve(service, |_| {});
    let before = Instant::now();
    let headers = "nearfield-request-id: 000102030405060708090a0b0c0d0e0f-77\r\nnearfield-timeout-ms: 60000\r\n";
    call(
        &server,
        "POST",
        "/v1/collections/docs/upsert",
        headers,
        body("upsert"),
    );
    call(
        &server,
        "POST",
        "/v1/collections/docs/upsert",
        "",
        body("upsert"),
    );
    let seen = seen.lock().unwrap();
    let client = std::array::from_fn(|place| place as u8);
    assert_eq!(seen[0].0, Some(RequestId { client, number: 77 }));
    let wait = seen[0].1.unwrap() - before;
    assert!((59..=61).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(seen[1], (None, None));
}

#[test]
fn a_server_is_ready_once_its_store_is_open() {
    use nearfield_http::server::{Builder, Limited, Settings};
    let mut settings = Settings::default();
    settings.listen = "127.0.0.1:0".to_owned();
    let limited = Arc::new(Limited::closed(8));
    let server = Builder::new(Arc::clone(&limited), settings)
        .start()
        .unwrap();
    assert_eq!(call(&server, "GET", "/healthz", "", "").status, 200);
    for path in ["/readyz", "/v1/collections"] {
        let answer = call(&server, "GET", path, "", "");
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (503, "unavailable"),
            "{path}"
        );
        assert_eq!(answer.headers["retry-after"], "1");
    }
    limited.open(Arc::new(Prompt));
    assert_eq!(call(&server, "GET", "/readyz", "", "").status, 200);
    assert_eq!(call(&server, "GET", "/v1/collections", "", "").status, 200);
    assert!(
        limited
            .call(
                &Default::default(),
                nearfield_model::ListCollections {}.into()
            )
            .is_ok()
    );
}

#[test]
fn metrics_count_calls_by_verb_and_outcome() {
    let server = serve(Prompt, |_| {});
    for _ in 0..3 {
        call(
            &server,
            "POST",
            "/v1/collections/docs/search",
            "",
            body("search"),
        );
    }
    call(&server, "POST", "/v1/collections/docs/search", "", "[]");
    let metrics = call(&server, "GET", "/metrics", "", "").body;
    let metrics = String::from_utf8(metrics).unwrap();
    for line in [
        r#"nearfield_calls_total{door="http",verb="search",outcome="ok"} 3"#,
        r#"nearfield_calls_total{door="http",verb="search",outcome="invalid_argument"} 1"#,
        r#"nearfield_call_seconds_count{door="http",verb="search"} 4"#,
        r#"nearfield_stage_seconds_count{door="http",stage="engine"} 3"#,
        "nearfield_ready 1",
    ] {
        assert!(
            metrics.lines().any(|other| other == line),
            "{line}\n{metrics}"
        );
    }
}

#[test]
fn listed_origins_may_read_and_ask_before_they_send() {
    let server = serve(Prompt, |settings| {
        settings.allowed_origins = vec!["https://app.example.com".to_owned()];
    });
    let origin = "origin: https://app.example.com\r\n";
    let answer = call(&server, "GET", "/v1/collections", origin, "");
    assert_eq!(
        answer.headers["access-control-allow-origin"],
        "https://app.example.com"
    );
    let answer = call(
        &server,
        "OPTIONS",
        "/v1/collections/docs/search",
        origin,
        "",
    );
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers["access-control-allow-methods"], "POST");
    let answer = call(
        &server,
        "GET",
        "/v1/collections",
        "origin: http://localhost:3000\r\n",
        "",
    );
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}
