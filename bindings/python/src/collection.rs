//! A handle on one collection: one method per verb.

use std::sync::Arc;

use nearfield::{
    Batch, Compact, Count, Cursor, Delete, DescribeCollection, Flush, Get, Search, Snapshot,
    UpdateMetadata, Upsert,
};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};

use crate::arguments::{self, Points};
use crate::call::call;
use crate::database::Database;
use crate::error::{invalid, invalid_type};
use crate::ids::Given;
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

#[pymethods]
impl Collection {
    /// The collection's name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Writes points; a point whose id is there already is replaced. All are written, or none.
    ///
    /// ``ids`` are whole numbers, texts or UUIDs, in a list or an array; without them, random UUIDs are
    /// made. ``vectors`` are an array of NumPy, a list of lists, or what has the buffer protocol,
    /// DLPack or Arrow's C interface. ``metadata`` is a list of dicts (None where there is none), a
    /// dict of columns, or a table of pandas, polars or pyarrow. One id goes with one vector and one
    /// dict. ``durability`` is ``"sync"`` (on disk when this returns) or ``"os"`` (survives a crash of
    /// the process, and not of the machine).
    ///
    /// >>> import nearfield, numpy as np
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=2)
    /// >>> docs.upsert([1, "a"], np.eye(2), [{"year": 1961}, None])
    /// Upserted(upserted=2, sequence=1)
    /// >>> len(docs.upsert(vectors=[[3, 4], [5, 6]]).ids)
    /// 2
    #[pyo3(signature = (ids = None, vectors = None, metadata = None, *, durability = "sync"))]
    fn upsert(
        &self,
        py: Python<'_>,
        ids: Option<&Bound<'_, PyAny>>,
        vectors: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        durability: &str,
    ) -> PyResult<Upserted> {
        let database = self.store.database(py)?;
        let durability = arguments::durability(py, durability)?;
        let given = ids.map(Given::read).transpose()?;
        let Some(vectors) = vectors else {
            return Err(invalid_type(py, "vectors", None, "no vectors are given"));
        };
        let matrix = Matrix::read(vectors, self.store.remote)?;
        let (given, ids) = match (given, ids) {
            (Some(given), Some(ids)) => (given, ids.clone().unbind()),
            _ => arguments::made(py, &matrix)?,
        };
        let column = metadata
            .map(|metadata| metadata::column(metadata, given.single))
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

    /// Reads points by id: a list with a point per id, or None where there is none. One id gives one
    /// point, or None.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=2)
    /// >>> _ = docs.upsert([1], [[3, 4]], [{"year": 1961}])
    /// >>> docs.get([1, "nobody"])
    /// [Point(id=1, vector=[3.0, 4.0], metadata={'year': 1961}), None]
    /// >>> docs.get(1).metadata["year"]
    /// 1961
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

    /// Removes points by id, or those that match a filter. Ids that are not there are passed over.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=1)
    /// >>> _ = docs.upsert([1, 2, 3], [[1], [2], [3]], {"year": [1959, 1961, 1963]})
    /// >>> docs.delete([1, 7]).deleted, docs.delete(filter="year > 1962").deleted
    /// (1, 1)
    #[pyo3(signature = (ids = None, *, filter = None, durability = "sync"))]
    fn delete(
        &self,
        py: Python<'_>,
        ids: Option<&Bound<'_, PyAny>>,
        filter: Option<&Bound<'_, PyAny>>,
        durability: &str,
    ) -> PyResult<Deleted> {
        let database = self.store.database(py)?;
        let durability = arguments::durability(py, durability)?;
        let points = Points::read(py, ids, filter)?;
        let answer = call(py, &database, true, || {
            Delete::new(&self.name, points.selection()).durability(durability)
        })?;
        Ok(Deleted {
            deleted: answer.deleted,
            sequence: answer.sequence,
        })
    }

    /// Merges a patch (RFC 7396) into the metadata of points, by id or filter: members replace members
    /// of the same name, dicts merge, and None removes.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=1)
    /// >>> _ = docs.upsert(["blue"], [[1]], [{"year": 1971, "draft": True}])
    /// >>> _ = docs.update_metadata(["blue"], {"genre": "folk", "draft": None})
    /// >>> _ = docs.update_metadata(filter="year < 1980", patch={"old": True})
    /// >>> docs.get("blue").metadata
    /// {'genre': 'folk', 'old': True, 'year': 1971}
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
        let durability = arguments::durability(py, durability)?;
        let points = Points::read(py, ids, filter)?;
        let Some(patch) = patch else {
            return Err(invalid_type(
                py,
                "patch",
                None,
                "no patch is given; give a dict",
            ));
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

    /// Finds the points nearest to a vector, or to each row of a matrix: one list of hits, or one per
    /// row. ``filter`` is a text such as ``"genre = 'jazz' and year >= 1960"``, or a dict; ``recall``
    /// is asked for and not tuned, and 1 is exact. ``probes`` and ``rerank`` are raw knobs, for
    /// benchmarks.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=2, metric="euclidean")
    /// >>> _ = docs.upsert([1, 2, 3], [[0, 0], [3, 4], [6, 8]], {"year": [1959, 1961, 1963]})
    /// >>> docs.search([0, 0], limit=2)
    /// [Hit(id=1, score=0.0),
    ///  Hit(id=2, score=5.0)]
    /// >>> docs.search([0, 0], filter="year > 1960", with_metadata=True)[0].metadata
    /// {'year': 1961}
    /// >>> many = docs.search([[0, 0], [6, 8]], limit=1)
    /// >>> many.ids.tolist(), many.scores.tolist()
    /// ([[1], [3]], [[0.0], [0.0]])
    #[pyo3(signature = (
        vectors, limit = 10, *, filter = None, recall = 0.95, with_metadata = false,
        with_vectors = false, probes = None, rerank = None, explain = false
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn search(
        &self,
        py: Python<'_>,
        vectors: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = arguments::limit)] limit: usize,
        filter: Option<&Bound<'_, PyAny>>,
        recall: f32,
        with_metadata: bool,
        with_vectors: bool,
        #[pyo3(from_py_with = arguments::probes)] probes: Option<usize>,
        #[pyo3(from_py_with = arguments::rerank)] rerank: Option<usize>,
        explain: bool,
    ) -> PyResult<Py<PyAny>> {
        let database = self.store.database(py)?;
        let matrix = Matrix::read(vectors, self.store.remote)?;
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

    /// Reads all points, or those that match, one after the other; ``page_points`` are fetched at once.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=1)
    /// >>> _ = docs.upsert([1, 2, 3], [[1], [2], [3]])
    /// >>> [point.id for point in docs.scan()]
    /// [1, 2, 3]
    #[pyo3(signature = (
        *, filter = None, with_vectors = false, with_metadata = true, page_points = 1000
    ))]
    fn scan(
        &self,
        py: Python<'_>,
        filter: Option<&Bound<'_, PyAny>>,
        with_vectors: bool,
        with_metadata: bool,
        #[pyo3(from_py_with = arguments::page_points)] page_points: usize,
    ) -> PyResult<Scan> {
        self.store.database(py)?;
        let request =
            arguments::scan(&self.name, page_points, filter, with_vectors, with_metadata)?;
        Ok(Scan::new(self.store.clone(), request))
    }

    /// Reads one page of a scan, from ``cursor`` on, which is ``next`` of the page before.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=1)
    /// >>> _ = docs.upsert([1, 2, 3], [[1], [2], [3]])
    /// >>> page = docs.scan_page(limit=2)
    /// >>> len(page), len(docs.scan_page(page.next))
    /// (2, 1)
    #[pyo3(signature = (
        cursor = None, *, limit = 1000, filter = None, with_vectors = false, with_metadata = true
    ))]
    fn scan_page(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::cursor)] cursor: Option<usize>,
        #[pyo3(from_py_with = arguments::limit)] limit: usize,
        filter: Option<&Bound<'_, PyAny>>,
        with_vectors: bool,
        with_metadata: bool,
    ) -> PyResult<Page> {
        let database = self.store.database(py)?;
        let request = arguments::scan(&self.name, limit, filter, with_vectors, with_metadata)?;
        let request = request.cursor(cursor.map(|at| Cursor(at as u64)));
        let scanned = call(py, &database, true, || request.clone())?;
        let points: Vec<Point> = scanned.points.into_iter().map(Point::new).collect();
        Ok(Page {
            points: PyList::new(py, points)?.unbind(),
            next: scanned.next.map(|Cursor(at)| at),
        })
    }

    /// Counts all points, or those that match.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=1)
    /// >>> _ = docs.upsert([1, 2], [[1], [2]], [{"year": 1961}, None])
    /// >>> docs.count(), docs.count(filter="year > 1960")
    /// (2, 1)
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

    /// Tells the collection's schema and state.
    ///
    /// >>> import nearfield
    /// >>> nearfield.connect(":memory:").create_collection("docs", dimension=3).describe().metric
    /// 'cosine'
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

    /// Makes all acknowledged writes durable; gives the number of the last of them.
    fn flush(&self, py: Python<'_>) -> PyResult<u64> {
        let database = self.store.database(py)?;
        Ok(call(py, &database, true, || Flush::new(&self.name))?.sequence)
    }

    /// Gives back the space of removed points. Searches and writes go on meanwhile.
    fn compact(&self, py: Python<'_>) -> PyResult<Compacted> {
        let database = self.store.database(py)?;
        let answer = call(py, &database, true, || Compact::new(&self.name))?;
        Ok(Compacted {
            files: answer.files,
            bytes_before: answer.bytes_before,
            bytes_after: answer.bytes_after,
        })
    }

    /// Copies a consistent view into the folder ``destination``, on the machine of the store, which must
    /// not exist; it is a store of its own. Unless given, into the store's folder ``snapshots``.
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

    /// Memory for ``rows`` vectors, from which an upsert takes them: a program writes its vectors
    /// there and commits them.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=2)
    /// >>> reservation = docs.reserve(1000)
    /// >>> reservation.vectors[:2] = [[3, 4], [5, 6]]
    /// >>> reservation.commit([1, 2])
    /// Upserted(upserted=2, sequence=1)
    fn reserve(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::rows)] rows: usize,
    ) -> PyResult<Reservation> {
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

    /// Writes points batch by batch, from an iterator: the one call that splits what it is given.
    ///
    /// Each batch is a tuple of ids (or None), vectors and, if there is any, metadata. Batches that
    /// are large are split. With durability ``"sync"`` the disk is waited for once, at the end.
    /// ``progress`` shows a bar of ``tqdm``; unless given, one is shown where ``tqdm`` is there and
    /// a person looks.
    ///
    /// >>> import nearfield
    /// >>> docs = nearfield.connect(":memory:").create_collection("docs", dimension=1)
    /// >>> docs.upsert_batches((range(at, at + 10), [[1]] * 10) for at in range(0, 100, 10))
    /// BatchesUpserted(upserted=100, batches=10, sequence=10)
    #[pyo3(signature = (batches, *, durability = "sync", progress = None))]
    fn upsert_batches<'py>(
        slf: &Bound<'py, Self>,
        batches: &Bound<'py, PyAny>,
        durability: &str,
        progress: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static UPSERT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        arguments::durability(slf.py(), durability)?;
        let upsert = UPSERT.import(slf.py(), "nearfield._batches", "upsert_batches")?;
        upsert.call1((slf, batches, durability, progress))
    }

    /// The store that the collection is in.
    #[getter]
    fn database(&self) -> Database {
        Database::new(self.store.clone())
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
