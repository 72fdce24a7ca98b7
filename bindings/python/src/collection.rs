//! A handle on one collection: one method per verb.

use std::sync::Arc;

use nearfield::{
    Batch, Compact, Count, Cursor, Delete, DescribeCollection, Durability, Filter, Flush, Get,
    Search, Selection, Snapshot, UpdateMetadata, Upsert,
};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};

use crate::call::call;
use crate::error::invalid;
use crate::ids::{self, Given};
use crate::outcomes::{Compacted, Deleted, MetadataUpdated, SnapshotTaken, Upserted};
use crate::points::{Page, Point};
use crate::reservation::Reservation;
use crate::scan::Scan;
use crate::store::Store;
use crate::vectors::Matrix;
use crate::{hits, json, metadata};

/// Rows from which on an upsert, and query vectors from which on a search, may take long.
const LONG_ROWS: usize = 256;

/// A collection of an open store.
#[pyclass(frozen, module = "nearfield")]
pub(crate) struct Collection {
    pub(crate) store: Arc<Store>,
    pub(crate) name: String,
}

/// Reads a durability's name.
pub(crate) fn durability(py: Python<'_>, name: &str) -> PyResult<Durability> {
    let words = [Durability::Sync, Durability::Os].map(|word| (word.as_str(), word));
    metadata::word(py, "durability", name, &words)
}

#[pymethods]
impl Collection {
    /// The collection's name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[pyo3(signature = (ids, vectors, metadata = None, *, durability = "sync"))]
    fn upsert(
        &self,
        py: Python<'_>,
        ids: Option<&Bound<'_, PyAny>>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        durability: &str,
    ) -> PyResult<Upserted> {
        let database = self.store.database(py)?;
        let durability = self::durability(py, durability)?;
        let matrix = Matrix::read(vectors)?;
        let (given, ids) = given_or_made(py, ids, &matrix)?;
        let column = metadata
            .map(|metadata| metadata::column(metadata, matrix.single))
            .transpose()?;
        if given.ids.len() != matrix.rows() {
            return Err(invalid(
                py,
                "vectors",
                format!(
                    "{} ids and {} vectors are given; give one vector per id",
                    given.ids.len(),
                    matrix.rows()
                ),
            ));
        }
        let long = self.store.remote || matrix.rows() >= LONG_ROWS;
        let answer = call(py, &database, long, || {
            let mut batch = Batch::new(given.ids.borrowed(), matrix.values());
            batch.metadata = column.as_ref().map(nearfield::MetadataColumn::borrowed);
            Upsert::new(&self.name, batch).durability(durability)
        })?;
        Ok(Upserted {
            ids,
            upserted: answer.upserted,
            sequence: answer.sequence,
        })
    }

