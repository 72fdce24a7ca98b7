//! Posts to a collector: one connection per request, on the thread that exports, which may wait.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use nearfield::Error;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long connecting, and each read and write, may take.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 256 << 10;

/// Sends requests to one collector.
pub(super) struct Post {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Post({}:{})", self.host, self.port)
    }
}

impl Post {
    /// Sends to the collector at `endpoint`.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no address by HTTP.
    pub(super) fn new(endpoint: &str) -> Result<Self, Error> {
        let refused = || {
            Error::invalid(format!(
                "{endpoint:?} is no collector; name one as http://localhost:4318"
            ))
            .in_field("otlp_endpoint")
        };
        let uri: Uri = endpoint.parse().map_err(|_| refused())?;
        let (port, tls) = match uri.scheme_str() {
            Some("http") => (80, None),
            Some("https") => (443, Some(Arc::new(tls()?))),
            _ => return Err(refused()),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        Ok(Post {
            host: host.ok_or_else(refused)?.to_owned(),
            port: uri.port_u16().unwrap_or(port),
            tls,
        })
    }

    fn send(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let stream = self.connect()?;
        let Some(tls) = &self.tls else {
            return exchange(stream, request);
        };
        let name = ServerName::try_from(self.host().to_owned())?;
        let connection = ClientConnection::new(Arc::clone(tls), name)?;
        exchange(StreamOwned::new(connection, stream), request)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (self.host(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PAUSE_MAX) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PAUSE_MAX))?;
                    stream.set_write_timeout(Some(PAUSE_MAX))?;
                    return Ok(stream);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The host, an IPv6 address without its brackets.
    fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl HttpClient for Post {
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move { self.send(&request) })
    }
}

fn tls() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn exchange(
    mut stream: impl Read + Write,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    stream.write_all(&head_of(request))?;
    stream.write_all(request.body())?;
    stream.flush()?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    match parse(&answer) {
        Some(response) => Ok(response),
        // Some end a TLS connection without a farewell, which is an error only if the answer
        // is not there.
        None => Err(read.map_or_else(Into::into, |_| "the collector's answer is no HTTP".into())),
    }
}

fn head_of(request: &Request<Bytes>) -> Vec<u8> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let host = request.uri().authority().map_or("", |place| place.as_str());
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        request.body().len()
    )
    .into_bytes();
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Reads status, headers, and the body if it comes in one piece: it says no more than which
/// spans were refused.
fn parse(answer: &[u8]) -> Option<Response<Bytes>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = head.parse(answer).ok()? else {
        return None;
    };
    let mut response = Response::builder().status(head.code?);
    for header in head.headers.iter() {
        response = response.header(header.name, header.value);
    }
    let is_plain = response
        .headers_ref()
        .is_some_and(|headers| !headers.contains_key(http::header::TRANSFER_ENCODING));
    let body = if is_plain { &answer[end..] } else { &[] };
    response.body(Bytes::copy_from_slice(body)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_its_headers_and_a_plain_body() {
        let answer = parse(b"HTTP/1.1 503 Busy\r\nretry-after: 3\r\n\r\nlater").unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "3");
        assert_eq!(answer.body(), "later");
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n";
        assert_eq!(parse(chunked).unwrap().body(), "");
        for wrong in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"SSH-2.0-x\r\n\r\n"] {
            assert!(parse(wrong).is_none());
        }
    }

    #[test]
    fn heads_carry_the_headers_that_were_given() {
        let request = Request::post("http://c:4318/v1/traces").header("api-key", "k");
        let head = head_of(&request.body(Bytes::from_static(b"ab")).unwrap());
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\nhost: c:4318\r\n"));
        assert!(head.ends_with("content-length: 2\r\napi-key: k\r\n\r\n"));
    }
}
