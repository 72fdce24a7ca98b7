//! Removing points, and changing their metadata.

use std::ffi::c_char;

use client::{Filter, Metadata};

use crate::collection::{durability, nf_collection};
use crate::handle::find;
use crate::ids::nf_ids;
use crate::memory::{self, out_or_none, text};
use crate::status::{guard, nf_status};

/// Removes points by id; ids that are not there are passed over.
///
/// `level` is an nf_durability. `deleted`, which may be NULL, receives how many points went.
///
/// Errors: NF_TOO_LARGE over 1,048,576 ids; NF_NOT_FOUND if the collection was dropped;
/// NF_WRITES_STOPPED if a write to disk failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_delete(
    collection: *mut nf_collection,
    ids: *const nf_ids,
    level: i32,
    deleted: *mut u64,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (ids, deleted) = unsafe {
            let deleted = out_or_none(deleted, "deleted")?;
            (memory::one(ids, "ids")?.read()?, deleted)
        };
        let call = collection.0.delete(ids).durability(durability(level)?);
        let count = call.run()?.deleted;
        deleted.into_iter().for_each(|place| place.set(count));
        Ok(())
    })
}

/// Removes the points that match `filter`, such as "year < 1960"; see nf_search_options.
///
/// `level` is an nf_durability. `deleted`, which may be NULL, receives how many points went.
///
/// Errors: NF_INVALID_ARGUMENT for a filter that cannot be read; else as nf_delete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_delete_matching(
    collection: *mut nf_collection,
    filter: *const c_char,
    level: i32,
    deleted: *mut u64,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (filter, deleted) =
            unsafe { (text(filter, "filter")?, out_or_none(deleted, "deleted")?) };
        let call = collection.0.delete_matching(Filter::parse(filter)?);
        let count = call.durability(durability(level)?).run()?.deleted;
        deleted.into_iter().for_each(|place| place.set(count));
        Ok(())
    })
}

/// Merges `patch`, a JSON object, into the metadata of points (RFC 7396: members replace, objects
/// merge, null removes); ids that are not there are passed over.
///
/// `level` is an nf_durability. `updated`, which may be NULL, receives how many points there were.
///
/// Errors: NF_INVALID_ARGUMENT if `patch` is no JSON object; else as nf_delete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_update_metadata(
    collection: *mut nf_collection,
    ids: *const nf_ids,
    patch: *const c_char,
    level: i32,
    updated: *mut u64,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (ids, patch, updated) = unsafe {
            let updated = out_or_none(updated, "updated")?;
            (
                memory::one(ids, "ids")?.read()?,
                text(patch, "patch")?,
                updated,
            )
        };
        let patch = Metadata::parse(patch).map_err(|error| error.in_field("patch"))?;
        let call = collection.0.update_metadata(ids, patch);
        let count = call.durability(durability(level)?).run()?.updated;
        updated.into_iter().for_each(|place| place.set(count));
        Ok(())
    })
}

/// Merges `patch` into the metadata of the points that match `filter`; see nf_update_metadata().
///
/// Errors: NF_INVALID_ARGUMENT if `patch` is no JSON object or `filter` cannot be read; else as
/// nf_delete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_update_metadata_matching(
    collection: *mut nf_collection,
    filter: *const c_char,
    patch: *const c_char,
    level: i32,
    updated: *mut u64,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (filter, patch, updated) = unsafe {
            let updated = out_or_none(updated, "updated")?;
            (text(filter, "filter")?, text(patch, "patch")?, updated)
        };
        let patch = Metadata::parse(patch).map_err(|error| error.in_field("patch"))?;
        let call = collection
            .0
            .update_metadata_matching(Filter::parse(filter)?, patch);
        let count = call.durability(durability(level)?).run()?.updated;
        updated.into_iter().for_each(|place| place.set(count));
        Ok(())
    })
}
