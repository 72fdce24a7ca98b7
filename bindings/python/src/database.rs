//! A handle on an open store.

use std::sync::Arc;

use nearfield::{
    CreateCollection, DescribeCollection, DropCollection, ListCollections, Metric, Storage,
};
use pyo3::prelude::*;

use crate::arguments;
use crate::call::{call, until_done};
use crate::collection::Collection;
use crate::metadata::word;
use crate::store::Store;

/// An open store. As a context it closes at the end.
///
/// >>> import nearfield
/// >>> with nearfield.connect(":memory:") as db:
/// ...     docs = db.create_collection("docs", dimension=3)
/// ...     "docs" in db, list(db), db["docs"].name
/// (True, ['docs'], 'docs')
#[pyclass(frozen, module = "nearfield")]
pub(crate) struct Database {
    store: Arc<Store>,
}

impl Database {
    pub(crate) fn new(store: Arc<Store>) -> Database {
        Database { store }
    }

    fn handle(&self, name: String) -> Collection {
        Collection {
            store: self.store.clone(),
            name,
        }
    }
}

#[pymethods]
impl Database {
    /// What was connected to.
    #[getter]
    fn target(&self) -> &str {
        &self.store.target
    }

    /// Whether the store was closed.
    #[getter]
    fn closed(&self) -> bool {
        !self.store.is_open()
    }

    /// Makes a collection. ``metric`` is ``"cosine"``, ``"dot"`` or ``"euclidean"``, ``storage`` is
    /// ``"f32"`` or ``"f16"`` (half the bytes, rounded); the metadata of ``unindexed_fields`` (dotted
    /// paths) is stored and not indexed. Raises ``AlreadyExists`` if the name is taken; with
    /// ``exist_ok`` a collection that is there is opened, and only other settings are refused.
    ///
    /// >>> import nearfield
    /// >>> db = nearfield.connect(":memory:")
    /// >>> db.create_collection("docs", dimension=384, metric="dot")
    /// Collection("docs" in ":memory:")
    /// >>> db.create_collection("docs", dimension=384, metric="dot", exist_ok=True)
    /// Collection("docs" in ":memory:")
    #[pyo3(signature = (
        name, *, dimension, metric = "cosine", storage = "f32", unindexed_fields = Vec::new(),
        exist_ok = false
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn create_collection(
        &self,
        py: Python<'_>,
        name: &str,
        #[pyo3(from_py_with = arguments::dimension)] dimension: usize,
        metric: &str,
        storage: &str,
        unindexed_fields: Vec<String>,
        exist_ok: bool,
    ) -> PyResult<Collection> {
        let database = self.store.database(py)?;
        let metrics = [Metric::Cosine, Metric::Dot, Metric::Euclidean];
        let metric = word(
            py,
            "metric",
            metric,
            &metrics.map(|word| (word.as_str(), word)),
        )?;
        let storages = [Storage::F32, Storage::F16];
        let storage = word(
            py,
            "storage",
            storage,
            &storages.map(|word| (word.as_str(), word)),
        )?;
        let make = || {
            CreateCollection::new(name, dimension, metric)
                .storage(storage)
                .unindexed_fields(&unindexed_fields)
        };
        if exist_ok {
            let opened = until_done(py, true, |context| {
                database.open_or_create_with(context, make())
            })?;
            return Ok(self.handle(opened.name().to_owned()));
        }
        let created = call(py, &database, true, make)?;
        Ok(self.handle(created.collection))
    }

    /// Opens a collection, as ``db[name]`` does; raises ``NotFound`` if it is not there.
    fn collection(&self, py: Python<'_>, name: &str) -> PyResult<Collection> {
        let database = self.store.database(py)?;
        let described = call(py, &database, self.store.remote, || {
            DescribeCollection::new(name)
        })?;
        Ok(self.handle(described.collection))
    }

    /// The names of all collections, sorted.
    fn collections(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let database = self.store.database(py)?;
        Ok(call(py, &database, self.store.remote, || ListCollections {})?.collections)
    }

    /// Removes a collection and all its points, as ``del db[name]`` does.
    fn drop_collection(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        let database = self.store.database(py)?;
        call(py, &database, true, || DropCollection::new(name)).map(|_| ())
    }

    /// Closes the store, once the calls under way have ended. Handles on its collections are of no
    /// use any more.
    fn close(&self, py: Python<'_>) {
        self.store.close(py);
    }

    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<Collection> {
        self.collection(py, name)
    }

    fn __delitem__(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.drop_collection(py, name)
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        Ok(self.collections(py)?.iter().any(|known| known == name))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        use pyo3::IntoPyObjectExt;
        let names = self.collections(py)?.into_bound_py_any(py)?;
        Ok(names.try_iter()?.into_any().unbind())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, pyo3::types::PyTuple>) {
        self.store.close(py);
    }

    fn __repr__(&self) -> String {
        let state = if self.store.is_open() { "" } else { ", closed" };
        format!("Database({:?}{state})", self.store.target)
    }
}
