//! A caller of the HTTP door that checks nothing by itself: what is wrong with a request is for
//! the server to tell.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use nearfield::{Context, Error, ErrorKind, Request, Response, Result, Service};
use nearfield_http::body::{Format, read_response, write_request};
use nearfield_http::server::{Server, Settings};
use nearfield_model::codec::request_from_json;
use serde_json::Value;
use serde_json::value::RawValue;

/// A server, and the format in which it is spoken to.
pub(crate) struct Plain {
    server: Server,
    format: Format,
}

impl Plain {
    /// Puts a server before a service.
    pub(crate) fn new(service: Arc<dyn Service>, format: Format) -> Result<Plain> {
        let mut settings = Settings::default();
        settings.listen = "127.0.0.1:0".to_owned();
        Ok(Plain {
            server: Server::start(service, settings)?,
            format,
        })
    }

    /// Sends the request of an envelope, as JSON just as it stands there.
    pub(crate) fn call(&self, context: &Context, envelope: &str) -> Result<Response> {
        let Some((verb, members)) = open(envelope) else {
            // What names no verb has no path.
            return Err(request_from_json(envelope).expect_err("no verb is named"));
        };
        let collection = members.get("collection").cloned().unwrap_or_default();
        let body = match self.format {
            Format::Json => without_collection(envelope),
            Format::MessagePack => {
                let mut body = Vec::new();
                write_request(self.format, &request_from_json(envelope)?, &mut body)?;
                body
            }
        };
        let (method, path) = route(&verb, collection.as_str().unwrap_or_default());
        let id = context.request_id.map(|id| {
            let client = u128::from_be_bytes(id.client);
            format!("nearfield-request-id: {client:032x}-{}\r\n", id.number)
        });
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept: {kind}\r\n\
             content-type: {kind}\r\ncontent-length: {}\r\n{}\r\n",
            body.len(),
            id.unwrap_or_default(),
            kind = self.format.media_type(),
        );
        let (head, body) = exchange(self.server.local_addr(), head.as_bytes(), &body);
        if head.starts_with("HTTP/1.1 20") {
            return read_response(self.format, &verb, &body);
        }
        assert!(head.contains("application/problem+json"), "{head}");
        Err(problem(&body))
    }
}

/// The verb and its members, if it is the envelope of one.
fn open(envelope: &str) -> Option<(String, Value)> {
    let Value::Object(verbs) = serde_json::from_str(envelope).unwrap() else {
        return None;
    };
    let is_verb = verbs.len() == 1 && verbs.keys().all(|verb| Request::VERBS.contains(&&**verb));
    is_verb.then(|| verbs.into_iter().next()).flatten()
}

/// The envelope's body, with all that is in it but the collection, in the same order.
fn without_collection(envelope: &str) -> Vec<u8> {
    let verbs: Vec<(String, Box<RawValue>)> = members(envelope);
    let kept: Vec<String> = members(verbs[0].1.get())
        .into_iter()
        .filter(|(name, _)| name != "collection")
        .map(|(name, value)| format!("{name:?}: {}", value.get()))
        .collect();
    format!("{{{}}}", kept.join(", ")).into_bytes()
}

fn members(text: &str) -> Vec<(String, Box<RawValue>)> {
    let map: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(text).unwrap();
    map.into_iter().collect()
}

fn route(verb: &str, collection: &str) -> (&'static str, String) {
    // Names that would break the line are written as in any URL.
    let name: String = collection
        .bytes()
        .map(
            |byte| match byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            },
        )
        .collect();
    let path = format!("/v1/collections/{name}");
    match verb {
        "list_collections" => ("GET", "/v1/collections".to_owned()),
        "create_collection" => ("PUT", path),
        "describe_collection" => ("GET", path),
        "drop_collection" => ("DELETE", path),
        _ => ("POST", format!("{path}/{verb}")),
    }
}

fn exchange(address: SocketAddr, head: &[u8], body: &[u8]) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(&[head, body].concat()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head, answer.split_off(end + 4))
}

fn problem(body: &[u8]) -> Error {
    let problem: Value = serde_json::from_slice(body).unwrap();
    let kind = ErrorKind::parse(problem["kind"].as_str().unwrap()).unwrap();
    let mut error = Error::new(kind, problem["detail"].as_str().unwrap());
    if let Some(row) = problem["row"].as_u64() {
        error = error.at_row(row as usize);
    }
    if let Some(field) = problem["field"].as_str() {
        error = error.in_field(field);
    }
    error
}
