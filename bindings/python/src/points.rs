//! Points as they are read.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::{arrays, ids, json};

/// A point: its id, its vector and its metadata.
#[pyclass(frozen, module = "nearfield")]
pub(crate) struct Point {
    point: nearfield::Point,
    vector: PyOnceLock<Option<Py<PyAny>>>,
    metadata: PyOnceLock<Option<Py<PyAny>>>,
}

impl Point {
    pub(crate) fn new(point: nearfield::Point) -> Point {
        Point {
            point,
            vector: PyOnceLock::new(),
            metadata: PyOnceLock::new(),
        }
    }
}

#[pymethods]
impl Point {
    /// Its id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        ids::object(py, self.point.id.as_ref())
    }

    /// Its vector, a NumPy array of float32; None if it was not asked for.
    #[getter]
    fn vector(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        vector(py, &self.vector, self.point.vector.as_deref())
    }

    /// Its metadata, a dict; None if there is none, or it was not asked for.
    #[getter]
    fn metadata(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        metadata(py, &self.metadata, self.point.metadata.as_ref())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let point = slf.get();
        let mut shown = format!("Point(id={}", point.id(slf.py())?.repr()?);
        if let Some(vector) = &point.point.vector {
            shown.push_str(&format!(", vector={}", shown_vector(vector)));
        }
        if let Some(metadata) = point.metadata(slf.py())? {
            shown.push_str(&format!(", metadata={}", metadata.bind(slf.py()).repr()?));
        }
        shown.push(')');
        Ok(shown)
    }
}

/// The first components of a vector and its dimension.
pub(crate) fn shown_vector(vector: &[f32]) -> String {
    let shown: Vec<String> = vector
        .iter()
        .take(4)
        .map(|value| format!("{value:?}"))
        .collect();
    match vector.len() {
        0..=4 => format!("[{}]", shown.join(", ")),
        more => format!("[{}, … {more} components]", shown.join(", ")),
    }
}

/// The array of a vector, made at the first look.
pub(crate) fn vector(
    py: Python<'_>,
    made: &PyOnceLock<Option<Py<PyAny>>>,
    vector: Option<&[f32]>,
) -> PyResult<Option<Py<PyAny>>> {
    let made = made.get_or_try_init(py, || {
        let array = vector
            .map(|vector| arrays::of_f32(py, vector))
            .transpose()?;
        Ok::<_, PyErr>(array.map(Bound::unbind))
    })?;
    Ok(made.as_ref().map(|array| array.clone_ref(py)))
}

/// The dict of metadata, made at the first look.
pub(crate) fn metadata(
    py: Python<'_>,
    made: &PyOnceLock<Option<Py<PyAny>>>,
    metadata: Option<&nearfield::Metadata>,
) -> PyResult<Option<Py<PyAny>>> {
    let made = made.get_or_try_init(py, || {
        let dict = metadata.map(|metadata| json::read(py, metadata.as_str()));
        Ok::<_, PyErr>(dict.transpose()?.map(Bound::unbind))
    })?;
    Ok(made.as_ref().map(|dict| dict.clone_ref(py)))
}

/// A page of a scan.
#[pyclass(frozen, module = "nearfield", get_all)]
pub(crate) struct Page {
    /// The points.
    pub(crate) points: Py<PyList>,
    /// Where to go on; None after the last page.
    pub(crate) next: Option<u64>,
}

#[pymethods]
impl Page {
    fn __len__(&self, py: Python<'_>) -> usize {
        self.points.bind(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let next = self.next.map_or("None".to_owned(), |next| next.to_string());
        format!("Page({} points, next={next})", self.__len__(py))
    }
}
