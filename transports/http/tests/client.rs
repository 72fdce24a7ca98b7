//! The client against servers that misbehave: each is a few lines over a socket of its own.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should stop; servers here let time pass"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nearfield_http::body::Format;
use nearfield_http::client::{Client, Settings};
use nearfield_model::{
    Batch, Cancellation, Context, Count, Counted, ErrorKind, Flush, ListCollections, Response,
    Service, Snapshot, Stage, Upsert,
};

/// A request as a server here saw it.
#[derive(Clone, Debug, Default)]
struct Seen {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find_map(|line| line.strip_prefix(name));
        found.and_then(|rest| rest.strip_prefix(": "))
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut seen = Seen::default();
    reader
        .read_line(&mut seen.line)
        .ok()
        .filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            header => seen.headers.push(header.to_owned()),
        }
    }
    let length = seen
        .header("content-length")
        .map_or(0, |text| text.parse().unwrap());
    seen.body.resize(length, 0);
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

/// What a server here does with a request.
enum Act {
    Send(String),
    Close,
    /// Answers, and closes without saying so beforehand.
    SendAndClose(String),
    Wait(Duration),
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nnearfield-wire: 1\r\ncontent-type: application/json\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    )
}

fn counted(count: u64) -> Act {
    Act::Send(answer("200 OK", "", &format!("{{\"count\": {count}}}")))
}

fn problem(status: &str, headers: &str, body: &str) -> Act {
    let text = answer(status, headers, body);
    Act::Send(text.replace("application/json", "application/problem+json"))
}

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

/// Lists no collections, so that clients connect, and asks `act` what to do with the requests
/// after that, counted from 0.
fn serve(act: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static) -> Server {
    serve_on(TcpListener::bind("127.0.0.1:0").unwrap(), act)
}

fn serve_on(
    listener: TcpListener,
    act: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static,
) -> Server {
    let server = Server {
        url: format!("http://{}", listener.local_addr().unwrap()),
        seen: Arc::default(),
        connections: Arc::default(),
    };
    let (seen, connections) = (Arc::clone(&server.seen), Arc::clone(&server.connections));
    let act = Arc::new(act);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            connections.fetch_add(1, Ordering::SeqCst);
            let (seen, act) = (Arc::clone(&seen), Arc::clone(&act));
            std::thread::spawn(move || speak(&socket.unwrap(), &seen, &*act));
        }
    });
    server
}

fn speak(socket: &TcpStream, seen: &Mutex<Vec<Seen>>, act: &dyn Fn(usize, &Seen) -> Act) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut socket = socket;
    while let Some(request) = read_request(&mut reader) {
        if request.line.starts_with("GET /v1/collections ") {
            let text = answer("200 OK", "", r#"{"collections": []}"#);
            socket.write_all(text.as_bytes()).unwrap();
            continue;
        }
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match act(number, &request) {
            Act::Send(text) => socket.write_all(text.as_bytes()).unwrap(),
            Act::Close => return,
            Act::SendAndClose(text) => return socket.write_all(text.as_bytes()).unwrap(),
            Act::Wait(time) => std::thread::sleep(time),
        }
    }
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.format = Format::Json;
    settings
}

fn connect(server: &Server) -> Client {
    Client::connect(&server.url, settings()).unwrap()
}

fn count(client: &Client) -> nearfield_model::Result<u64> {
    count_with(client, &Context::default())
}

fn count_with(client: &Client, context: &Context) -> nearfield_model::Result<u64> {
    match client.call(context, Count::new("docs").into())? {
        Response::Count(Counted { count, .. }) => Ok(count),
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_share_one_connection_and_threads_have_their_own() {
    let server = serve(|_, _| counted(3));
    let client = connect(&server);
    for _ in 0..5 {
        assert_eq!(count(&client).unwrap(), 3);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(count(&client).unwrap(), 3)));
        }
    });
    assert!(server.connections.load(Ordering::SeqCst) <= 8);
}

#[test]
fn connections_are_bounded_and_calls_wait_for_them() {
    let server = serve(|_, _| {
        std::thread::sleep(Duration::from_millis(20));
        counted(1)
    });
    let mut settings = settings();
    settings.connections_max = 2;
    let client = Client::connect(&server.url, settings).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..3).for_each(|_| assert_eq!(count(&client).unwrap(), 1)));
        }
    });
    assert!(server.connections.load(Ordering::SeqCst) <= 2);
}

#[test]
fn without_keep_alive_each_call_has_a_connection_of_its_own() {
    let server = serve(|_, _| counted(1));
    let mut settings = settings();
    settings.keep_alive = false;
    let client = Client::connect(&server.url, settings).unwrap();
    let before = server.connections.load(Ordering::SeqCst);
    (0..3).for_each(|_| assert_eq!(count(&client).unwrap(), 1));
    assert_eq!(server.connections.load(Ordering::SeqCst), before + 3);
    assert_eq!(
        server.seen.lock().unwrap()[0].header("connection"),
        Some("close")
    );
}

