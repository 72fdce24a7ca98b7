//! Errors as JSON: `{"error": {"kind": "not_found", "message": "…", "row": 1, "field": "ids"}}`.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

#[derive(Serialize, Deserialize)]
struct Envelope<'t> {
    #[serde(borrow)]
    error: Body<'t>,
}

#[derive(Serialize, Deserialize)]
struct Body<'t> {
    kind: std::borrow::Cow<'t, str>,
    message: std::borrow::Cow<'t, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<std::borrow::Cow<'t, str>>,
}

/// Writes an error.
pub fn error_to_json(error: &Error) -> String {
    let envelope = Envelope {
        error: Body {
            kind: error.kind().as_str().into(),
            message: error.message().into(),
            row: error.row(),
            field: error.field().map(Into::into),
        },
    };
    // Strings and a number always become JSON.
    serde_json::to_string(&envelope).unwrap_or_default()
}

/// Reads an error. A kind of a later version becomes `Internal`, named in the message.
///
/// # Errors
/// `InvalidArgument` if the text is not an error's JSON.
pub fn error_from_json(text: &str) -> Result<Error> {
    let Envelope { error: body } = serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("this is not an error's JSON: {error}")))?;
    let mut error = match ErrorKind::parse(&body.kind) {
        Some(kind) => Error::new(kind, body.message),
        None => Error::internal(format!("{}: {}", body.kind, body.message)),
    };
    if let Some(row) = body.row {
        error = error.at_row(row);
    }
    if let Some(field) = body.field {
        error = error.in_field(field);
    }
    Ok(error)
}