    #[pyo3(signature = (ids, *, with_vectors = true, with_metadata = true))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        ids: &Bound<'py, PyAny>,
        with_vectors: bool,
        with_metadata: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let database = self.store.database(py)?;
        let given = Given::read(ids)?;
        let got = call(py, &database, self.store.remote, || {
            Get::new(&self.name, given.ids.borrowed())
                .with_vectors(with_vectors)
                .with_metadata(with_metadata)
        })?;
        let mut points = got.points.into_iter().map(|point| point.map(Point::new));
        match given.single {
            true => points.next().flatten().into_bound_py_any(py),
            false => points.collect::<Vec<_>>().into_bound_py_any(py),
        }
    }

    #[pyo3(signature = (ids = None, *, filter = None, durability = "sync"))]
    fn delete(
        &self,
        py: Python<'_>,
        ids: Option<&Bound<'_, PyAny>>,
        filter: Option<&Bound<'_, PyAny>>,
        durability: &str,
    ) -> PyResult<Deleted> {
        let database = self.store.database(py)?;
        let durability = self::durability(py, durability)?;
        let points = Points::read(ids, filter)?;
        let answer = call(py, &database, true, || {
            Delete::new(&self.name, points.selection()).durability(durability)
        })?;
        Ok(Deleted {
            deleted: answer.deleted,
            sequence: answer.sequence,
        })
    }

    #[pyo3(signature = (ids = None, patch = None, *, filter = None, durability = "sync"))]
    fn update_metadata(
        &self,
        py: Python<'_>,
        ids: Option<&Bound<'_, PyAny>>,
        patch: Option<&Bound<'_, PyDict>>,
        filter: Option<&Bound<'_, PyAny>>,
        durability: &str,
    ) -> PyResult<MetadataUpdated> {
        let database = self.store.database(py)?;
        let durability = self::durability(py, durability)?;
        let points = Points::read(ids, filter)?;
        let Some(patch) = patch else {
            return Err(PyTypeError::new_err("give a patch, a dict"));
        };
        let patch = metadata::patch(patch)?;
        let answer = call(py, &database, true, || {
            UpdateMetadata::new(&self.name, points.selection(), patch.clone())
                .durability(durability)
        })?;
        Ok(MetadataUpdated {
            updated: answer.updated,
            sequence: answer.sequence,
        })
    }

    #[pyo3(signature = (
        vectors, limit = 10, *, filter = None, recall = 0.95, with_metadata = false,
        with_vectors = false, probes = None, rerank = None, explain = false
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn search(
        &self,
        py: Python<'_>,
        vectors: &Bound<'_, PyAny>,
        limit: usize,
        filter: Option<&Bound<'_, PyAny>>,
        recall: f32,
        with_metadata: bool,
        with_vectors: bool,
        probes: Option<usize>,
        rerank: Option<usize>,
        explain: bool,
    ) -> PyResult<Py<PyAny>> {
        let database = self.store.database(py)?;
        let matrix = Matrix::read(vectors)?;
        let filter = metadata::optional_filter(filter)?;
        let queries = matrix.vectors(py)?;
        let long = self.store.remote || matrix.rows() >= LONG_ROWS;
        let found = call(py, &database, long, || {
            let mut search = Search::new(&self.name, queries.borrowed())
                .limit(limit)
                .recall(recall)
                .explain(explain)
                .with_metadata(with_metadata)
                .with_vectors(with_vectors);
            search.filter = filter.clone();
            search.probes = probes;
            search.rerank = rerank;
            search
        })?;
        hits::found(py, found, matrix.single)
    }

    #[pyo3(signature = (
        *, filter = None, with_vectors = false, with_metadata = true, page_points = 1000
    ))]
    fn scan(
        &self,
        py: Python<'_>,
        filter: Option<&Bound<'_, PyAny>>,
        with_vectors: bool,
        with_metadata: bool,
        page_points: usize,
    ) -> PyResult<Scan> {
        self.store.database(py)?;
        let request = scan(self, page_points, filter, with_vectors, with_metadata)?;
        Ok(Scan::new(self.store.clone(), request))
    }

    #[pyo3(signature = (
        cursor = None, *, limit = 1000, filter = None, with_vectors = false, with_metadata = true
    ))]
    fn scan_page(
        &self,
        py: Python<'_>,
        cursor: Option<u64>,
        limit: usize,
        filter: Option<&Bound<'_, PyAny>>,
        with_vectors: bool,
        with_metadata: bool,
    ) -> PyResult<Page> {
        let database = self.store.database(py)?;
        let request = scan(self, limit, filter, with_vectors, with_metadata)?;
        let request = request.cursor(cursor.map(Cursor));
        let scanned = call(py, &database, true, || request.clone())?;
        let points: Vec<Point> = scanned.points.into_iter().map(Point::new).collect();
        Ok(Page {
            points: PyList::new(py, points)?.unbind(),
            next: scanned.next.map(|Cursor(at)| at),
        })
    }

    #[pyo3(signature = (*, filter = None))]
    fn count(&self, py: Python<'_>, filter: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
        let database = self.store.database(py)?;
        let filter = metadata::optional_filter(filter)?;
        let long = self.store.remote || filter.is_some();
        let answer = call(py, &database, long, || Count {
            collection: self.name.clone(),
            filter: filter.clone(),
        })?;
        Ok(answer.count)
    }

    fn describe<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let database = self.store.database(py)?;
        let description = call(py, &database, self.store.remote, || {
            DescribeCollection::new(&self.name)
        })?;
        let text = serde_json::to_string(&description)
            .map_err(|error| PyTypeError::new_err(error.to_string()))?;
        static READ: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let read = READ.import(py, "nearfield._description", "read")?;
        read.call1((json::read(py, &text)?,))
    }

    fn flush(&self, py: Python<'_>) -> PyResult<u64> {
        let database = self.store.database(py)?;
        Ok(call(py, &database, true, || Flush::new(&self.name))?.sequence)
    }

    fn compact(&self, py: Python<'_>) -> PyResult<Compacted> {
        let database = self.store.database(py)?;
        let answer = call(py, &database, true, || Compact::new(&self.name))?;
        Ok(Compacted {
            files: answer.files,
            bytes_before: answer.bytes_before,
            bytes_after: answer.bytes_after,
        })
    }

    #[pyo3(signature = (destination = None))]
    fn snapshot(
        &self,
        py: Python<'_>,
        destination: Option<std::path::PathBuf>,
    ) -> PyResult<SnapshotTaken> {
        let database = self.store.database(py)?;
        let destination = destination.map(|path| path.to_string_lossy().into_owned());
        let answer = call(py, &database, true, || {
            let mut snapshot = Snapshot::new(&self.name);
            snapshot.destination = destination.clone();
            snapshot
        })?;
        Ok(SnapshotTaken {
            path: answer.path,
            sequence: answer.sequence,
            count: answer.count,
            bytes: answer.bytes,
        })
    }

    fn reserve(&self, py: Python<'_>, rows: usize) -> PyResult<Reservation> {
        let database = self.store.database(py)?;
        let description = call(py, &database, self.store.remote, || {
            DescribeCollection::new(&self.name)
        })?;
        Reservation::new(
            py,
            self.store.clone(),
            self.name.clone(),
            rows,
            description.dimension,
        )
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(usize::try_from(self.count(py, None)?)?)
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self) -> String {
        format!("Collection({:?} in {:?})", self.name, self.store.target)
    }
}

