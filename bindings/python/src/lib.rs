//! The Python door: it turns Python's objects into requests, calls the Rust client with the
//! interpreter released, and turns responses into Python's objects.

#![allow(
    unsafe_code,
    reason = "the buffer protocol and the items of lists are reached by pointers"
)]

mod arguments;
mod arrays;
mod call;
mod collection;
mod connect;
mod database;
mod error;
mod hits;
mod ids;
mod interrupt;
mod json;
mod lists;
mod metadata;
mod outcomes;
mod points;
mod pool;
mod reservation;
mod scan;
mod store;
mod vectors;

/// What `nearfield/__init__.py` hands on.
#[pyo3::pymodule(gil_used = false)]
mod _nearfield {
    #[pymodule_export]
    use crate::collection::Collection;
    #[pymodule_export]
    use crate::connect::connect;
    #[pymodule_export]
    use crate::database::Database;
    #[pymodule_export]
    use crate::hits::{Hit, Hits, ManyHits};
    #[pymodule_export]
    use crate::outcomes::{Compacted, Deleted, MetadataUpdated, SnapshotTaken, Upserted};
    #[pymodule_export]
    use crate::points::{Page, Point};
    #[pymodule_export]
    use crate::reservation::Reservation;
    #[pymodule_export]
    use crate::scan::Scan;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::interrupt::prepare(module.py())
    }
}
