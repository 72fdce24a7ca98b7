//! `nf_collection`: making and opening collections.

use std::ffi::c_char;

use client::{Collection, CreateCollection, Durability, Error, Metric, Result, Storage};

use crate::database::nf_database;
use crate::handle::{self, find, opens};
use crate::memory::{self, Grows, out, text, texts};
use crate::status::{guard, nf_status};

/// A collection of an open store. Free it with nf_collection_free().
pub struct nf_collection(pub(crate) Collection);

opens!(nf_collection, 0xc1, "collection");

/// How vectors are compared.
#[repr(i32)]
#[derive(Clone, Copy, Debug)]
pub enum nf_metric {
    /// By angle: the score is the cosine, -1 to 1, larger is nearer. Zero vectors are refused.
    NF_COSINE = 0,
    /// By inner product: the score is it, larger is nearer.
    NF_DOT = 1,
    /// By Euclidean distance: the score is it, not squared, smaller is nearer.
    NF_EUCLIDEAN = 2,
}

impl nf_metric {
    pub(crate) fn of(metric: Metric) -> nf_metric {
        match metric {
            Metric::Cosine => nf_metric::NF_COSINE,
            Metric::Dot => nf_metric::NF_DOT,
            Metric::Euclidean => nf_metric::NF_EUCLIDEAN,
        }
    }
}

/// How components are stored.
#[repr(i32)]
#[derive(Clone, Copy, Debug)]
pub enum nf_storage {
    /// As 32-bit floats: nf_get() returns the bits that were given.
    NF_F32 = 0,
    /// Rounded to 16-bit floats; components beyond 65,504 are refused.
    NF_F16 = 1,
}

impl nf_storage {
    pub(crate) fn of(storage: Storage) -> nf_storage {
        match storage {
            Storage::F32 => nf_storage::NF_F32,
            Storage::F16 => nf_storage::NF_F16,
        }
    }
}

/// How durable a write is when the call returns.
#[repr(i32)]
#[derive(Clone, Copy, Debug)]
pub enum nf_durability {
    /// On disk: survives a crash of the machine.
    NF_SYNC = 0,
    /// With the operating system: survives a crash of the process.
    NF_OS = 1,
}

/// The durability that a number stands for.
pub(crate) fn durability(given: i32) -> Result<Durability> {
    const SYNC: i32 = nf_durability::NF_SYNC as i32;
    const OS: i32 = nf_durability::NF_OS as i32;
    match given {
        SYNC => Ok(Durability::Sync),
        OS => Ok(Durability::Os),
        _ => Err(unknown(given, "NF_SYNC or NF_OS", "durability")),
    }
}

fn metric(given: i32) -> Result<Metric> {
    const COSINE: i32 = nf_metric::NF_COSINE as i32;
    const DOT: i32 = nf_metric::NF_DOT as i32;
    const EUCLIDEAN: i32 = nf_metric::NF_EUCLIDEAN as i32;
    match given {
        COSINE => Ok(Metric::Cosine),
        DOT => Ok(Metric::Dot),
        EUCLIDEAN => Ok(Metric::Euclidean),
        _ => Err(unknown(
            given,
            "NF_COSINE, NF_DOT or NF_EUCLIDEAN",
            "metric",
        )),
    }
}

fn storage(given: i32) -> Result<Storage> {
    const F32: i32 = nf_storage::NF_F32 as i32;
    const F16: i32 = nf_storage::NF_F16 as i32;
    match given {
        F32 => Ok(Storage::F32),
        F16 => Ok(Storage::F16),
        _ => Err(unknown(given, "NF_F32 or NF_F16", "storage")),
    }
}

fn unknown(given: i32, known: &str, field: &'static str) -> Error {
    Error::invalid(format!("{given} is not known; use {known}")).in_field(field)
}

/// Settings of nf_create_collection() and nf_open_or_create_collection(). Start from
/// NF_COLLECTION_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_collection_options {
    /// sizeof(nf_collection_options).
    pub size: usize,
    /// How vectors are compared: an nf_metric; 0 for NF_COSINE.
    pub metric: i32,
    /// How components are stored: an nf_storage; 0 for NF_F32.
    pub storage: i32,
    /// Paths into metadata that are not indexed, such as "author.name": filters on them read the
    /// points. NULL for none.
    pub unindexed_fields: *const *const c_char,
    /// How many of them there are.
    pub unindexed_count: usize,
}

