//! An open store, shared by all handles on it until it is closed.

use std::sync::{Arc, PoisonError, RwLock};

use nearfield::{Database, Error};
use pyo3::prelude::*;

use crate::error::raise;

/// What a [`crate::database::Database`] and its collections share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) target: String,
    /// Whether calls go to another process in any case, so that each may take long, and the door
    /// itself copies what it sends there.
    pub(crate) remote: bool,
    open: RwLock<Option<Database>>,
}

impl Store {
    pub(crate) fn new(target: String, database: Database) -> Arc<Store> {
        Arc::new(Store {
            remote: target.contains("://")
                || target.starts_with("shm:")
                || target.starts_with("unix:"),
            target,
            open: RwLock::new(Some(database)),
        })
    }

    /// The store, kept open while the call that asks goes on.
    pub(crate) fn database(&self, py: Python<'_>) -> PyResult<Database> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(|| {
            raise(
                py,
                Error::invalid(format!(
                    "the store {} is closed; connect to it again",
                    self.target
                )),
            )
        })
    }

    pub(crate) fn is_open(&self) -> bool {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.is_some()
    }

    /// Closes the store. It is let go when the calls under way have ended.
    pub(crate) fn close(&self, py: Python<'_>) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let database = open.take();
        drop(open);
        py.detach(|| drop(database));
    }
}
