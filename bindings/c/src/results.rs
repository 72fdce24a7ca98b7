//! `nf_results`: points that a search, a get or a scan found, in memory of the library.

use std::ffi::c_char;
use std::ops::Range;

use client::{Cursor, Error, Hit, Id, IdRef, Metadata, Point, Result};

use crate::handle::{self, find, opens};
use crate::memory::out;
use crate::status::{guard, guard_or, nf_status};

/// Points that were found: a list per query vector of a search, one list of a get or a scan. Free
/// them with nf_results_free(), which also takes the memory that nf_point leads to.
pub struct nf_results {
    lists: Vec<Vec<Held>>,
    /// Ids and metadata, each with a NUL behind it.
    texts: String,
    next: u64,
}

opens!(nf_results, 0xf1, "results");

struct Held {
    kind: nf_id_kind,
    number: u64,
    text: Range<usize>,
    metadata: Option<Range<usize>>,
    vector: Option<Vec<f32>>,
    score: f32,
}

/// What the id of a point is.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum nf_id_kind {
    /// There is no point of the id that nf_get() was asked for.
    NF_ID_MISSING = 0,
    /// A number.
    NF_ID_NUMBER = 1,
    /// A UUID; its text is the canonical form.
    NF_ID_UUID = 2,
    /// Another text.
    NF_ID_TEXT = 3,
}

/// A point that was found. What its pointers lead to is valid until the results are freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_point {
    /// What the id is: an nf_id_kind.
    pub kind: i32,
    /// Of a hit how near it is, see nf_metric; 0 for others.
    pub score: f32,
    /// The id if it is a number, else 0.
    pub number: u64,
    /// The id if it is a text or a UUID, else NULL. Ends with NUL.
    pub text: *const c_char,
    /// Bytes of the text.
    pub text_length: usize,
    /// The vector, or NULL if it was not asked for.
    pub vector: *const f32,
    /// Components of the vector.
    pub dimension: usize,
    /// The metadata as a JSON object, or NULL if there is none or it was not asked for. Ends with
    /// NUL.
    pub metadata: *const c_char,
    /// Bytes of the metadata.
    pub metadata_length: usize,
}

impl nf_results {
    pub(crate) fn of_search(found: Vec<Vec<Hit>>) -> nf_results {
        let mut results = nf_results::empty();
        for hits in found {
            let held = hits.into_iter().map(|hit| {
                let held = results.hold(hit.id.as_ref(), hit.vector, hit.metadata.as_ref());
                Held {
                    score: hit.score,
                    ..held
                }
            });
            let held = held.collect();
            results.lists.push(held);
        }
        results
    }

    pub(crate) fn of_get(points: Vec<Option<Point>>) -> nf_results {
        let mut results = nf_results::empty();
        let held = points.into_iter().map(|point| match point {
            Some(point) => results.hold(point.id.as_ref(), point.vector, point.metadata.as_ref()),
            None => MISSING,
        });
        let held = held.collect();
        results.lists.push(held);
        results
    }

    pub(crate) fn of_scan(points: Vec<Point>, next: Option<Cursor>) -> nf_results {
        let points = points.into_iter().map(Some).collect();
        nf_results {
            next: next.map_or(0, |cursor| cursor.0),
            ..nf_results::of_get(points)
        }
    }

    fn empty() -> nf_results {
        nf_results {
            lists: Vec::new(),
            texts: String::new(),
            next: 0,
        }
    }

    fn hold(
        &mut self,
        id: IdRef<'_>,
        vector: Option<Vec<f32>>,
        metadata: Option<&Metadata>,
    ) -> Held {
        let (kind, number, text) = match id {
            IdRef::U64(number) => (nf_id_kind::NF_ID_NUMBER, number, 0..0),
            IdRef::Uuid(_) => (nf_id_kind::NF_ID_UUID, 0, self.keep(&id.to_string())),
            IdRef::String(text) => (nf_id_kind::NF_ID_TEXT, 0, self.keep(text)),
        };
        Held {
            kind,
            number,
            text,
            metadata: metadata.map(|metadata| self.keep(metadata.as_str())),
            vector,
            score: 0.0,
        }
    }

    fn keep(&mut self, text: &str) -> Range<usize> {
        let start = self.texts.len();
        self.texts.push_str(text);
        self.texts.push('\0');
        start..start + text.len()
    }

    fn show(&self, held: &Held) -> nf_point {
        let start = |range: &Range<usize>| self.texts[range.start..].as_ptr().cast();
        let has_text = matches!(held.kind, nf_id_kind::NF_ID_UUID | nf_id_kind::NF_ID_TEXT);
        let vector = held.vector.as_deref();
        nf_point {
            kind: held.kind as i32,
            score: held.score,
            number: held.number,
            text: if has_text {
                start(&held.text)
            } else {
                std::ptr::null()
            },
            text_length: held.text.len(),
            vector: vector.map_or(std::ptr::null(), <[f32]>::as_ptr),
            dimension: vector.map_or(0, <[f32]>::len),
            metadata: held.metadata.as_ref().map_or(std::ptr::null(), start),
            metadata_length: held.metadata.as_ref().map_or(0, Range::len),
        }
    }
}

const MISSING: Held = Held {
    kind: nf_id_kind::NF_ID_MISSING,
    number: 0,
    text: 0..0,
    metadata: None,
    vector: None,
    score: 0.0,
};

/// How many lists there are: one per query vector of a search, one for a get or a scan. 0 for a
/// handle that is not open, which is noted as the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_results_lists(results: *mut nf_results) -> usize {
    guard_or(0, || Ok(find(results)?.lists.len()))
}

/// How many points a list has; of a get one per id that was asked for. 0 for a list that is not
/// there and a handle that is not open, which is noted as the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_results_count(results: *mut nf_results, list: usize) -> usize {
    guard_or(0, || {
        let results = find(results)?;
        let points = results.lists.get(list);
        points.map(Vec::len).ok_or_else(|| beyond("list", list))
    })
}

/// Reads the point at `position` of a list, both counted from 0. `point` receives it.
///
/// Errors: NF_INVALID_ARGUMENT beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_results_point(
    results: *mut nf_results,
    list: usize,
    position: usize,
    point: *mut nf_point,
) -> nf_status {
    guard(|| {
        let results = find(results)?;
        // SAFETY: the caller's promise, as the head of the header says it.
        let point = unsafe { out(point, "point") }?;
        let points = results.lists.get(list);
        let points = points.ok_or_else(|| beyond("list", list))?;
        let held = points.get(position);
        point.set(results.show(held.ok_or_else(|| beyond("position", position))?));
        Ok(())
    })
}

/// Where the next page of a scan begins, for the options of nf_scan(). 0 after the last page, and
/// for a handle that is not open, which is noted as the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_results_cursor(results: *mut nf_results) -> u64 {
    guard_or(0, || Ok(find(results)?.next))
}

/// Gives results back, with all memory that their points led to.
///
/// Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_results_free(results: *mut nf_results) -> nf_status {
    handle::free(results)
}

fn beyond(what: &'static str, number: usize) -> Error {
    Error::invalid(format!("there is no {what} {number}")).in_field(what)
}

/// Hits whose ids are not all numbers.
pub(crate) fn refuse_texts(found: &[Vec<Hit>]) -> Result<()> {
    let is_text = |hit: &&Hit| !matches!(hit.id, Id::U64(_));
    match found.iter().flatten().find(is_text) {
        Some(hit) => Err(Error::new(
            client::ErrorKind::Unsupported,
            format!("the id {} of a hit is no number; use nf_search", hit.id),
        )
        .in_field("ids")),
        None => Ok(()),
    }
}
