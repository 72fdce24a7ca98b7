//! The one public error: what went wrong, where, and what to do next.

use std::fmt;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the few kinds that call for different next moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request breaks a rule of the model. Correct it; sending it again fails again.
    InvalidArgument,
    /// The named collection does not exist. Create it, or correct the name.
    NotFound,
    /// A collection of this name exists. Open it, or choose another name.
    AlreadyExists,
    /// The request is over a limit of [`crate::limits`]. Send less per request.
    TooLarge,
    /// The caller is unknown. Send a valid key.
    Unauthenticated,
    /// The caller may not do this. Use a key with the right that the message names.
    Forbidden,
    /// The deadline passed before the answer. A write may or may not have been
    /// applied: retry it with the same request id.
    DeadlineExceeded,
    /// The caller cancelled. As for a passed deadline, a write may have been applied.
    Cancelled,
    /// Another process holds the path. The message names it.
    Locked,
    /// The store's files cannot be read or written (permission, not a store, a
    /// full disk). The message names the file.
    Storage,
    /// A write to disk failed, so this store takes no more writes until it is
    /// opened again; reads go on.
    WritesStopped,
    /// A file's content is not what was written. Nothing of it is served; run
    /// `nearfield doctor` on the path, or restore a snapshot.
    Corruption,
    /// The file, wire or option belongs to another version. Update this program,
    /// or use the version that the message names.
    Unsupported,
    /// The memory budget would be exceeded. Raise it, or delete and compact.
    OutOfMemory,
    /// Too much work is under way. Wait and retry.
    Overloaded,
    /// The store cannot be reached or is closing. Retry.
    Unavailable,
    /// A defect of this program. Report it.
    Internal,
}

impl ErrorKind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [ErrorKind; 17] = [
        ErrorKind::InvalidArgument,
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::TooLarge,
        ErrorKind::Unauthenticated,
        ErrorKind::Forbidden,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Cancelled,
        ErrorKind::Locked,
        ErrorKind::Storage,
        ErrorKind::WritesStopped,
        ErrorKind::Corruption,
        ErrorKind::Unsupported,
        ErrorKind::OutOfMemory,
        ErrorKind::Overloaded,
        ErrorKind::Unavailable,
        ErrorKind::Internal,
    ];

    /// The kind's stable name on every wire, such as `invalid_argument`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::InvalidArgument => "invalid_argument",
            ErrorKind::NotFound => "not_found",
            ErrorKind::AlreadyExists => "already_exists",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::DeadlineExceeded => "deadline_exceeded",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::Locked => "locked",
            ErrorKind::Storage => "storage",
            ErrorKind::WritesStopped => "writes_stopped",
            ErrorKind::Corruption => "corruption",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::OutOfMemory => "out_of_memory",
            ErrorKind::Overloaded => "overloaded",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Internal => "internal",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        ErrorKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    /// Whether the same request may succeed later without being changed.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            ErrorKind::DeadlineExceeded | ErrorKind::Overloaded | ErrorKind::Unavailable
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong: a [kind](ErrorKind), a sentence that says what to do next,
/// and, for a request, the row and field at fault.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    message: String,
    row: Option<usize>,
    field: Option<String>,
}

impl Error {
    /// An error of `kind`. The message is one sentence for a person, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            row: None,
            field: None,
        }))
    }

    /// Shorthand for [`ErrorKind::InvalidArgument`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidArgument, message)
    }

    /// Shorthand for [`ErrorKind::TooLarge`].
    pub fn too_large(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::TooLarge, message)
    }

    /// Shorthand for [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Internal, message)
    }

    /// Names the row of the batch at fault, counted from 0.
    pub fn at_row(mut self, row: usize) -> Self {
        self.0.row = Some(row);
        self
    }

    /// Names the field of the request at fault, such as `vectors` or `limit`.
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// The kind, which programs decide by.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence for a person, without row and field.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The row of the batch at fault, counted from 0.
    pub fn row(&self) -> Option<usize> {
        self.0.row
    }

    /// The field of the request at fault.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            message,
            row,
            field,
        } = &*self.0;
        match (field, row) {
            (Some(field), Some(row)) => write!(f, "{field}, row {row}: {message} ({kind})"),
            (Some(field), None) => write!(f, "{field}: {message} ({kind})"),
            (None, Some(row)) => write!(f, "row {row}: {message} ({kind})"),
            (None, None) => write!(f, "{message} ({kind})"),
        }
    }
}

/// The same sentence: it is what a `main` that returns an error, and `unwrap`, show a person.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_sentence() {
        let error = Error::invalid("the limit is 0").in_field("limit");
        assert_eq!(
            format!("{error:?}"),
            "limit: the limit is 0 (invalid_argument)"
        );
    }
}
