//! Errors as a status of gRPC: the kind chooses the code, and kind, row and field travel in
//! `nearfield-error-bin`.

use nearfield_model::{Error, ErrorKind};
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::proto;

const DETAILS: &str = "nearfield-error-bin";

/// Bytes of a status's message, at most: it travels as a header.
const MESSAGE_BYTES_MAX: usize = 4096;

fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::TooLarge | ErrorKind::OutOfMemory => Code::ResourceExhausted,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Forbidden => Code::PermissionDenied,
        ErrorKind::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Locked | ErrorKind::WritesStopped => Code::FailedPrecondition,
        ErrorKind::Corruption => Code::DataLoss,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::Overloaded | ErrorKind::Unavailable => Code::Unavailable,
        _ => Code::Internal,
    }
}

/// The kind of a status that no Nearfield made.
#[cfg(feature = "client")]
fn kind(code: Code) -> ErrorKind {
    match code {
        Code::InvalidArgument | Code::OutOfRange => ErrorKind::InvalidArgument,
        Code::NotFound => ErrorKind::NotFound,
        Code::AlreadyExists => ErrorKind::AlreadyExists,
        Code::ResourceExhausted => ErrorKind::TooLarge,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::PermissionDenied => ErrorKind::Forbidden,
        Code::DeadlineExceeded => ErrorKind::DeadlineExceeded,
        Code::Cancelled => ErrorKind::Cancelled,
        Code::DataLoss => ErrorKind::Corruption,
        Code::Unimplemented => ErrorKind::Unsupported,
        Code::Unavailable => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}

/// The error as a message.
pub(crate) fn to_message(error: &Error) -> proto::Error {
    proto::Error {
        kind: error.kind().as_str().to_owned(),
        message: error.message().to_owned(),
        row: error.row().map(|row| row as u64),
        field: error.field().map(str::to_owned),
    }
}

/// The error of a message. A kind of a later version becomes `Internal`, named in the message.
#[cfg(feature = "client")]
pub(crate) fn from_message(message: proto::Error) -> Error {
    let mut error = match ErrorKind::parse(&message.kind) {
        Some(kind) => Error::new(kind, message.message),
        None => Error::internal(format!("{}: {}", message.kind, message.message)),
    };
    if let Some(row) = message.row {
        error = error.at_row(usize::try_from(row).unwrap_or(usize::MAX));
    }
    if let Some(field) = message.field {
        error = error.in_field(field);
    }
    error
}

/// The error as a status.
pub(crate) fn to_status(error: &Error) -> Status {
    let mut details = to_message(error);
    let mut message = std::mem::take(&mut details.message);
    message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
    let mut metadata = MetadataMap::new();
    metadata.insert_bin(DETAILS, MetadataValue::from_bytes(&details.encode_to_vec()));
    Status::with_metadata(code(error.kind()), message, metadata)
}

/// The error of a status.
#[cfg(feature = "client")]
pub(crate) fn from_status(status: &Status) -> Error {
    let details = status.metadata().get_bin(DETAILS);
    let details = details
        .and_then(|details| details.to_bytes().ok())
        .and_then(|details| proto::Error::decode(details).ok());
    match details {
        Some(details) => from_message(proto::Error {
            message: status.message().to_owned(),
            ..details
        }),
        None => Error::new(
            kind(status.code()),
            format!("{}: {}", status.code(), status.message()),
        ),
    }
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    #[test]
    fn every_error_comes_back_from_its_status_as_it_was() {
        for kind in ErrorKind::ALL {
            let plain = Error::new(kind, "a message: \u{e4}\n\"%\"");
            for error in [
                plain.clone(),
                plain.clone().at_row(0),
                plain.clone().in_field("a.\u{e4}\0b"),
                plain.at_row(7).in_field("ids"),
            ] {
                let mut headers = http::HeaderMap::new();
                to_status(&error).add_header(&mut headers).unwrap();
                let status = Status::from_header_map(&headers).unwrap();
                assert_eq!(from_status(&status), error);
            }
        }
    }
}
