//! What searches find: one list of hits, or one per query vector.

use std::sync::Arc;

use nearfield::{Explanation, Found, Id};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PySlice, PySliceMethods};

use crate::{arrays, ids, json, points};

/// A point that was found: its id, its score, and its metadata and vector if they were asked for.
#[pyclass(frozen, module = "nearfield")]
pub(crate) struct Hit {
    hits: Arc<Vec<nearfield::Hit>>,
    position: usize,
    vector: PyOnceLock<Option<Py<PyAny>>>,
    metadata: PyOnceLock<Option<Py<PyAny>>>,
}

impl Hit {
    fn hit(&self) -> &nearfield::Hit {
        &self.hits[self.position]
    }
}

#[pymethods]
impl Hit {
    /// Its id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        ids::object(py, self.hit().id.as_ref())
    }

    /// Similarity under cosine and dot (larger is nearer), distance under euclidean (smaller is
    /// nearer).
    #[getter]
    fn score(&self) -> f32 {
        self.hit().score
    }

    /// Its metadata, a dict; None if there is none, or it was not asked for.
    #[getter]
    fn metadata(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        points::metadata(py, &self.metadata, self.hit().metadata.as_ref())
    }

    /// Its vector, a NumPy array of float32; None if it was not asked for.
    #[getter]
    fn vector(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        points::vector(py, &self.vector, self.hit().vector.as_deref())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (py, this) = (slf.py(), slf.get());
        let hit = this.hit();
        let mut shown = format!("Hit(id={}, score={:?}", this.id(py)?.repr()?, hit.score);
        if let Some(metadata) = this.metadata(py)? {
            shown.push_str(&format!(", metadata={}", metadata.bind(py).repr()?));
        }
        if let Some(vector) = &hit.vector {
            shown.push_str(&format!(", vector={}", points::shown_vector(vector)));
        }
        shown.push(')');
        Ok(shown)
    }
}

/// The hits of one query vector, the nearest first: a sequence of [`Hit`].
#[pyclass(frozen, sequence, module = "nearfield")]
pub(crate) struct Hits {
    hits: Arc<Vec<nearfield::Hit>>,
    explanation: Option<Arc<Explanation>>,
}

impl Hits {
    fn hit(&self, position: usize) -> Hit {
        Hit {
            hits: self.hits.clone(),
            position,
            vector: PyOnceLock::new(),
            metadata: PyOnceLock::new(),
        }
    }
}

#[pymethods]
impl Hits {
    /// The ids, nearest first.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let ids = self.hits.iter().map(|hit| ids::object(py, hit.id.as_ref()));
        PyList::new(py, ids.collect::<PyResult<Vec<_>>>()?)
    }

    /// The scores, nearest first: a NumPy array of float32.
    #[getter]
    fn scores<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let scores: Vec<f32> = self.hits.iter().map(|hit| hit.score).collect();
        arrays::of_f32(py, &scores)
    }

    /// How they were found, a dict, if `explain` was asked for.
    #[getter]
    fn explanation<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        explained(py, self.explanation.as_deref())
    }

    /// Ids and scores as two NumPy arrays.
    fn to_numpy<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let numbers: Option<Vec<u64>> = self
            .hits
            .iter()
            .map(|hit| match hit.id {
                Id::U64(number) => Some(number),
                _ => None,
            })
            .collect();
        let ids = match numbers {
            Some(numbers) => arrays::of_u64(py, &numbers)?,
            None => py
                .import("numpy")?
                .call_method1("array", (self.ids(py)?, "object"))?,
        };
        Ok((ids, self.scores(py)?))
    }

    /// A table of pyarrow: columns `id` and `score`, one per member of the metadata, and `vector`.
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table(slf, "to_arrow")
    }

    /// A data frame of pandas, with the columns of `to_arrow`.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table(slf, "to_pandas")
    }

    /// A data frame of polars, with the columns of `to_arrow`.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table(slf, "to_polars")
    }

    fn __len__(&self) -> usize {
        self.hits.len()
    }

    fn __getitem__<'py>(&self, place: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = place.py();
        match Place::read(place, self.hits.len())? {
            Place::One(position) => self.hit(position).into_bound_py_any(py),
            Place::Some(positions) => {
                let hits: Vec<Hit> = positions.into_iter().map(|at| self.hit(at)).collect();
                hits.into_bound_py_any(py)
            }
        }
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let hits: Vec<Hit> = (0..self.hits.len()).map(|at| self.hit(at)).collect();
        Ok(hits.into_bound_py_any(py)?.try_iter()?.into_any().unbind())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let this = slf.get();
        let hits = (0..this.hits.len().min(10)).map(|position| {
            let hit = Bound::new(slf.py(), this.hit(position))?;
            Hit::__repr__(&hit)
        });
        let mut shown = hits.collect::<PyResult<Vec<_>>>()?;
        if this.hits.len() > 10 {
            shown.push(format!("… {} hits", this.hits.len()));
        }
        Ok(format!("[{}]", shown.join(",\n ")))
    }
}

/// The hits of many query vectors: a sequence of [`Hits`], one per row of the matrix.
#[pyclass(frozen, sequence, module = "nearfield")]
pub(crate) struct ManyHits {
    results: Vec<Arc<Vec<nearfield::Hit>>>,
    explanation: Option<Arc<Explanation>>,
}

impl ManyHits {
    fn row(&self, row: usize) -> Hits {
        Hits {
            hits: self.results[row].clone(),
            explanation: self.explanation.clone(),
        }
    }

