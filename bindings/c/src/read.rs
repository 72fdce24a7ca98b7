//! Reading points by id and page by page, and counting them.

use std::ffi::c_char;

use client::{Cursor, Filter};

use crate::collection::nf_collection;
use crate::handle::{self, find};
use crate::ids::nf_ids;
use crate::memory::{self, Grows, out, text_or_none};
use crate::results::nf_results;
use crate::status::{guard, nf_status};

/// Settings of nf_get(). Start from NF_GET_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_get_options {
    /// sizeof(nf_get_options).
    pub size: usize,
    /// Not 0: points come without their vectors.
    pub without_vectors: u8,
    /// Not 0: points come without their metadata.
    pub without_metadata: u8,
    /// Must be 0.
    pub reserved: [u8; 6],
}

// SAFETY: `repr(C)`, the size first, and nothing but numbers.
unsafe impl Grows for nf_get_options {
    const NAME: &'static str = "options";
}

/// Settings of nf_scan(). Start from NF_SCAN_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_scan_options {
    /// sizeof(nf_scan_options).
    pub size: usize,
    /// Points per page, 1 to 10,000; 0 for 1,000.
    pub limit: u32,
    /// Not 0: points come with their vectors.
    pub with_vectors: u8,
    /// Not 0: points come without their metadata.
    pub without_metadata: u8,
    /// Must be 0.
    pub reserved: [u8; 2],
    /// Where the page begins: nf_results_cursor() of the page before; 0 for the first page.
    pub cursor: u64,
    /// Reads only points that match; see nf_search_options. NULL for all.
    pub filter: *const c_char,
}

// SAFETY: `repr(C)`, the size first, and nothing but numbers and raw pointers.
unsafe impl Grows for nf_scan_options {
    const NAME: &'static str = "options";
}

/// Reads points by id. `options` may be NULL. `results` receives the handle: one list with a point
/// per id, in their order; of an id that is not there the kind is NF_ID_MISSING.
///
/// Errors: NF_TOO_LARGE over 1,048,576 ids; NF_NOT_FOUND if the collection was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_get(
    collection: *mut nf_collection,
    ids: *const nf_ids,
    options: *const nf_get_options,
    results: *mut *mut nf_results,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (ids, options, results) = unsafe {
            let options = memory::options(options)?;
            (
                memory::one(ids, "ids")?.read()?,
                options,
                out(results, "results")?,
            )
        };
        let mut call = collection.0.get(ids);
        if let Some(options) = options {
            call = call
                .with_vectors(options.without_vectors == 0)
                .with_metadata(options.without_metadata == 0);
        }
        let got = nf_results::of_get(call.run()?.points);
        results.set(handle::open(got));
        Ok(())
    })
}

/// Reads all points, page by page, in an order that stays the same. `options` may be NULL.
/// `results` receives the handle: one list; nf_results_cursor() tells where the next page begins.
///
/// Errors: NF_INVALID_ARGUMENT for a filter that cannot be read; NF_NOT_FOUND if the collection
/// was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_scan(
    collection: *mut nf_collection,
    options: *const nf_scan_options,
    results: *mut *mut nf_results,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (options, filter, results) = unsafe {
            let options = memory::options(options)?;
            let filter =
                options.map_or(std::ptr::null(), |options: nf_scan_options| options.filter);
            let filter = text_or_none(filter, "filter")?;
            (options, filter, out(results, "results")?)
        };
        let mut call = collection.0.scan();
        if let Some(options) = options {
            call = call
                .with_vectors(options.with_vectors != 0)
                .with_metadata(options.without_metadata == 0);
            if options.limit > 0 {
                call = call.limit(options.limit as usize);
            }
            if options.cursor > 0 {
                call = call.cursor(Some(Cursor(options.cursor)));
            }
        }
        if let Some(filter) = filter {
            call = call.filter(Filter::parse(filter)?);
        }
        let scanned = call.run()?;
        let page = nf_results::of_scan(scanned.points, scanned.next);
        results.set(handle::open(page));
        Ok(())
    })
}

/// Counts the points that match `filter`, or all if it is NULL. `count` receives the number.
///
/// Errors: NF_INVALID_ARGUMENT for a filter that cannot be read; NF_NOT_FOUND if the collection
/// was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_count(
    collection: *mut nf_collection,
    filter: *const c_char,
    count: *mut u64,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (filter, count) = unsafe { (text_or_none(filter, "filter")?, out(count, "count")?) };
        let mut call = collection.0.count();
        if let Some(filter) = filter {
            call = call.filter(Filter::parse(filter)?);
        }
        count.set(call.run()?.count);
        Ok(())
    })
}
