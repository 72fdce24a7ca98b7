//! `nf_reservation`: vectors that are written where the door takes them from.

use std::sync::{Mutex, MutexGuard, PoisonError};

use client::{Durability, Error, Reservation, Result};

use crate::collection::{durability, nf_collection};
use crate::handle::{self, find, opens};
use crate::ids::nf_ids;
use crate::memory::{self, out, out_or_none};
use crate::status::{guard, guard_or, nf_status};
use crate::upsert::nf_upsert_options;

/// Rows of memory of the door, from which an upsert takes vectors with the fewest copies. Free it
/// with nf_reservation_free().
pub struct nf_reservation(Mutex<Reservation>);

opens!(nf_reservation, 0xa1, "reservation");

impl nf_reservation {
    fn lock(&self) -> MutexGuard<'_, Reservation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reserves memory for `rows` vectors of a collection. `reservation` receives the handle.
///
/// Errors: NF_TOO_LARGE if no upsert could send so many (64 MiB); NF_OVERLOADED while too much is
/// reserved; NF_NOT_FOUND if the collection was dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_reserve(
    collection: *mut nf_collection,
    rows: usize,
    reservation: *mut *mut nf_reservation,
) -> nf_status {
    guard(|| {
        let collection = find(collection)?;
        // SAFETY: the caller's promise, as the head of the header says it.
        let reservation = unsafe { out(reservation, "reservation") }?;
        let reserved = collection.0.reserve(rows)?;
        reservation.set(handle::open(nf_reservation(Mutex::new(reserved))));
        Ok(())
    })
}

/// Where the vectors are to be written: rows of the collection's dimension, one after the other,
/// zero at first. Valid until the reservation is freed; ask again after each commit. Nobody may
/// write there during nf_reservation_commit(). NULL for a handle that is not open and for one without
/// rows, as in a forked child, which is noted as the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_reservation_values(reservation: *mut nf_reservation) -> *mut f32 {
    guard_or(std::ptr::null_mut(), || {
        match find(reservation)?.lock().values_mut() {
            [] => Err(Error::invalid(
                "the reservation has no rows; a forked child has to reserve its own",
            )),
            values => Ok(values.as_mut_ptr()),
        }
    })
}

/// How many rows there are. 0 for a handle that is not open, which is noted as the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_reservation_rows(reservation: *mut nf_reservation) -> usize {
    guard_or(0, || Ok(find(reservation)?.lock().rows()))
}

/// Components per row. 0 for a handle that is not open, which is noted as the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_reservation_dimension(reservation: *mut nf_reservation) -> usize {
    guard_or(0, || Ok(find(reservation)?.lock().dimension()))
}

/// Writes the first rows as points, one per id; `options` may be NULL. The reservation stays, and
/// may be written and committed again.
///
/// Errors: as nf_upsert(); NF_INVALID_ARGUMENT if there are more ids than rows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_reservation_commit(
    reservation: *mut nf_reservation,
    ids: *const nf_ids,
    options: *const nf_upsert_options,
) -> nf_status {
    guard(|| {
        let reservation = find(reservation)?;
        // SAFETY: the caller's promises, as the head of the header says them.
        let (ids, metadata, level, sequence) = unsafe {
            let options = memory::options(options)?.unwrap_or(nf_upsert_options::NONE);
            let ids = memory::one(ids, "ids")?;
            let metadata = options.metadata(ids.count)?;
            let sequence = out_or_none(options.sequence, "sequence")?;
            (ids.read()?, metadata, options.durability, sequence)
        };
        let reserved = reservation.lock();
        let mut call = reserved.commit(ids).durability(durability(level)?);
        if let Some(metadata) = metadata {
            call = call.metadata(metadata);
        }
        let committed = call.run()?.sequence;
        sequence.into_iter().for_each(|place| place.set(committed));
        Ok(())
    })
}

/// Writes the first `count` rows as points whose ids are numbers, without metadata; `level` is an
/// nf_durability. The reservation stays, and may be written and committed again.
///
/// Errors: as nf_reservation_commit().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_reservation_commit_numbers(
    reservation: *mut nf_reservation,
    ids: *const u64,
    count: usize,
    level: i32,
) -> nf_status {
    guard(|| {
        let reservation = find(reservation)?;
        // SAFETY: the caller's promise, as the head of the header says it.
        let ids = unsafe { memory::slice(ids, count, "ids") }?;
        commit(&reservation.lock(), ids, durability(level)?)
    })
}

fn commit(reserved: &Reservation, ids: &[u64], level: Durability) -> Result<()> {
    reserved.commit(ids).durability(level).run().map(drop)
}

/// Gives a reservation back, with its memory.
///
/// Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nf_reservation_free(reservation: *mut nf_reservation) -> nf_status {
    handle::free(reservation)
}
