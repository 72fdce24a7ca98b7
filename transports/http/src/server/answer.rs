//! Responses: their headers, and bodies that give their share of the budget back when they have
//! left.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SERVER, VARY,
    WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use nearfield_model::{Error, ErrorKind, Share, Stage, StageClock, Stamp, server_timing};

use super::media::Coding;
use super::problem;

const SERVER_NAME: HeaderValue =
    HeaderValue::from_static(concat!("nearfield/", env!("CARGO_PKG_VERSION")));
const WIRE: HeaderName = HeaderName::from_static("nearfield-wire");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const LEFT: HeaderName = HeaderName::from_static("nearfield-left-ns");
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The stages that a server sees, beside `send` where the sender shares its clock.
const STAGES: [Stage; 5] = [
    Stage::Send,
    Stage::Decode,
    Stage::Queue,
    Stage::Engine,
    Stage::Encode,
];

/// Those that are told of: without a shared clock the server does not know how long bytes travelled.
fn told(stages: &StageClock) -> &'static [Stage] {
    match stages.get(Stage::Send).is_zero() {
        true => &STAGES[1..],
        false => &STAGES,
    }
}

/// Bytes with what they hold of the budget.
struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of a response.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it.
    Whole(Option<Bytes>),
    /// What another door on this port answers.
    Routed(axum::body::Body),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Routed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(bytes) => bytes.is_none(),
            Body::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Body::Routed(body) => body.size_hint(),
        }
    }
}

/// A response with what all responses bear.
pub(crate) fn respond(
    status: StatusCode,
    media_type: &'static str,
    bytes: impl Into<Bytes>,
    share: Option<Share>,
    stages: &StageClock,
) -> Response<Body> {
    let bytes = bytes.into();
    let bytes = match share {
        Some(share) => Bytes::from_owner(Held {
            bytes,
            _share: share,
        }),
        None => bytes,
    };
    let body = Some(bytes).filter(|bytes| !bytes.is_empty());
    let mut response = Response::new(Body::Whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(timing) = HeaderValue::try_from(server_timing(stages, told(stages))) {
        headers.insert(SERVER_TIMING, timing);
    }
    mark(&mut response);
    response
}

/// Marks a response as this server's.
pub(crate) fn mark(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(SERVER, SERVER_NAME);
    headers.insert(WIRE, HeaderValue::from_static("1"));
}

/// Says when a response leaves.
pub(crate) fn leave(response: &mut Response<Body>) {
    if let Ok(now) = HeaderValue::try_from(Stamp::now().to_string()) {
        response.headers_mut().insert(LEFT, now);
    }
}

/// A response that is an error; `status` where the kind's own is not right.
pub(crate) fn refuse(
    error: &Error,
    status: Option<StatusCode>,
    stages: &StageClock,
) -> Response<Body> {
    let status = status.unwrap_or_else(|| problem::status(error.kind()));
    let body = problem::body(error, status);
    let mut response = respond(status, "application/problem+json", body, None, stages);
    let headers = response.headers_mut();
    if matches!(error.kind(), ErrorKind::Overloaded | ErrorKind::Unavailable) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    if error.kind() == ErrorKind::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Says which methods a path takes.
pub(crate) fn allow(response: &mut Response<Body>, methods: &str) {
    if let Ok(methods) = HeaderValue::from_str(methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
}

/// Says how the body is compressed.
pub(crate) fn encoded(response: &mut Response<Body>, coding: Coding) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
}
