//! Answers that are not the model's: probes, metrics, and the description of the server.

use std::sync::OnceLock;

use bytes::Bytes;
use http_body::Body as _;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ALLOW, CONTENT_LENGTH, HeaderValue,
};
use hyper::{Response, StatusCode};
use nearfield_model::{Error, ErrorKind, Result, Share, StageClock};

use super::answer::{self, Body};
use super::door::Door;
use super::metrics;
use super::openapi;
use super::reference;
use super::routes::Target;

/// Answers a route that is no verb's.
pub(crate) fn answer(door: &Door, target: Target, stages: &StageClock) -> Result<Response<Body>> {
    let mut share = None;
    let (media_type, bytes) = match target {
        Target::Metrics => {
            let bytes = Bytes::from(metrics::write(door));
            share.insert(Share::new(&door.budget)).grow(bytes.len())?;
            ("text/plain; version=0.0.4", bytes)
        }
        Target::Ready if !door.limited.is_ready() => {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the store is not open; retry in a moment",
            ));
        }
        Target::OpenApi => (
            "application/json",
            description(door.admission.has_keys()).clone(),
        ),
        Target::Reference => ("text/html; charset=utf-8", reference().clone()),
        _ => (
            "application/json",
            Bytes::from_static(br#"{"status":"ok"}"#),
        ),
    };
    Ok(answer::respond(
        StatusCode::OK,
        media_type,
        bytes,
        share,
        stages,
    ))
}

/// The OpenAPI description, written once: it takes longer than most calls.
fn description(has_keys: bool) -> &'static Bytes {
    static WRITTEN: [OnceLock<Bytes>; 2] = [OnceLock::new(), OnceLock::new()];
    let written = || Bytes::from(openapi::document(has_keys).to_string());
    WRITTEN[usize::from(has_keys)].get_or_init(written)
}

/// The reference page, written once.
fn reference() -> &'static Bytes {
    static WRITTEN: OnceLock<Bytes> = OnceLock::new();
    WRITTEN.get_or_init(|| Bytes::from(reference::html()))
}

/// Answers `OPTIONS`: what a path takes, for browsers that ask before they send.
pub(crate) fn options(methods: &str, stages: &StageClock) -> Response<Body> {
    let mut response = answer::respond(
        StatusCode::NO_CONTENT,
        "text/plain",
        Vec::new(),
        None,
        stages,
    );
    let headers = response.headers_mut();
    if let Ok(methods) = HeaderValue::from_str(methods) {
        headers.insert(ALLOW, methods.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "accept, api-key, authorization, content-encoding, content-type, \
             nearfield-request-id, nearfield-timeout-ms",
        ),
    );
    response
}

/// What a HEAD is answered with.
pub(crate) fn without_body(response: Response<Body>) -> Response<Body> {
    let bytes = response.body().size_hint().exact().unwrap_or_default();
    let mut response = response.map(|_| Body::Whole(None));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    response
}
