//! Responses that are no answer: problems (RFC 9457), other versions, other servers.

use nearfield_model::{Error, ErrorKind};
use serde::Deserialize;

/// The number of the wire that this client speaks.
pub(super) const WIRE: &str = "1";

#[derive(Deserialize)]
struct Problem {
    kind: Option<String>,
    title: Option<String>,
    detail: Option<String>,
    row: Option<usize>,
    field: Option<String>,
}

/// The error that a problem's body tells. A kind of a later version becomes `Internal`, named in
/// the message.
pub(super) fn read(status: u16, body: &[u8]) -> Error {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Error::new(
            kind_of(status),
            format!("the server answered with status {status}"),
        );
    };
    let message = problem
        .detail
        .or(problem.title)
        .unwrap_or_else(|| format!("the server answered with status {status}"));
    let mut error = match &problem.kind {
        Some(name) => match ErrorKind::parse(name) {
            Some(kind) => Error::new(kind, message),
            None => Error::internal(format!("{name}: {message}")),
        },
        None => Error::new(kind_of(status), message),
    };
    if let Some(row) = problem.row {
        error = error.at_row(row);
    }
    if let Some(field) = problem.field {
        error = error.in_field(field);
    }
    error
}

/// What a status means where nothing else tells.
fn kind_of(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::DeadlineExceeded,
        413 | 431 => ErrorKind::TooLarge,
        429 => ErrorKind::Overloaded,
        502 | 503 => ErrorKind::Unavailable,
        400..500 => ErrorKind::InvalidArgument,
        _ => ErrorKind::Internal,
    }
}

/// The error for a server that does not speak this client's wire.
pub(super) fn other_server(wire: Option<&str>, status: u16) -> Error {
    match wire {
        // A proxy in front of a server that is away.
        None if matches!(status, 502..=504) => Error::new(
            ErrorKind::Unavailable,
            format!("what stands before the server answered with status {status}"),
        ),
        None => not_nearfield(&format!(
            "its status is {status}, without a nearfield-wire header"
        )),
        Some(theirs) => Error::new(
            ErrorKind::Unsupported,
            format!(
                "the server speaks wire {theirs:?} and this client speaks wire {WIRE:?}; update \
                 the older of the two"
            ),
        ),
    }
}

/// The error for an answer that no Nearfield server gives.
pub(super) fn not_nearfield(why: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("this is not a Nearfield server: {why}; check host, port, and http against https"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_become_errors_with_row_and_field() {
        let body = br#"{"type": "x", "title": "t", "status": 400, "detail": "no number",
            "kind": "invalid_argument", "row": 3, "field": "vectors", "more": {}}"#;
        let expected = Error::invalid("no number").at_row(3).in_field("vectors");
        assert_eq!(read(400, body), expected);
    }

    #[test]
    fn unknown_kinds_and_bodies_are_told() {
        let error = read(418, br#"{"kind": "teapot", "detail": "short"}"#);
        assert_eq!(error, Error::internal("teapot: short"));
        assert_eq!(read(503, b"<html>").kind(), ErrorKind::Unavailable);
        assert_eq!(read(413, b"{}").kind(), ErrorKind::TooLarge);
    }
}