// SAFETY: `repr(C)`, the size first, and nothing but numbers and raw pointers.
unsafe impl Grows for nf_collection_options {
    const NAME: &'static str = "options";
}

impl nf_collection_options {
    /// # Safety
    /// The array holds `unindexed_count` texts, or is NULL.
    unsafe fn apply(&self, request: &mut CreateCollection) -> Result<()> {
        request.metric = metric(self.metric)?;
        request.storage = storage(self.storage)?;
        let (fields, count) = (self.unindexed_fields, self.unindexed_count);
        // SAFETY: the caller's promise.
        for field in unsafe { texts(fields, std::ptr::null(), count, "unindexed_fields") }? {
            request.unindexed_fields.extend(field?.map(str::to_owned));
        }
        Ok(())
    }
}

/// Makes a collection and opens it.
///
/// `name` has 1 to 128 of the characters A-Z a-z 0-9 _ -; `dimension` is the number of components
/// of its vectors, 1 to 65,536; `options` may be NULL. `collection` receives the handle.
///
/// Errors: NF_ALREADY_EXISTS if there is one of this name; NF_TOO_LARGE if the store has 10,000.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_create_collection(
    database: *mut nf_database,
    name: *const c_char,
    dimension: usize,
    options: *const nf_collection_options,
    collection: *mut *mut nf_collection,
) -> nf_status {
    guard(|| {
        let database = find(database)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let collection = unsafe { out(collection, "collection") }?;
        // SAFETY: as above.
        let created = database
            .0
            .call(unsafe { asked(name, dimension, options) }?)?;
        let opened = database.0.collection(created.collection)?;
        collection.set(handle::open(nf_collection(opened)));
        Ok(())
    })
}

/// Opens a collection, and makes it if it is not there; the arguments are those of
/// nf_create_collection(). Callers that come at once all get the one collection.
///
/// Errors: NF_ALREADY_EXISTS if there is one of this name with other settings, which the message
/// names; NF_FORBIDDEN if it is not there and the key may not make it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_open_or_create_collection(
    database: *mut nf_database,
    name: *const c_char,
    dimension: usize,
    options: *const nf_collection_options,
    collection: *mut *mut nf_collection,
) -> nf_status {
    guard(|| {
        let database = find(database)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let collection = unsafe { out(collection, "collection") }?;
        // SAFETY: as above.
        let asked = unsafe { asked(name, dimension, options) }?;
        let opened = database.0.open_or_create(asked)?;
        collection.set(handle::open(nf_collection(opened)));
        Ok(())
    })
}

/// The collection that is asked for.
///
/// # Safety
/// The name is a text, and the options are whole; either may be NULL.
unsafe fn asked(
    name: *const c_char,
    dimension: usize,
    options: *const nf_collection_options,
) -> Result<CreateCollection> {
    // SAFETY: the caller's promises.
    let (name, options) = unsafe { (text(name, "name")?, memory::options(options)?) };
    let mut request = CreateCollection::new(name, dimension, Metric::Cosine);
    if let Some(options) = options {
        // SAFETY: the caller's promises.
        unsafe { options.apply(&mut request) }?;
    }
    Ok(request)
}

/// Opens a collection. `collection` receives the handle.
///
/// Errors: NF_NOT_FOUND if it is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_open_collection(
    database: *mut nf_database,
    name: *const c_char,
    collection: *mut *mut nf_collection,
) -> nf_status {
    guard(|| {
        let database = find(database)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (collection, name) = unsafe { (out(collection, "collection")?, text(name, "name")?) };
        let opened = database.0.collection(name)?;
        collection.set(handle::open(nf_collection(opened)));
        Ok(())
    })
}

/// Removes a collection and all its points. Handles of it answer NF_NOT_FOUND from then on.
///
/// Errors: NF_NOT_FOUND if it is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_drop_collection(
    database: *mut nf_database,
    name: *const c_char,
) -> nf_status {
    guard(|| {
        let database = find(database)?;
        // SAFETY: the caller's promise, as the head of the header says it.
        database.0.drop_collection(unsafe { text(name, "name") }?)
    })
}

/// Gives a collection handle back; the collection itself stays.
///
/// Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_collection_free(collection: *mut nf_collection) -> nf_status {
    handle::free(collection)
}
