//! Servers that are no Nearfield, or another one.

use std::io::{Read, Write};
use std::net::TcpListener;

use nearfield::{Context, Error, ErrorKind, ListCollections, Service};
use nearfield_grpc::client::{Client, Settings};
use tonic::codegen::http;

use crate::server::Server;

fn ask(client: &Client) -> Error {
    client
        .call(&Context::default(), ListCollections {}.into())
        .unwrap_err()
}

fn impatient() -> Settings {
    Settings {
        retries: 1,
        ..Settings::default()
    }
}

#[test]
fn a_server_of_http_1_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("grpc://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _read = stream.read(&mut [0; 100]);
            let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
        }
    });
    let error = ask(&Client::connect(&target, impatient()).unwrap());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains(&target), "{error}");
}

#[test]
fn grpc_without_nearfield_is_told_apart() {
    let server = Server::start_with_routes(tonic::service::Routes::default());
    let error = ask(&server.client());
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains("no Nearfield"), "{error}");
}

#[test]
fn a_web_page_is_told_apart() {
    let server = Server::start_answering(|| http::Response::new("<html>".to_owned()));
    let error = ask(&server.client());
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains("HTTP status 200"), "{error}");
}

#[test]
fn another_version_of_the_wire_is_named() {
    let server = Server::start_answering(|| {
        let response = http::Response::builder()
            .header("content-type", "application/grpc")
            .header("nearfield-wire", "2")
            .header("grpc-status", "0");
        response.body(String::new()).unwrap()
    });
    let error = ask(&server.client());
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains("version 2"), "{error}");
}

#[test]
fn an_answer_that_is_nonsense_is_an_error() {
    let server = Server::start_answering(|| {
        let response = http::Response::builder()
            .header("content-type", "application/grpc")
            .header("nearfield-wire", "1");
        response.body("\0\0\0\0\u{3}abc".to_owned()).unwrap()
    });
    let error = ask(&server.client());
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
}
