//! Answers that are not the model's: probes, metrics, and the description of the server.

use http_body::Body as _;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ALLOW, CONTENT_LENGTH, HeaderValue,
};
use hyper::{Response, StatusCode};
use nearfield_model::{Error, ErrorKind, Result, StageClock};

use super::answer::{self, Body};
use super::door::Door;
use super::metrics;
use super::openapi;
use super::reference;
use super::routes::Target;

/// Answers a route that is no verb's.
pub(crate) fn answer(door: &Door, target: Target, stages: &StageClock) -> Result<Response<Body>> {
    let (media_type, text) = match target {
        Target::Metrics => ("text/plain; version=0.0.4", metrics::write(door)),
        Target::Ready if !door.limited.is_ready() => {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the store is not open; retry in a moment",
            ));
        }
        Target::OpenApi => (
            "application/json",
            openapi::document(door.admission.has_keys()).to_string(),
        ),
        Target::Reference => ("text/html; charset=utf-8", reference::html()),
        _ => ("application/json", r#"{"status":"ok"}"#.to_owned()),
    };
    Ok(answer::respond(
        StatusCode::OK,
        media_type,
        text.into_bytes(),
        None,
        stages,
    ))
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
