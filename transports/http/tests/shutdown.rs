//! The end of a server: what was accepted is answered, and nothing else is taken.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{Caller, Prompt, answering, body, prompt, serve};

#[test]
fn a_call_under_way_is_answered() {
    let (entered, entering) = mpsc::channel();
    let service = answering(move |_: &_, request: &_| {
        let _ = entered.send(());
        std::thread::sleep(Duration::from_millis(300));
        Ok(prompt(request))
    });
    let server = serve(service, |_| {});
    let address = server.local_addr();
    let mut caller = Caller::new(address);
    caller.send(&common::request("GET", "/v1/collections", "", b""));
    entering.recv().unwrap();
    server.shutdown();
    assert_eq!(caller.answer().unwrap().status, 200);
    assert!(caller.is_closed());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_body_on_its_way_is_read_to_its_end() {
    let server = serve(Prompt, |_| {});
    let mut caller = Caller::new(server.local_addr());
    let bytes = common::request(
        "POST",
        "/v1/collections/docs/upsert",
        "",
        body("upsert").as_bytes(),
    );
    let (first, second) = bytes.split_at(bytes.len() - 5);
    caller.send(first);
    std::thread::sleep(Duration::from_millis(100));
    std::thread::scope(|scope| {
        scope.spawn(|| server.shutdown());
        std::thread::sleep(Duration::from_millis(200));
        caller.send(second);
        assert_eq!(caller.answer().unwrap().status, 200);
    });
}

#[test]
fn idle_connections_do_not_hold_the_end_up() {
    let server = serve(Prompt, |_| {});
    let mut callers: Vec<Caller> = (0..20).map(|_| Caller::new(server.local_addr())).collect();
    for caller in callers.iter_mut().skip(10) {
        assert_eq!(caller.call("GET", "/healthz", "", b"").status, 200);
    }
    let start = Instant::now();
    server.shutdown();
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    for mut caller in callers {
        assert!(caller.is_closed());
    }
}

#[test]
fn a_silent_caller_of_http_2_does_not_hold_the_end_up() {
    let server = serve(Prompt, |_| {});
    let mut caller = Caller::new(server.local_addr());
    caller.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    server.shutdown();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn who_never_ends_is_left_behind() {
    let server = serve(Prompt, |settings| {
        settings.shutdown_timeout = Duration::from_millis(300);
    });
    let mut caller = Caller::new(server.local_addr());
    caller.send(b"POST /v1/collections/docs/upsert HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{");
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    server.shutdown();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
