//! Errors on the wire: the status of each kind, and `application/problem+json` (RFC 9457).

use hyper::StatusCode;
use nearfield_model::{Error, ErrorKind};
use serde::Serialize;

/// The status of each kind.
pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    let code = match kind {
        ErrorKind::InvalidArgument => 400,
        ErrorKind::Unauthenticated => 401,
        ErrorKind::Forbidden => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::AlreadyExists => 409,
        ErrorKind::TooLarge => 413,
        ErrorKind::Locked => 423,
        ErrorKind::Overloaded => 429,
        ErrorKind::Cancelled => 499,
        ErrorKind::Unsupported => 501,
        ErrorKind::WritesStopped | ErrorKind::Unavailable => 503,
        ErrorKind::DeadlineExceeded => 504,
        ErrorKind::OutOfMemory => 507,
        _ => 500,
    };
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The members of an error's body.
#[derive(Serialize)]
struct Problem<'e> {
    /// Relative to the server, whose reference explains the kinds.
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'e str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'e str>,
}

/// The body of an error.
pub(crate) fn body(error: &Error, status: StatusCode) -> Vec<u8> {
    let kind = error.kind().as_str();
    let problem = Problem {
        r#type: format!("/docs#{kind}"),
        title: title(status),
        status: status.as_u16(),
        detail: error.message(),
        kind,
        row: error.row(),
        field: error.field(),
    };
    // Strings and numbers always become JSON.
    serde_json::to_vec(&problem).unwrap_or_default()
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        499 => "Client Closed Request",
        _ => status.canonical_reason().unwrap_or("Error"),
    }
}
