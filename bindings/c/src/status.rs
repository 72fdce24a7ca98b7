//! Status codes, and the error that each thread remembers.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use client::{Error, ErrorKind, Result};

/// What came of a call: 0, or the kind of error that calls for its own next move. Later versions
/// may have further kinds.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum nf_status {
    /// All is well.
    NF_OK = 0,
    /// The request breaks a rule: correct it. Also for pointers and handles that cannot be used.
    NF_INVALID_ARGUMENT = 1,
    /// The named collection does not exist: create it, or correct the name.
    NF_NOT_FOUND = 2,
    /// A collection of this name exists: open it, or choose another name.
    NF_ALREADY_EXISTS = 3,
    /// The request is over a limit: send less per request.
    NF_TOO_LARGE = 4,
    /// The caller is unknown: send a valid key.
    NF_UNAUTHENTICATED = 5,
    /// The caller may not do this: use a key with the right that the message names.
    NF_FORBIDDEN = 6,
    /// The deadline passed before the answer. A write may or may not have been applied.
    NF_DEADLINE_EXCEEDED = 7,
    /// The call was cancelled. A write may or may not have been applied.
    NF_CANCELLED = 8,
    /// Another process holds the path; the message names it.
    NF_LOCKED = 9,
    /// The store's files cannot be read or written; the message names the file.
    NF_STORAGE = 10,
    /// A write to disk failed: no more writes are taken until the store is opened again.
    NF_WRITES_STOPPED = 11,
    /// A file's content is not what was written; nothing of it is served.
    NF_CORRUPTION = 12,
    /// The file, wire or option belongs to another version, or is not built in.
    NF_UNSUPPORTED = 13,
    /// The memory budget would be exceeded: raise it, or delete and compact.
    NF_OUT_OF_MEMORY = 14,
    /// Too much work is under way: wait and retry.
    NF_OVERLOADED = 15,
    /// The store cannot be reached or is closing: retry.
    NF_UNAVAILABLE = 16,
    /// A defect of this library: report it.
    NF_INTERNAL = 17,
}

impl nf_status {
    fn of(kind: ErrorKind) -> nf_status {
        match kind {
            ErrorKind::InvalidArgument => nf_status::NF_INVALID_ARGUMENT,
            ErrorKind::NotFound => nf_status::NF_NOT_FOUND,
            ErrorKind::AlreadyExists => nf_status::NF_ALREADY_EXISTS,
            ErrorKind::TooLarge => nf_status::NF_TOO_LARGE,
            ErrorKind::Unauthenticated => nf_status::NF_UNAUTHENTICATED,
            ErrorKind::Forbidden => nf_status::NF_FORBIDDEN,
            ErrorKind::DeadlineExceeded => nf_status::NF_DEADLINE_EXCEEDED,
            ErrorKind::Cancelled => nf_status::NF_CANCELLED,
            ErrorKind::Locked => nf_status::NF_LOCKED,
            ErrorKind::Storage => nf_status::NF_STORAGE,
            ErrorKind::WritesStopped => nf_status::NF_WRITES_STOPPED,
            ErrorKind::Corruption => nf_status::NF_CORRUPTION,
            ErrorKind::Unsupported => nf_status::NF_UNSUPPORTED,
            ErrorKind::OutOfMemory => nf_status::NF_OUT_OF_MEMORY,
            ErrorKind::Overloaded => nf_status::NF_OVERLOADED,
            ErrorKind::Unavailable => nf_status::NF_UNAVAILABLE,
            // Kinds that this table does not know yet are told by their name and message.
            _ => nf_status::NF_INTERNAL,
        }
    }
}

/// The last error of a thread, as C reads it.
struct Last {
    status: nf_status,
    kind: CString,
    message: CString,
    field: Option<CString>,
    row: Option<usize>,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Does the work of one call: every function that can fail goes through here. Errors are
/// remembered for the thread, and panics end here as errors.
pub(crate) fn guard(work: impl FnOnce() -> Result<()>) -> nf_status {
    match guarded(work) {
        Ok(()) => nf_status::NF_OK,
        Err(status) => status,
    }
}

/// Does the work of a function that returns a value: `otherwise` when it fails.
pub(crate) fn guard_or<T>(otherwise: T, work: impl FnOnce() -> Result<T>) -> T {
    guarded(work).unwrap_or(otherwise)
}

fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T, nf_status> {
    // What a panic leaves half-changed is behind locks of the engine, which see to that.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(remember(&error)),
        Err(panic) => Err(remember(&Error::internal(format!(
            "a defect of this library: {}",
            panic_message(&*panic)
        )))),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}

#[cold]
fn remember(error: &Error) -> nf_status {
    let status = nf_status::of(error.kind());
    let last = Last {
        status,
        kind: text(error.kind().as_str()),
        message: text(error.message()),
        field: error.field().map(text),
        row: error.row(),
    };
    // A thread that is ending has no place for it any more.
    let _ending = LAST.try_with(|cell| cell.replace(Some(last)));
    status
}

/// The text without NULs, which would end it for C.
pub(crate) fn text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

fn last<T>(none: T, read: impl FnOnce(&Last) -> T) -> T {
    LAST.try_with(|cell| cell.borrow().as_ref().map(read))
        .ok()
        .flatten()
        .unwrap_or(none)
}

/// The status of the last call of this thread that failed; NF_OK if none did.
#[unsafe(no_mangle)]
pub extern "C" fn nf_last_error_status() -> nf_status {
    last(nf_status::NF_OK, |last| last.status)
}

/// What went wrong in the last call of this thread that failed, and what to do next: one sentence
/// for a person. Empty if none failed, never NULL. Valid until the next call of this thread fails.
#[unsafe(no_mangle)]
pub extern "C" fn nf_last_error_message() -> *const c_char {
    last(c"".as_ptr(), |last| last.message.as_ptr())
}

/// The name of the kind of the last error of this thread, such as "invalid_argument", the same as
/// on every wire. Empty if no call failed, never NULL. Valid until the next call of this thread
/// fails.
#[unsafe(no_mangle)]
pub extern "C" fn nf_last_error_kind() -> *const c_char {
    last(c"".as_ptr(), |last| last.kind.as_ptr())
}

/// The field of the request that is at fault in the last error of this thread, such as "vectors";
/// NULL if the error names none. Valid until the next call of this thread fails.
#[unsafe(no_mangle)]
pub extern "C" fn nf_last_error_field() -> *const c_char {
    last(std::ptr::null(), |last| {
        let field = last.field.as_ref();
        field.map_or(std::ptr::null(), |field| field.as_ptr())
    })
}

/// The row of the batch that is at fault in the last error of this thread, counted from 0; -1 if
/// the error names none.
#[unsafe(no_mangle)]
pub extern "C" fn nf_last_error_row() -> i64 {
    last(-1, |last| {
        last.row
            .and_then(|row| i64::try_from(row).ok())
            .unwrap_or(-1)
    })
}

/// The version of the library, such as "0.1.0". Valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn nf_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
