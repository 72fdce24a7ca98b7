//! Texts that are handed out and given back by their address, and requests as JSON.

use std::collections::HashMap;
use std::ffi::{CString, c_char};
use std::sync::{Mutex, MutexGuard, PoisonError};

use client::{Context, Error, Result};
use nearfield_model::codec::{request_from_json, response_to_json};

use crate::database::nf_database;
use crate::handle::find;
use crate::memory::{out, out_or_none, text};
use crate::status::{guard, nf_status, text as c_text};

/// The texts that callers hold, by their address: one that is given back twice, or was never
/// handed out, is told apart.
static HELD: Mutex<Option<HashMap<usize, CString>>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<HashMap<usize, CString>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hand_out(text: CString) -> *mut c_char {
    // Callers may write to it; the library does not look at it any more.
    let start = text.as_ptr().cast_mut();
    held().get_or_insert_default().insert(start.addr(), text);
    start
}

fn take_back(start: *mut c_char) -> Result<()> {
    let text = held().as_mut().and_then(|held| held.remove(&start.addr()));
    text.map(drop).ok_or_else(|| {
        Error::invalid("the text was freed, or is not of this library").in_field("text")
    })
}

/// Answers any request, written as JSON: the verb with its members, such as
/// {"count": {"collection": "docs", "filter": "year >= 1960"}}. docs/wire.md tells the members of
/// each verb; the response is {"count": {"count": 3}}.
///
/// For what has no function of its own, and for programs that have their requests as JSON.
/// `response` receives the response's text, to be freed with nf_text_free(); `length`, which may
/// be NULL, its bytes without the NUL.
///
/// Errors: NF_INVALID_ARGUMENT if `request` is no request; and those of the request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_call(
    database: *mut nf_database,
    request: *const c_char,
    response: *mut *mut c_char,
    length: *mut usize,
) -> nf_status {
    guard(|| {
        let database = find(database)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (request, response, length) = unsafe {
            let length = out_or_none(length, "length")?;
            (
                text(request, "request")?,
                out(response, "response")?,
                length,
            )
        };
        let request = request_from_json(request)?;
        let answer = database.0.send(&mut Context::default(), request)?;
        let answer = c_text(&response_to_json(&answer)?);
        if let Some(length) = length {
            length.set(answer.as_bytes().len());
        }
        response.set(hand_out(answer));
        Ok(())
    })
}

/// Gives back a text that nf_call() handed out.
///
/// Errors: NF_INVALID_ARGUMENT if it was given back before or is not of this library. NULL is
/// fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_text_free(text: *mut c_char) -> nf_status {
    guard(|| match text.is_null() {
        true => Ok(()),
        false => take_back(text),
    })
}
