//! Writing points.

use std::ffi::c_char;

use client::{Batch, Ids, MetadataColumn, Result};

use crate::collection::{durability, nf_collection};
use crate::handle::find;
use crate::ids::nf_ids;
use crate::memory::{self, Grows, matrix, slice, texts};
use crate::status::{guard, nf_status};

/// Settings of nf_upsert() and nf_reservation_commit(). Start from NF_UPSERT_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_upsert_options {
    /// sizeof(nf_upsert_options).
    pub size: usize,
    /// How durable the points are when the call returns: an nf_durability; 0 for NF_SYNC.
    pub durability: i32,
    /// Must be 0.
    pub reserved: u32,
    /// The metadata of each point: JSON objects of at most 1 MiB, NULL for a point that has none.
    /// NULL where no point has any.
    pub metadata: *const *const c_char,
    /// The length of each of them in bytes, or NULL if each ends with NUL.
    pub metadata_lengths: *const usize,
    /// Receives the number of the write, which the collection counts up; NULL if not wanted.
    pub sequence: *mut u64,
}

// SAFETY: `repr(C)`, the size first, and nothing but numbers and raw pointers.
unsafe impl Grows for nf_upsert_options {
    const NAME: &'static str = "options";
}

impl nf_upsert_options {
    /// No options set.
    pub(crate) const NONE: nf_upsert_options = nf_upsert_options {
        size: size_of::<nf_upsert_options>(),
        durability: 0,
        reserved: 0,
        metadata: std::ptr::null(),
        metadata_lengths: std::ptr::null(),
        sequence: std::ptr::null_mut(),
    };

    /// The metadata column of a batch of `rows`.
    ///
    /// # Safety
    /// The arrays that are not NULL hold `rows` elements, and each text its bytes.
    pub(crate) unsafe fn metadata(&self, rows: usize) -> Result<Option<MetadataColumn<'static>>> {
        if self.metadata.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        let texts = unsafe { texts(self.metadata, self.metadata_lengths, rows, "metadata") }?;
        let (mut joined, mut ends) = (String::new(), Vec::with_capacity(rows));
        for text in texts {
            joined.push_str(text?.unwrap_or(""));
            // Beyond the bound of a batch, which is refused by it.
            ends.push(u32::try_from(joined.len()).unwrap_or(u32::MAX));
        }
        MetadataColumn::from_parts(joined, ends).map(Some)
    }
}

/// Writes one point whose id is a number, without metadata; a point of this id is replaced.
///
/// `vector` has `dimension` components; `durability` is an nf_durability. With NF_OS, or many
/// threads, one point per call is fast; with NF_SYNC each call waits for the disk.
///
/// Errors: as nf_upsert().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_upsert_one(
    collection: *mut nf_collection,
    id: u64,
    vector: *const f32,
    dimension: usize,
    durability: i32,
) -> nf_status {
    guard(|| {
        // SAFETY: the caller's promise, as the head of the header says it.
        let vector = unsafe { slice(vector, dimension, "vector") }?;
        let ids = Ids::from(std::slice::from_ref(&id));
        let batch = Batch::new(ids, vector);
        upsert(collection, batch, durability).map(drop)
    })
}

/// Writes points whose ids are numbers, without metadata; points of these ids are replaced.
///
/// `ids` has `count` numbers, `vectors` `count` rows of `dimension` components, one after the
/// other; `durability` is an nf_durability. All of it is written, or nothing. Where an id occurs
/// twice, the last of its points counts.
///
/// Errors: as nf_upsert().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_upsert_numbers(
    collection: *mut nf_collection,
    ids: *const u64,
    vectors: *const f32,
    count: usize,
    dimension: usize,
    durability: i32,
) -> nf_status {
    guard(|| {
        // SAFETY: the caller's promises, as the head of the header says them.
        let (ids, vectors) = unsafe {
            let vectors = matrix(vectors, count, dimension, "vectors")?;
            (slice(ids, count, "ids")?, vectors)
        };
        upsert(collection, Batch::new(ids, vectors), durability).map(drop)
    })
}

/// Writes points; points of the same ids are replaced, metadata included.
///
/// `vectors` has a row of `dimension` components per id, one after the other. `options` may be
/// NULL. All of the batch is written, or nothing.
///
/// Errors: NF_INVALID_ARGUMENT for vectors of another dimension, components that are not finite,
/// zero vectors under NF_COSINE, and metadata that is no JSON object: nf_last_error_row() tells
/// the row; NF_TOO_LARGE over 1,048,576 points or 64 MiB (split the batch); NF_NOT_FOUND if the
/// collection was dropped; NF_WRITES_STOPPED if a write to disk failed; NF_OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_upsert(
    collection: *mut nf_collection,
    ids: *const nf_ids,
    vectors: *const f32,
    dimension: usize,
    options: *const nf_upsert_options,
) -> nf_status {
    guard(|| {
        // SAFETY: the caller's promises, as the head of the header says them.
        let (batch, durability, sequence) = unsafe {
            let ids = memory::one(ids, "ids")?;
            let options = memory::options(options)?.unwrap_or(nf_upsert_options::NONE);
            let vectors = matrix(vectors, ids.count, dimension, "vectors")?;
            let mut batch = Batch::new(ids.read()?, vectors);
            batch.metadata = options.metadata(ids.count)?;
            let sequence = memory::out_or_none(options.sequence, "sequence")?;
            (batch, options.durability, sequence)
        };
        let upserted = upsert(collection, batch, durability)?;
        sequence.into_iter().for_each(|place| place.set(upserted));
        Ok(())
    })
}

fn upsert(collection: *mut nf_collection, batch: Batch<'_>, level: i32) -> Result<u64> {
    let collection = find(collection)?;
    let call = collection.0.upsert(batch).durability(durability(level)?);
    Ok(call.run()?.sequence)
}
