//! Callers who are slow, send too much, or nonsense: they are refused, and others are served.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use common::{Caller, Prompt, answering, body, call, prompt, request, serve};

const UPSERT: &str = "/v1/collections/docs/upsert";

/// Refusals of a body; the connection may be closed in the middle of sending it.
fn refused(server: &nearfield_http::server::Server, headers: &str, bytes: &[u8]) -> (u16, String) {
    let answer = call(server, "POST", UPSERT, headers, bytes);
    (answer.status, answer.kind())
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let server = serve(Prompt, |settings| {
        settings.header_timeout = Duration::from_millis(300);
    });
    let mut slow: Vec<Caller> = (0..20).map(|_| Caller::new(server.local_addr())).collect();
    let start = Instant::now();
    for _ in 0..12 {
        for caller in &mut slow {
            caller.send(b"x");
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(call(&server, "GET", "/healthz", "", "").status, 200);
    }
    for mut caller in slow {
        assert!(caller.is_closed());
    }
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_head_after_a_request_is_no_better() {
    let server = serve(Prompt, |settings| {
        settings.header_timeout = Duration::from_millis(300);
    });
    let mut caller = Caller::new(server.local_addr());
    assert_eq!(caller.call("GET", "/healthz", "", b"").status, 200);
    caller.send(b"GET /healthz HTTP/1.1\r\nhost: loc");
    let start = Instant::now();
    assert!(caller.is_closed());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_that_pauses_or_drips_is_refused() {
    let server = serve(Prompt, |settings| {
        settings.body_pause_max = Duration::from_millis(300);
        settings.body_timeout = Duration::from_millis(700);
    });
    let head = request("POST", UPSERT, "content-length: 1000\r\n", b"{");
    let mut pausing = Caller::new(server.local_addr());
    pausing.send(&head);
    let answer = pausing.answer().unwrap();
    assert_eq!(
        (answer.status, answer.kind().as_str()),
        (504, "deadline_exceeded")
    );
    let mut dripping = Caller::new(server.local_addr());
    dripping.send(&head);
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(100));
        dripping.send(b" ");
    }
    assert_eq!(dripping.answer().unwrap().status, 504);
}

#[test]
fn silent_connections_are_closed() {
    let server = serve(Prompt, |settings| {
        settings.idle_timeout = Duration::from_millis(300);
    });
    let mut silent = Caller::new(server.local_addr());
    let mut used = Caller::new(server.local_addr());
    assert_eq!(used.call("GET", "/healthz", "", b"").status, 200);
    let start = Instant::now();
    assert!(silent.is_closed());
    assert!(used.is_closed());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_over_the_limit_is_refused_whether_it_says_so_or_not() {
    let server = serve(Prompt, |settings| settings.body_bytes_max = 10_000);
    let large = vec![b' '; 20_000];
    let too_large = (413, "too_large".to_owned());
    assert_eq!(refused(&server, "", &large), too_large);
    let mut chunked = b"4e20\r\n".to_vec();
    chunked.extend(&large);
    chunked.extend(b"\r\n0\r\n\r\n");
    assert_eq!(
        refused(&server, "transfer-encoding: chunked\r\n", &chunked),
        too_large
    );
    // A length alone is refused before a body is sent.
    let mut caller = Caller::new(server.local_addr());
    caller.send(&request(
        "POST",
        UPSERT,
        "content-length: 99999999999\r\nexpect: 100-continue\r\n",
        b"",
    ));
    assert_eq!(caller.answer().unwrap().status, 413);
}

#[test]
fn a_bomb_is_refused_early() {
    let server = serve(Prompt, |settings| settings.body_bytes_max = 1 << 20);
    let spaces = vec![b' '; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..512 {
        gzip.write_all(&spaces).unwrap();
    }
    let gzip = gzip.finish().unwrap();
    assert!(gzip.len() < 1 << 20);
    let zstd = zstd::bulk::compress(&spaces.repeat(64), 19).unwrap();
    let start = Instant::now();
    for (coding, bytes) in [("gzip", gzip), ("zstd", zstd)] {
        let headers = format!("content-encoding: {coding}\r\n");
        assert_eq!(
            refused(&server, &headers, &bytes),
            (413, "too_large".to_owned()),
            "{coding}"
        );
    }
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn broken_bodies_are_refused() {
    let server = serve(Prompt, |_| {});
    let deep = format!(
        r#"{{"ids": [1], "vectors": [[1]], "metadata": [{}1{}]}}"#,
        r#"{"a":"#.repeat(100_000),
        "}".repeat(100_000)
    );
    let nested = "[".repeat(200_000);
    let plain = body("upsert");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::bulk::compress(plain.as_bytes(), 3).unwrap();
    let garbage: Vec<u8> = (0..5_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for (headers, bytes) in [
        ("", deep.as_bytes()),
        ("", nested.as_bytes()),
        ("", &plain.as_bytes()[..plain.len() - 1]),
        ("", b"nonsense"),
        ("", b"\xff\xfe"),
        ("", &garbage),
        ("content-type: application/msgpack\r\n", &garbage),
        ("content-encoding: gzip\r\n", &garbage),
        ("content-encoding: zstd\r\n", &garbage),
        ("content-encoding: gzip\r\n", &gzip[..gzip.len() / 2]),
        ("content-encoding: zstd\r\n", &zstd[..zstd.len() / 2]),
        ("content-encoding: gzip\r\n", plain.as_bytes()),
    ] {
        let (status, kind) = refused(&server, headers, bytes);
        assert!([400, 413].contains(&status), "{headers}: {status}");
        assert!(
            ["invalid_argument", "too_large"].contains(&kind.as_str()),
            "{kind}"
        );
    }
    assert_eq!(call(&server, "POST", UPSERT, "", plain).status, 200);
}

#[test]
fn a_body_that_ends_early_reaches_nobody() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let service = answering(move |_: &_, request: &_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(prompt(request))
    });
    let server = serve(service, |_| {});
    for _ in 0..10 {
        let mut caller = Caller::new(server.local_addr());
        let whole = request("POST", UPSERT, "", body("upsert").as_bytes());
        caller.send(&whole[..whole.len() - 1]);
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn garbage_instead_of_http_is_cut_off() {
    let server = serve(Prompt, |_| {});
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"NOT HTTP AT ALL\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut caller = Caller::new(server.local_addr());
        caller.send(bytes);
        let _ = caller.stream.shutdown(std::net::Shutdown::Write);
        assert!(caller.is_closed());
    }
    assert_eq!(call(&server, "GET", "/healthz", "", "").status, 200);
}

#[test]
fn headers_over_the_limit_are_refused() {
    let server = serve(Prompt, |settings| settings.header_bytes_max = 4_096);
    let header = format!("x-large: {}\r\n", "a".repeat(5_000));
    let answer = call(&server, "GET", "/v1/collections", &header, "");
    assert_eq!((answer.status, answer.kind().as_str()), (413, "too_large"));
    let many = "x: y\r\n".repeat(500);
    assert_eq!(
        call(&server, "GET", "/v1/collections", &many, "").status,
        431
    );
}

/// A service whose calls wait until they may go on.
fn waiting() -> (
    impl nearfield_model::Service + 'static,
    Arc<(Mutex<bool>, Condvar)>,
    Arc<AtomicUsize>,
) {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let inside = Arc::new(AtomicUsize::new(0));
    let (waits, counts) = (Arc::clone(&gate), Arc::clone(&inside));
    let service = answering(move |_: &_, request: &_| {
        counts.fetch_add(1, Ordering::SeqCst);
        let (open, bell) = &*waits;
        let _open = bell
            .wait_while(open.lock().unwrap(), |open| !*open)
            .unwrap();
        Ok(prompt(request))
    });
    (service, gate, inside)
}

#[test]
fn calls_beyond_the_bound_are_told_to_come_back_and_the_runtime_never_stalls() {
    let (service, gate, inside) = waiting();
    let server = serve(service, |settings| settings.calls_max = 12);
    let mut callers: Vec<Caller> = (0..12).map(|_| Caller::new(server.local_addr())).collect();
    for caller in &mut callers {
        caller.send(&request("GET", "/v1/collections", "", b""));
    }
    let start = Instant::now();
    while inside.load(Ordering::SeqCst) < 12 {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "calls wait for each other"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..20 {
        let answer = call(&server, "GET", "/v1/collections", "", "");
        assert_eq!((answer.status, answer.kind().as_str()), (429, "overloaded"));
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(call(&server, "GET", "/healthz", "", "").status, 200);
    }
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for mut caller in callers {
        assert_eq!(caller.answer().unwrap().status, 200);
    }
}

#[test]
fn a_long_call_of_a_lone_caller_does_not_stall_the_others() {
    for pause in [0, 100] {
        let (service, gate, inside) = waiting();
        let server = serve(service, |_| {});
        let mut other = Caller::new(server.local_addr());
        assert_eq!(other.call("GET", "/healthz", "", b"").status, 200);
        let mut lone = Caller::new(server.local_addr());
        for _ in 0..50 {
            assert_eq!(lone.call("GET", "/healthz", "", b"").status, 200);
        }
        std::thread::sleep(Duration::from_millis(pause));
        lone.send(&request("GET", "/v1/collections", "", b""));
        while inside.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        for _ in 0..20 {
            let start = Instant::now();
            assert_eq!(other.call("GET", "/healthz", "", b"").status, 200);
            assert!(start.elapsed() < Duration::from_secs(2), "after {pause} ms");
        }
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        assert_eq!(lone.answer().unwrap().status, 200);
    }
}

#[test]
fn bodies_under_way_share_a_budget() {
    let server = serve(Prompt, |settings| settings.bodies_bytes_max = 100_000);
    let mut holders: Vec<Caller> = (0..2).map(|_| Caller::new(server.local_addr())).collect();
    for holder in &mut holders {
        holder.send(&request(
            "POST",
            UPSERT,
            "content-length: 60000\r\n",
            &[b' '; 45_000],
        ));
    }
    std::thread::sleep(Duration::from_millis(200));
    let body = format!("{}{}", " ".repeat(30_000), body("upsert"));
    let answer = call(&server, "POST", UPSERT, "", &body);
    assert_eq!((answer.status, answer.kind().as_str()), (429, "overloaded"));
    drop(holders);
    let start = Instant::now();
    while call(&server, "POST", UPSERT, "", &body).status != 200 {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "the budget is not given back"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn who_holds_all_connections_and_is_silent_makes_place() {
    let server = serve(Prompt, |settings| settings.connections_max = 3);
    let mut held: Vec<Caller> = (0..3).map(|_| Caller::new(server.local_addr())).collect();
    for caller in &mut held {
        assert_eq!(caller.call("GET", "/healthz", "", b"").status, 200);
        // Apart in time, so that the first is silent for longest.
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(2_500));
    let mut late = Caller::new(server.local_addr());
    assert_eq!(late.call("GET", "/healthz", "", b"").status, 200);
    assert!(held[0].is_closed());
    assert_eq!(held[2].call("GET", "/healthz", "", b"").status, 200);
}

#[test]
fn bodies_that_come_without_a_pause_keep_nobody_waiting() {
    let server = serve(Prompt, |settings| settings.threads = 2);
    let (address, done) = (server.local_addr(), AtomicBool::new(false));
    let body = [&b"{\"ids\": [1"[..], &b" ".repeat(40 << 20), b"]"].concat();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Caller::new(address).call(
                        "POST",
                        "/v1/collections/docs/get",
                        "content-type: application/json\r\n",
                        &body,
                    );
                }
            });
        }
        let mut caller = Caller::new(address);
        let mut slowest = Duration::ZERO;
        for _ in 0..30 {
            let start = Instant::now();
            assert_eq!(caller.call("GET", "/healthz", "", b"").status, 200);
            slowest = slowest.max(start.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::Relaxed);
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    });
}

#[test]
fn connections_beyond_the_bound_are_turned_away() {
    let server = serve(Prompt, |settings| settings.connections_max = 5);
    let mut held: Vec<Caller> = (0..5).map(|_| Caller::new(server.local_addr())).collect();
    for caller in &mut held {
        assert_eq!(caller.call("GET", "/healthz", "", b"").status, 200);
    }
    let mut late = Caller::new(server.local_addr());
    let answer = late.answer().unwrap();
    assert_eq!(
        (answer.status, answer.headers["retry-after"].as_str()),
        (503, "1")
    );
    held.pop();
    let start = Instant::now();
    loop {
        let mut caller = Caller::new(server.local_addr());
        caller.send(&request("GET", "/healthz", "", b""));
        if caller.answer().is_some_and(|answer| answer.status == 200) {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "no place is given back"
        );
    }
}
