//! One attempt at a call: the request as HTTP, and what comes back.

use std::time::Instant;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use nearfield_model::{
    Cancellation, Error, ErrorKind, RequestId, Response, Result, Stage, StageClock, Stamp,
};
use tonic::{Code, Status};

use super::body::Outgoing;
use super::connection::{Connection, Line};
use super::{Client, Settings};
use crate::convert::decode_response;
use crate::error::from_status;
use crate::frame::Deframer;
use crate::head::{
    GRPC, LEFT, REQUEST_ID, SENT, SERVICE, TIMEOUT, WIRE, WIRE_HEADER, is_grpc, once,
    request_id_to, stamp_from, stamp_to, timeout_to, timing_from,
};

/// A call, ready to be sent as often as needed.
pub(super) struct Call<'c> {
    pub(super) method: &'static str,
    pub(super) message: Bytes,
    /// Under which a write is applied once; reads have none.
    pub(super) request_id: Option<RequestId>,
    pub(super) deadline: Option<Instant>,
    pub(super) cancellation: Option<&'c Cancellation>,
    pub(super) stages: &'c StageClock,
}

/// How an attempt failed.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) how: How,
}

/// How far an attempt came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// No byte of it was sent.
    NotSent,
    /// The connection, made before this call, broke.
    BrokeOld,
    /// The connection broke.
    Broke,
    /// The server answered.
    Answered,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            error,
            how: How::Answered,
        }
    }
}

/// Sends a call once.
pub(super) async fn attempt(client: &Client, call: &Call<'_>) -> Result<Response, Failure> {
    let connection = &client.connection;
    let mut line = line(connection).await?;
    let body = Outgoing::One(Some(call.message.clone()));
    let mut request = request(
        connection,
        &client.settings,
        call.method,
        call.deadline,
        body,
    )?;
    let id = call.request_id.map(request_id_to);
    if let Some(Ok(id)) = id.map(HeaderValue::try_from) {
        request.headers_mut().insert(&REQUEST_ID, once(id));
    }
    if client.settings.shares_clock {
        stamp_to(request.headers_mut(), &SENT);
    }
    let answered = match line.sender.send_request(request).await {
        Ok(response) => answer(connection, &client.settings, call, response).await,
        Err(error) => Err(broken(connection, &line, &error)),
    };
    if answered
        .as_ref()
        .is_err_and(|failure| failure.how != How::Answered)
    {
        connection.give_up(line.number).await;
    }
    answered
}

/// A way to send.
pub(super) async fn line(connection: &Connection) -> Result<Line, Failure> {
    connection.line().await.map_err(|error| Failure {
        error,
        how: How::NotSent,
    })
}

/// The head of a request.
pub(super) fn request(
    connection: &Connection,
    settings: &Settings,
    method: &str,
    deadline: Option<Instant>,
    body: Outgoing,
) -> Result<Request<Outgoing>, Failure> {
    let scheme = if connection.target.tls {
        "https"
    } else {
        "http"
    };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(connection.target.authority.clone())
        .path_and_query(format!("{SERVICE}{method}"))
        .build()
        .map_err(|error| Error::internal(error.to_string()))?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, GRPC.clone());
    let agent = concat!("nearfield/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        if let Ok(left) = HeaderValue::try_from(timeout_to(left)) {
            headers.insert(&TIMEOUT, once(left));
        }
    }
    if let Some(key) = &settings.api_key {
        let mut key = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| Error::invalid("the key has characters that no key has"))?;
        key.set_sensitive(true);
        headers.insert(AUTHORIZATION, key);
    }
    Ok(request)
}

/// The failure of a connection that broke.
pub(super) fn broken(connection: &Connection, line: &Line, error: &hyper::Error) -> Failure {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    Failure {
        error: Error::new(
            ErrorKind::Unavailable,
            format!(
                "the connection to {} broke: {error}{}",
                connection.target,
                cause.unwrap_or_default()
            ),
        ),
        how: if line.is_old {
            How::BrokeOld
        } else {
            How::Broke
        },
    }
}

async fn answer(
    connection: &Connection,
    settings: &Settings,
    call: &Call<'_>,
    response: http::Response<Incoming>,
) -> Result<Response, Failure> {
    let start = Instant::now();
    let (head, mut body) = response.into_parts();
    check_head(connection, head.status, &head.headers)?;
    timing_from(&head.headers, call.stages);
    let mut deframer = Deframer::new(settings.answer_bytes_max);
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure {
            error: Error::new(
                ErrorKind::Unavailable,
                format!("the connection to {} broke: {error}", connection.target),
            ),
            how: How::Broke,
        })?;
        match frame.into_data() {
            Ok(piece) => deframer.push(piece),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let message = deframer.next()?;
    let left = stamp_from(&head.headers, &LEFT);
    let time = left.map_or_else(|| start.elapsed(), Stamp::elapsed);
    call.stages.add(Stage::Receive, time);
    check_status(connection, trailers.as_ref())?;
    let message = message.filter(|_| deframer.is_empty());
    let message = message.ok_or_else(|| nonsense(connection, "its answer is not one message"))?;
    let decode = || decode_response(call.method, message);
    call.stages
        .time(Stage::ClientDecode, decode)
        .map_err(|error| nonsense(connection, error.message()).into())
}

/// Fails unless the head is one of an answer that this program understands.
pub(super) fn check_head(
    connection: &Connection,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<()> {
    let target = &connection.target;
    if status != StatusCode::OK || !is_grpc(headers) {
        return Err(from_http(connection, status));
    }
    match headers.get(&WIRE_HEADER) {
        Some(version) if version == WIRE => {}
        Some(version) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{target} speaks version {} of the wire and this program version {WIRE}; use two of one version",
                    String::from_utf8_lossy(version.as_bytes())
                ),
            ));
        }
        None => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{target} speaks gRPC, but is no Nearfield server{}",
                    reason(headers)
                ),
            ));
        }
    }
    match Status::from_header_map(headers) {
        Some(status) if status.code() != Code::Ok => Err(from_status(&status)),
        _ => Ok(()),
    }
}

/// What a status says, for a message.
fn reason(headers: &HeaderMap) -> String {
    match Status::from_header_map(headers) {
        Some(status) => format!(" ({}: {})", status.code(), status.message()),
        None => String::new(),
    }
}

fn check_status(connection: &Connection, trailers: Option<&HeaderMap>) -> Result<()> {
    match trailers.and_then(Status::from_header_map) {
        Some(status) if status.code() == Code::Ok => Ok(()),
        Some(status) => Err(from_status(&status)),
        None => Err(nonsense(connection, "its answer has no status")),
    }
}

/// The error of an answer that is not gRPC.
fn from_http(connection: &Connection, status: StatusCode) -> Error {
    let target = &connection.target;
    let (kind, what) = match status {
        StatusCode::UNAUTHORIZED => (ErrorKind::Unauthenticated, "wants a valid key"),
        StatusCode::FORBIDDEN => (ErrorKind::Forbidden, "does not allow this"),
        StatusCode::PAYLOAD_TOO_LARGE => (ErrorKind::TooLarge, "takes less per request"),
        StatusCode::TOO_MANY_REQUESTS => (ErrorKind::Overloaded, "has too much to do"),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            (ErrorKind::Unavailable, "cannot answer at present")
        }
        _ => (
            ErrorKind::Unsupported,
            "is no Nearfield server, or one without gRPC",
        ),
    };
    Error::new(kind, format!("{target} {what} (HTTP status {status})"))
}

pub(super) fn nonsense(connection: &Connection, what: &str) -> Error {
    Error::internal(format!("{} answers nonsense: {what}", connection.target))
}
