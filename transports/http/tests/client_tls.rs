//! The client over TLS: whom it trusts, and that calls share a session.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nearfield_http::body::Format;
use nearfield_http::client::{Client, Settings};
use nearfield_model::{Context, Count, ErrorKind, Response, Service};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

struct Server {
    url: String,
    /// The certificate that it shows, as PEM.
    certificate: String,
    connections: Arc<AtomicUsize>,
}

/// A server for the name `localhost`, which lists no collections and counts a megabyte of spaces.
fn serve() -> Server {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server {
        url: format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        ),
        certificate: certificate.pem(),
        connections: Arc::default(),
    };
    let connections = Arc::clone(&server.connections);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            connections.fetch_add(1, Ordering::SeqCst);
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = StreamOwned::new(session, socket.unwrap());
            std::thread::spawn(move || speak(BufReader::new(stream)));
        }
    });
    server
}

/// Ends with the connection, or with a client that does not trust the server.
fn speak(mut reader: BufReader<impl Read + Write>) -> Option<()> {
    loop {
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.trim_end().parse().ok()?;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let body = match first.starts_with("GET") {
            true => r#"{"collections": []}"#.to_owned(),
            false => format!("{}{{\"count\": 7}}", " ".repeat(1 << 20)),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nnearfield-wire: 1\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let stream = reader.get_mut();
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        stream.flush().ok()?;
    }
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.format = Format::Json;
    settings
}

#[test]
fn a_server_whose_certificate_is_trusted_is_called_over_one_session() {
    let server = serve();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &server.certificate).unwrap();
    let mut settings = settings();
    settings.ca_file = Some(file);
    let client = Client::connect(&server.url, settings.clone()).unwrap();
    for _ in 0..3 {
        let counted = client.call(&Context::default(), Count::new("docs").into());
        assert!(matches!(counted.unwrap(), Response::Count(counted) if counted.count == 7));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);

    let by_address = server.url.replace("localhost", "127.0.0.1");
    let error = Client::connect(&by_address, settings).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("certificate"), "{error}");
}

#[test]
fn a_server_that_is_not_trusted_is_refused_at_once() {
    let server = serve();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, serve().certificate).unwrap();
    let mut settings = settings();
    settings.ca_file = Some(file);
    let start = Instant::now();
    let error = Client::connect(&server.url, settings).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("certificate"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn files_without_certificates_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for file in [empty, folder.path().join("nowhere.pem")] {
        let mut settings = settings();
        settings.ca_file = Some(file);
        let error = Client::connect("https://localhost:1", settings).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidArgument, Some("ca_file"))
        );
    }
}

#[test]
fn plain_http_to_a_server_of_tls_is_told() {
    let server = serve();
    let plain = server.url.replace("https", "http");
    let mut settings = settings();
    settings.retry_timeout = Duration::ZERO;
    let error = Client::connect(&plain, settings).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains("https"), "{error}");
}
