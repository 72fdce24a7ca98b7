//! Searching.

use std::ffi::c_char;
use std::time::Duration;

use client::{Context, Filter, Found, Id, Result, Vectors};

use crate::collection::nf_collection;
use crate::handle::{self, find};
use crate::memory::{self, Grows, matrix, out, slice_mut, text_or_none};
use crate::results::{nf_results, refuse_texts};
use crate::status::{guard, nf_status};

/// Settings of searches. Start from NF_SEARCH_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_search_options {
    /// sizeof(nf_search_options).
    pub size: usize,
    /// Hits per query vector, 1 to 10,000; 0 for 10.
    pub limit: u32,
    /// The share of the true nearest that is to be found on average, 0.5 to 1; 0 for 0.95. 1
    /// compares every vector exactly.
    pub recall: f32,
    /// Finds only points that match, such as "genre = 'jazz' and year >= 1960", or the same as
    /// JSON; NULL for all.
    pub filter: *const c_char,
    /// Milliseconds after which the search is given up with NF_DEADLINE_EXCEEDED; 0 for never.
    pub timeout_ms: u64,
    /// Not 0: hits hold their metadata. Not for nf_search_into().
    pub with_metadata: u8,
    /// Not 0: hits hold their vectors. Not for nf_search_into().
    pub with_vectors: u8,
    /// Must be 0.
    pub reserved: [u8; 6],
}

// SAFETY: `repr(C)`, the size first, and nothing but numbers and raw pointers.
unsafe impl Grows for nf_search_options {
    const NAME: &'static str = "options";
}

/// The hits per query vector where none are said.
const LIMIT: usize = 10;

/// Finds the points nearest to each of `count` query vectors, and writes ids and scores into
/// memory of the caller: the nearest first, ties by id.
///
/// `vectors` has `count` rows (1 to 10,000) of `dimension` components. `options` may be NULL.
/// `ids` and `scores` have room for `count` times the limit of the options; the hits of query q
/// begin at q times the limit. `counts`, which may be NULL, has room for `count` numbers and
/// receives how many hits each query has; what lies behind them is left as it was.
///
/// Errors: NF_INVALID_ARGUMENT for vectors of another dimension or components that are not finite
/// (nf_last_error_row() tells the query), and for a filter that cannot be read; NF_UNSUPPORTED if
/// a hit's id is no number: use nf_search(); NF_NOT_FOUND if the collection was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_search_into(
    collection: *mut nf_collection,
    vectors: *const f32,
    count: usize,
    dimension: usize,
    options: *const nf_search_options,
    ids: *mut u64,
    scores: *mut f32,
    counts: *mut usize,
) -> nf_status {
    guard(|| {
        // SAFETY: the caller's promises, as the head of the header says them.
        let options = unsafe { memory::options(options) }?;
        let limit = options.map_or(0, |options: nf_search_options| options.limit);
        let limit = if limit == 0 { LIMIT } else { limit as usize };
        let room = count.saturating_mul(limit);
        // SAFETY: as above.
        let (ids, scores, counts, queries) = unsafe {
            let counts = match counts.is_null() {
                true => &mut [][..],
                false => slice_mut(counts, count, "counts")?,
            };
            let queries = matrix(vectors, count, dimension, "vectors")?;
            let scores = slice_mut(scores, room, "scores")?;
            (slice_mut(ids, room, "ids")?, scores, counts, queries)
        };
        // SAFETY: as above.
        let found = unsafe { search(collection, queries, dimension, options) }?;
        refuse_texts(&found.results)?;
        for (query, hits) in found.results.iter().enumerate() {
            let first = query * limit;
            let places = ids[first..].iter_mut().zip(&mut scores[first..]);
            for ((id, score), hit) in places.zip(hits) {
                if let Id::U64(number) = hit.id {
                    (*id, *score) = (number, hit.score);
                }
            }
            if let Some(place) = counts.get_mut(query) {
                *place = hits.len();
            }
        }
        Ok(())
    })
}

/// Finds the points nearest to each of `count` query vectors: the nearest first, ties by id.
///
/// `vectors` has `count` rows (1 to 10,000) of `dimension` components. `options` may be NULL.
/// `results` receives the handle: a list of hits per query vector.
///
/// Errors: NF_INVALID_ARGUMENT for vectors of another dimension or components that are not finite
/// (nf_last_error_row() tells the query), and for a filter that cannot be read; NF_TOO_LARGE for
/// more than 1,000,000 hits over all queries; NF_NOT_FOUND if the collection was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_search(
    collection: *mut nf_collection,
    vectors: *const f32,
    count: usize,
    dimension: usize,
    options: *const nf_search_options,
    results: *mut *mut nf_results,
) -> nf_status {
    guard(|| {
        // SAFETY: the caller's promises, as the head of the header says them.
        let (found, results) = unsafe {
            let results = out(results, "results")?;
            let queries = matrix(vectors, count, dimension, "vectors")?;
            let options = memory::options(options)?;
            (search(collection, queries, dimension, options)?, results)
        };
        results.set(handle::open(nf_results::of_search(found.results)));
        Ok(())
    })
}

/// Searches a collection for the nearest of each row of a matrix.
///
/// # Safety
/// The options' filter ends with NUL, or is NULL.
pub(crate) unsafe fn search(
    collection: *mut nf_collection,
    queries: &[f32],
    dimension: usize,
    options: Option<nf_search_options>,
) -> Result<Found> {
    let collection = find(collection)?;
    let vectors = Vectors::new(queries, dimension)?;
    let mut call = collection.0.search(vectors);
    let Some(options) = options else {
        return call.run();
    };
    if options.limit > 0 {
        call = call.limit(options.limit as usize);
    }
    if options.recall != 0.0 {
        call = call.recall(options.recall);
    }
    // SAFETY: the caller's promise.
    if let Some(filter) = unsafe { text_or_none(options.filter, "filter") }? {
        call = call.filter(Filter::parse(filter)?);
    }
    call = call
        .with_metadata(options.with_metadata != 0)
        .with_vectors(options.with_vectors != 0);
    match options.timeout_ms {
        0 => call.run(),
        timeout => call.run_with(&mut Context::with_timeout(Duration::from_millis(timeout))),
    }
}
