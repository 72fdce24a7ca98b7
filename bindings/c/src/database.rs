//! `nf_database`: opening a store, and what it is asked as a whole.

use std::ffi::c_char;
use std::time::Duration;

use client::{Builder, Database};

use crate::handle::{self, opens};
use crate::memory::{self, Grows, out, text, text_or_none};
use crate::status::{guard, nf_status};

/// An open store, behind whichever door its target names. Free it with nf_database_free().
pub struct nf_database(pub(crate) Database);

opens!(nf_database, 0xd1, "database");

/// Settings of nf_connect(). Start from NF_CONNECT_OPTIONS_INIT; what is zero has its default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_connect_options {
    /// sizeof(nf_connect_options).
    pub size: usize,
    /// The API key that a server asks for; NULL for none.
    pub api_key: *const c_char,
    /// A file of certificates (PEM) of the authorities to trust for https:// and grpcs://; NULL
    /// for those that the platform trusts.
    pub ca_file: *const c_char,
    /// How long a call to a server may take, in milliseconds; 0 for a minute.
    pub timeout_ms: u64,
    /// Bytes of memory that the engine of a path or of ":memory:" may take; 0 for no bound.
    pub memory_bytes_max: u64,
    /// Threads that one search of many vectors may use, for a path or ":memory:"; 0 for as many
    /// as the machine has cores.
    pub search_threads: u32,
    /// Not 0: bodies over HTTP are JSON; 0: MessagePack.
    pub json: u8,
    /// Not 0: the engine keeps no 8-bit codes in memory, which take a byte per component.
    pub lean: u8,
    /// Not 0: a path is not shared with other processes, who are refused with NF_LOCKED.
    pub alone: u8,
    /// Must be 0.
    pub reserved: u8,
}

// SAFETY: `repr(C)`, the size first, and nothing but numbers and raw pointers.
unsafe impl Grows for nf_connect_options {
    const NAME: &'static str = "options";
}

impl nf_connect_options {
    /// # Safety
    /// The texts that are not NULL end with NUL.
    unsafe fn apply(&self, mut builder: Builder) -> client::Result<Builder> {
        // SAFETY: the caller's promise.
        if let Some(key) = unsafe { text_or_none(self.api_key, "api_key") }? {
            builder = builder.api_key(key);
        }
        // SAFETY: the caller's promise.
        if let Some(file) = unsafe { text_or_none(self.ca_file, "ca_file") }? {
            builder = builder.remote(|remote| remote.ca_file = Some(file.into()));
        }
        if self.timeout_ms > 0 {
            builder = builder.timeout(Duration::from_millis(self.timeout_ms));
        }
        if self.memory_bytes_max > 0 {
            builder = builder.options(|options| {
                options.memory_bytes_max = Some(self.memory_bytes_max);
            });
        }
        if self.search_threads > 0 {
            builder = builder.options(|options| {
                options.search_threads = self.search_threads as usize;
            });
        }
        builder = builder.options(|options| options.lean = self.lean != 0);
        Ok(builder.json(self.json != 0).share(self.alone == 0))
    }
}

/// Opens a store.
///
/// `target` is a path such as "./data" (made if it is not there; if another process has it, that
/// one is asked through shared memory), "shm:./data" or "unix:./data" to insist on another process
/// by either way, ":memory:" for a store that is not kept, or the URL of a server:
/// "http://host:6327", "https://host", "grpc://host:6327", "grpcs://host". `options` may be NULL.
/// `database` receives the handle.
///
/// Errors: NF_LOCKED if another process holds the path and does not share it; NF_STORAGE if it cannot be read or is not
/// a store; NF_CORRUPTION if its files are not what was written; NF_UNSUPPORTED for files of a
/// newer version and for doors that are not built in; NF_UNAVAILABLE if no owner or server
/// answers, and NF_UNAUTHENTICATED if it does not take the key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_connect(
    target: *const c_char,
    options: *const nf_connect_options,
    database: *mut *mut nf_database,
) -> nf_status {
    guard(|| {
        // SAFETY: the caller's promises, as the head of the header says them.
        let (builder, database) = unsafe {
            let mut builder = Builder::new(text(target, "target")?);
            if let Some(options) = memory::options(options)? {
                builder = options.apply(builder)?;
            }
            (builder, out(database, "database")?)
        };
        database.set(handle::open(nf_database(builder.open()?)));
        Ok(())
    })
}

/// Gives a database handle back. The store closes once its last handle is freed, those of its
/// collections and reservations included; what was acknowledged is kept either way.
///
/// Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_database_free(database: *mut nf_database) -> nf_status {
    handle::free(database)
}
