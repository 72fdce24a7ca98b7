//! `nf_names`: the names of collections.

use std::ffi::{CString, c_char};

use crate::database::nf_database;
use crate::handle::{self, find, opens};
use crate::memory::out;
use crate::status::{guard, guard_or, nf_status, text};

/// Names of collections, sorted. Free them with nf_names_free().
pub struct nf_names(Vec<CString>);

opens!(nf_names, 0xe1, "names");

/// Names the collections of a store. `names` receives the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_list_collections(
    database: *mut nf_database,
    names: *mut *mut nf_names,
) -> nf_status {
    guard(|| {
        let database = find(database)?;
        // SAFETY: the caller's promise, as the head of the header says it.
        let names = unsafe { out(names, "names") }?;
        let listed = database.0.collections()?;
        let listed = listed.iter().map(|name| text(name)).collect();
        names.set(handle::open(nf_names(listed)));
        Ok(())
    })
}

/// How many names there are. 0 for a handle that is not open, which is noted as the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_names_count(names: *mut nf_names) -> usize {
    guard_or(0, || Ok(find(names)?.0.len()))
}

/// The name at `position`, counted from 0. Valid until the names are freed. NULL beyond the last,
/// and for a handle that is not open, which is noted as the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_names_get(names: *mut nf_names, position: usize) -> *const c_char {
    guard_or(std::ptr::null(), || {
        let names = find(names)?;
        let name = names.0.get(position);
        Ok(name.map_or(std::ptr::null(), |name| name.as_ptr()))
    })
}

/// Gives names back.
///
/// Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_names_free(names: *mut nf_names) -> nf_status {
    handle::free(names)
}
