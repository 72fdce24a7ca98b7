//! What a collection is, and looking after its files.

use std::ffi::c_char;

use client::Description;

use crate::collection::{nf_collection, nf_metric, nf_storage};
use crate::handle::find;
use crate::memory::{fill, out_or_none, text};
use crate::status::{guard, nf_status};

/// A collection's schema and state. Set `size` before nf_describe(), or start from
/// NF_DESCRIPTION_INIT. nf_call() with describe_collection tells more.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_description {
    /// sizeof(nf_description).
    pub size: usize,
    /// Components per vector.
    pub dimension: usize,
    /// How vectors are compared: an nf_metric.
    pub metric: i32,
    /// How components are stored: an nf_storage.
    pub storage: i32,
    /// Points.
    pub count: u64,
    /// Rows that are in no list of the index yet; searches find them all the same.
    pub unindexed: u64,
    /// The number of the last write.
    pub sequence: u64,
    /// The number of the last write that is known to be on disk.
    pub synced: u64,
    /// Bytes of the log's files.
    pub log_bytes: u64,
    /// Bytes of memory that the collection takes, about.
    pub memory_bytes: u64,
}

impl nf_description {
    fn new(description: &Description) -> nf_description {
        nf_description {
            size: size_of::<nf_description>(),
            dimension: description.dimension,
            metric: nf_metric::of(description.metric) as i32,
            storage: nf_storage::of(description.storage) as i32,
            count: description.count,
            unindexed: description.unindexed,
            sequence: description.sequence,
            synced: description.synced,
            log_bytes: description.log_bytes,
            memory_bytes: description.memory_bytes,
        }
    }
}

/// Tells a collection's schema and state. `description` receives it, as far as its `size` says.
///
/// Errors: NF_NOT_FOUND if the collection was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_describe(
    collection: *mut nf_collection,
    description: *mut nf_description,
) -> nf_status {
    guard(|| {
        let described = nf_description::new(&find(collection)?.0.describe()?);
        // SAFETY: the caller's promise; a description starts with its size and is numbers alone.
        unsafe { fill(description, &described, "description") }
    })
}

/// Makes all acknowledged writes durable: the barrier after a load with NF_OS. `sequence`, which
/// may be NULL, receives the number of the last write that is on disk for it.
///
/// Errors: NF_WRITES_STOPPED if a write to disk failed; NF_NOT_FOUND if the collection was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_flush(collection: *mut nf_collection, sequence: *mut u64) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promise, as the head of the header says it.
        let sequence = unsafe { out_or_none(sequence, "sequence") }?;
        let flushed = collection.0.flush()?.sequence;
        sequence.into_iter().for_each(|place| place.set(flushed));
        Ok(())
    })
}

/// Gives back the space of points that were removed or replaced. `bytes_before` and `bytes_after`,
/// which may be NULL, receive what the log's files took and take.
///
/// Errors: NF_STORAGE if the files cannot be written; NF_NOT_FOUND if the collection was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_compact(
    collection: *mut nf_collection,
    bytes_before: *mut u64,
    bytes_after: *mut u64,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (before, after) = unsafe {
            let before = out_or_none(bytes_before, "bytes_before")?;
            (before, out_or_none(bytes_after, "bytes_after")?)
        };
        let compacted = collection.0.compact()?;
        before
            .into_iter()
            .for_each(|place| place.set(compacted.bytes_before));
        after
            .into_iter()
            .for_each(|place| place.set(compacted.bytes_after));
        Ok(())
    })
}

/// Copies a consistent view of a collection into the folder `destination`, which must not exist;
/// `nearfield restore` takes it into a store. `count`, which may be NULL, receives the number of
/// its points. Writes go on meanwhile.
///
/// Errors: NF_STORAGE if the files cannot be written; NF_NOT_FOUND if the collection was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_snapshot(
    collection: *mut nf_collection,
    destination: *const c_char,
    count: *mut u64,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (destination, count) = unsafe {
            (
                text(destination, "destination")?,
                out_or_none(count, "count")?,
            )
        };
        let taken = collection.0.snapshot(destination)?;
        count.into_iter().for_each(|place| place.set(taken.count));
        Ok(())
    })
}