/// The ids of an upsert; new ones if none are given.
pub(crate) fn given_or_made(
    py: Python<'_>,
    ids: Option<&Bound<'_, PyAny>>,
    matrix: &Matrix,
) -> PyResult<(Given, Py<PyAny>)> {
    if let Some(ids) = ids {
        return Ok((Given::read(ids)?, ids.clone().unbind()));
    }
    let made = Given {
        ids: Given::random(matrix.rows())?,
        single: matrix.single,
    };
    let objects: Vec<Bound<'_, PyAny>> = made
        .ids
        .iter()
        .map(|id| ids::object(py, id))
        .collect::<PyResult<_>>()?;
    let object = match made.single {
        true => objects.into_iter().next().into_py_any(py)?,
        false => objects.into_py_any(py)?,
    };
    Ok((made, object))
}

fn scan(
    collection: &Collection,
    limit: usize,
    filter: Option<&Bound<'_, PyAny>>,
    with_vectors: bool,
    with_metadata: bool,
) -> PyResult<nearfield::Scan> {
    let mut request = nearfield::Scan::new(&collection.name)
        .limit(limit)
        .with_vectors(with_vectors)
        .with_metadata(with_metadata);
    request.filter = metadata::optional_filter(filter)?;
    Ok(request)
}

/// The points that a request is about.
enum Points {
    Ids(Given),
    Filter(Filter),
}

impl Points {
    fn read(ids: Option<&Bound<'_, PyAny>>, filter: Option<&Bound<'_, PyAny>>) -> PyResult<Points> {
        match (ids, filter) {
            (Some(ids), None) => Ok(Points::Ids(Given::read(ids)?)),
            (None, Some(filter)) => Ok(Points::Filter(metadata::filter(filter)?)),
            _ => Err(PyTypeError::new_err("give either ids or a filter")),
        }
    }

    fn selection(&self) -> Selection<'_> {
        match self {
            Points::Ids(given) => Selection::Ids(given.ids.borrowed()),
            Points::Filter(filter) => Selection::Filter(filter.clone()),
        }
    }
}