#[test]
fn a_connection_that_died_while_it_waited_is_replaced_unseen() {
    let server = serve(|_, _| Act::SendAndClose(answer("200 OK", "", r#"{"count": 1}"#)));
    let mut settings = settings();
    // No second try after a failure that shows.
    settings.retry_timeout = Duration::ZERO;
    let client = Client::connect(&server.url, settings).unwrap();
    for _ in 0..20 {
        assert_eq!(count(&client).unwrap(), 1);
    }
}

#[test]
fn idle_connections_are_let_go() {
    let server = serve(|_, _| counted(1));
    let mut settings = settings();
    settings.idle_timeout = Duration::from_millis(20);
    let client = Client::connect(&server.url, settings).unwrap();
    count(&client).unwrap();
    std::thread::sleep(Duration::from_millis(60));
    count(&client).unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_write_is_sent_again_under_its_request_id() {
    let server = serve(|number, _| match number {
        0 => Act::Close,
        1 => problem(
            "503 Busy",
            "",
            r#"{"kind": "unavailable", "detail": "closing"}"#,
        ),
        _ => Act::Send(answer("200 OK", "", r#"{"upserted": 1, "sequence": 4}"#)),
    });
    let client = connect(&server);
    let upsert = Upsert::new("docs", Batch::new([1], &[0.5, 1.0]));
    let response = client.call(&Context::default(), upsert.into()).unwrap();
    assert!(matches!(response, Response::Upsert(upserted) if upserted.sequence == 4));
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    let ids: Vec<&str> = seen
        .iter()
        .map(|seen| seen.header("nearfield-request-id").unwrap())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let (client_id, number) = ids[0].split_once('-').unwrap();
    assert_eq!((client_id.len(), number), (32, "1"));
    assert!(seen.iter().all(|other| other.body == seen[0].body));
}

#[test]
fn a_snapshot_is_not_sent_twice_once_it_may_have_been_taken() {
    let server = serve(|_, _| Act::Close);
    let client = connect(&server);
    let error = client
        .call(&Context::default(), Snapshot::new("docs").into())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(server.seen.lock().unwrap().len(), 1);
}

#[test]
fn retry_after_is_waited_for_and_giving_up_tells_the_servers_error() {
    let body = r#"{"kind": "overloaded", "detail": "too much work"}"#;
    let server = serve(move |number, _| match number {
        0 => problem("429 Busy", "retry-after: 1\r\n", body),
        1 => counted(7),
        _ => problem("429 Busy", "retry-after: 60\r\n", body),
    });
    let client = connect(&server);
    let start = Instant::now();
    assert_eq!(count(&client).unwrap(), 7);
    assert!(start.elapsed() >= Duration::from_secs(1));
    let start = Instant::now();
    let error = count(&client).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Overloaded, "too much work")
    );
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn what_the_caller_has_to_correct_is_not_sent_again() {
    let server = serve(|_, _| {
        problem(
            "400 Bad",
            "",
            r#"{"kind": "invalid_argument", "detail": "no number", "row": 2, "field": "vectors"}"#,
        )
    });
    let error = count(&connect(&server)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!((error.row(), error.field()), (Some(2), Some("vectors")));
    assert_eq!(server.seen.lock().unwrap().len(), 1);
}

#[test]
fn deadlines_and_cancellation_end_a_call() {
    let server = serve(|_, _| Act::Wait(Duration::from_secs(3)));
    let client = connect(&server);
    let start = Instant::now();
    let context = Context::with_timeout(Duration::from_millis(100));
    let error = count_with(&client, &context).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert!(start.elapsed() < Duration::from_secs(1));
    let told = server.seen.lock().unwrap()[0]
        .header("nearfield-timeout-ms")
        .map(str::to_owned);
    let told: u64 = told.unwrap().parse().unwrap();
    assert!((50..=100).contains(&told), "{told}");

    let cancellation = Cancellation::default();
    let context = Context {
        cancellation: Some(cancellation.clone()),
        ..Context::default()
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            cancellation.cancel();
        });
        let error = count_with(&client, &context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    });
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn the_settings_timeout_bounds_a_call_without_deadline() {
    let server = serve(|_, _| Act::Wait(Duration::from_secs(3)));
    let mut settings = settings();
    settings.timeout = Duration::from_millis(100);
    let client = Client::connect(&server.url, settings).unwrap();
    let start = Instant::now();
    assert_eq!(
        count(&client).unwrap_err().kind(),
        ErrorKind::DeadlineExceeded
    );
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn other_servers_and_other_versions_are_told_apart() {
    for (text, words) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "not a Nearfield server",
        ),
        ("+OK POP3 ready\r\n", "not a Nearfield server"),
        (
            "HTTP/1.1 200 OK\r\nnearfield-wire: 2\r\ncontent-length: 2\r\n\r\n{}",
            "wire \"2\" and this client speaks wire \"1\"",
        ),
    ] {
        let server = serve(move |_, _| Act::SendAndClose(text.to_owned()));
        let error = count(&connect(&server)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn nobody_there_is_told_at_once() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let start = Instant::now();
    let error = Client::connect(&format!("http://127.0.0.1:{port}"), settings()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("nearfield serve"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn bodies_come_in_chunks_and_pieces_and_are_bounded() {
    let chunked = "HTTP/1.1 200 OK\r\nnearfield-wire: 1\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let texts = [
        format!("{chunked}5\r\n{{\"cou\r\n7;x=y\r\nnt\": 5}}\r\n0\r\ntrailer: x\r\n\r\n"),
        format!(
            "HTTP/1.1 103 Early\r\nlink: x\r\n\r\n{}",
            answer("200 OK", "", r#"{"count": 5}"#)
        ),
    ];
    let server = serve(move |number, _| Act::Send(texts[number % 2].clone()));
    let client = connect(&server);
    (0..4).for_each(|_| assert_eq!(count(&client).unwrap(), 5));
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);

    let server = serve(move |_, _| counted(123_456_789));
    let mut settings = settings();
    settings.response_bytes_max = 19;
    let client = Client::connect(&server.url, settings).unwrap();
    assert_eq!(count(&client).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn an_answer_before_the_end_of_a_large_body_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        read_request(&mut reader).unwrap();
        let listed = answer("200 OK", "", r#"{"collections": []}"#);
        socket.write_all(listed.as_bytes()).unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let refused = answer(
            "401 Who",
            "connection: close\r\n",
            r#"{"kind": "unauthenticated", "detail": "no such key"}"#,
        );
        socket.write_all(refused.as_bytes()).unwrap();
        // Closed with much unread, which resets the connection.
    });
    let client = Client::connect(&url, settings()).unwrap();
    let ids: Vec<u64> = (0..40_000).collect();
    let values = vec![0.123_456_7; 40_000 * 100];
    let upsert = Upsert::new("docs", Batch::from_values(ids, values));
    let error = client.call(&Context::default(), upsert.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
}

#[test]
fn stages_of_both_sides_are_added() {
    let timing = "server-timing: decode;dur=1.5, engine;dur=2\r\n";
    let text = answer("200 OK", timing, r#"{"count": 1}"#);
    let server = serve(move |_, _| Act::Send(text.clone()));
    let client = connect(&server);
    let context = Context::default();
    count_with(&client, &context).unwrap();
    assert_eq!(
        context.stages.get(Stage::Decode),
        Duration::from_micros(1_500)
    );
    assert_eq!(context.stages.get(Stage::Engine), Duration::from_millis(2));
    for stage in [
        Stage::ClientEncode,
        Stage::Send,
        Stage::Receive,
        Stage::ClientDecode,
    ] {
        assert!(
            context.stages.get(stage) > Duration::ZERO,
            "{}",
            stage.as_str()
        );
    }
}

#[test]
fn a_server_that_starts_again_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let first = std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        for body in [r#"{"collections": []}"#, r#"{"count": 1}"#] {
            read_request(&mut reader).unwrap();
            (&socket)
                .write_all(answer("200 OK", "", body).as_bytes())
                .unwrap();
        }
        // Socket and listener go, as with a server that is killed.
    });
    let client = Client::connect(&format!("http://{address}"), settings()).unwrap();
    assert_eq!(count(&client).unwrap(), 1);
    first.join().unwrap();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| count(&client));
        std::thread::sleep(Duration::from_millis(200));
        serve_on(TcpListener::bind(address).unwrap(), |_, _| counted(2));
        assert_eq!(call.join().unwrap().unwrap(), 2);
    });
}

#[test]
fn what_breaks_the_models_rules_is_not_sent() {
    let server = serve(|_, _| counted(1));
    let client = connect(&server);
    for request in [Count::new("a/../b").into(), Flush::new("").into()] {
        let error = client.call(&Context::default(), request).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidArgument, Some("collection"))
        );
    }
    assert!(server.seen.lock().unwrap().is_empty());
    let listed = client.call(&Context::default(), ListCollections {}.into());
    assert!(listed.is_ok());
}

#[test]
fn keys_are_sent_and_never_shown() {
    let server = serve(|_, _| counted(1));
    let mut settings = settings();
    settings.api_key = Some("secret-key".to_owned());
    let client = Client::connect(&server.url, settings.clone()).unwrap();
    count(&client).unwrap();
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen[0].header("authorization"), Some("Bearer secret-key"));
    assert!(!format!("{client:?}").contains("secret"));
    for key in ["", "two words", "line\r\nbreak", "é"] {
        settings.api_key = Some(key.to_owned());
        let error = Client::connect(&server.url, settings.clone()).unwrap_err();
        assert_eq!(error.field(), Some("api_key"));
    }
}