    /// The hits of the row that has most.
    fn width(&self) -> usize {
        self.results
            .iter()
            .map(|hits| hits.len())
            .max()
            .unwrap_or(0)
    }

    fn hits(&self) -> impl Iterator<Item = Option<&nearfield::Hit>> {
        let width = self.width();
        self.results.iter().flat_map(move |hits| {
            let missing = width.saturating_sub(hits.len());
            hits.iter()
                .map(Some)
                .chain(std::iter::repeat_n(None, missing))
        })
    }
}

#[pymethods]
impl ManyHits {
    /// The ids, one row per query vector: a NumPy array, of uint64 if all ids are numbers and else
    /// of objects. Where a row has fewer hits than another, None fills it up.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let shape = (self.results.len(), self.width());
        let numbers: Option<Vec<u64>> = self
            .hits()
            .map(|hit| match hit.map(|hit| &hit.id) {
                Some(Id::U64(number)) => Some(*number),
                _ => None,
            })
            .collect();
        let array = match numbers {
            Some(numbers) => arrays::of_u64(py, &numbers)?,
            None => {
                let objects: Vec<Bound<'_, PyAny>> = self
                    .hits()
                    .map(|hit| match hit {
                        Some(hit) => ids::object(py, hit.id.as_ref()),
                        None => Ok(py.None().into_bound(py)),
                    })
                    .collect::<PyResult<_>>()?;
                py.import("numpy")?
                    .call_method1("array", (objects, "object"))?
            }
        };
        array.call_method1("reshape", (shape,))
    }

    /// The scores, one row per query vector: a NumPy array of float32. Where a row has fewer hits
    /// than another, NaN fills it up.
    #[getter]
    fn scores<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let scores = self.hits().map(|hit| hit.map_or(f32::NAN, |hit| hit.score));
        let array = arrays::of_f32(py, &scores.collect::<Vec<f32>>())?;
        array.call_method1("reshape", ((self.results.len(), self.width()),))
    }

    /// How they were found, a dict, if `explain` was asked for.
    #[getter]
    fn explanation<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        explained(py, self.explanation.as_deref())
    }

    /// Ids and scores as two NumPy arrays.
    fn to_numpy<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        Ok((self.ids(py)?, self.scores(py)?))
    }

    /// A table of pyarrow: columns `id` and `score`, one per member of the metadata, and `vector`. The
    /// column `query` holds the number of the query vector.
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table(slf, "to_arrow")
    }

    /// A data frame of pandas, with the columns of `to_arrow`.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table(slf, "to_pandas")
    }

    /// A data frame of polars, with the columns of `to_arrow`.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table(slf, "to_polars")
    }

    fn __len__(&self) -> usize {
        self.results.len()
    }

    fn __getitem__<'py>(&self, place: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = place.py();
        match Place::read(place, self.results.len())? {
            Place::One(row) => self.row(row).into_bound_py_any(py),
            Place::Some(rows) => {
                let rows: Vec<Hits> = rows.into_iter().map(|row| self.row(row)).collect();
                rows.into_bound_py_any(py)
            }
        }
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let rows: Vec<Hits> = (0..self.results.len()).map(|row| self.row(row)).collect();
        Ok(rows.into_bound_py_any(py)?.try_iter()?.into_any().unbind())
    }

    fn __repr__(&self) -> String {
        format!(
            "ManyHits({} query vectors, up to {} hits each)",
            self.results.len(),
            self.width()
        )
    }
}

/// What was found, as one list of hits or as one per query vector.
pub(crate) fn found(py: Python<'_>, found: Found, single: bool) -> PyResult<Py<PyAny>> {
    let explanation = found.explained.map(Arc::new);
    let mut results = found.results;
    if single {
        let hits = Arc::new(results.pop().unwrap_or_default());
        return Hits { hits, explanation }.into_py_any(py);
    }
    let results = results.into_iter().map(Arc::new).collect();
    ManyHits {
        results,
        explanation,
    }
    .into_py_any(py)
}

/// Hits as a table, made in Python.
fn table<'py>(hits: &Bound<'py, PyAny>, function: &str) -> PyResult<Bound<'py, PyAny>> {
    let module = hits.py().import("nearfield._tables")?;
    module.call_method1(function, (hits,))
}

fn explained<'py>(
    py: Python<'py>,
    explanation: Option<&Explanation>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let text = explanation.map(serde_json::to_string).transpose();
    let text = text.map_err(|error| PyTypeError::new_err(error.to_string()))?;
    text.map(|text| json::read(py, &text)).transpose()
}

/// Where in a sequence.
enum Place {
    One(usize),
    Some(Vec<usize>),
}

impl Place {
    fn read(place: &Bound<'_, PyAny>, length: usize) -> PyResult<Place> {
        let signed = isize::try_from(length)?;
        if let Ok(slice) = place.cast::<PySlice>() {
            let part = slice.indices(signed)?;
            let steps = (0..part.slicelength).map(|step| part.start + step as isize * part.step);
            return Ok(Place::Some(steps.map(|at| at as usize).collect()));
        }
        let at: isize = place.extract()?;
        let at = if at < 0 { at + signed } else { at };
        match usize::try_from(at) {
            Ok(at) if at < length => Ok(Place::One(at)),
            _ => Err(PyIndexError::new_err(format!(
                "there are {length}, counted from 0"
            ))),
        }
    }
}
