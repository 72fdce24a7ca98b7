//! Ids that come in and go out: whole numbers, texts and UUIDs.

use nearfield::{Id, IdRef, Ids, Uuid};
use pyo3::IntoPyObjectExt;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyInt, PyList, PyString, PyTuple, PyType};

use crate::error::{invalid, invalid_row, invalid_type};
use crate::vectors::is_native;

/// Ids as they were given.
pub(crate) struct Given {
    pub(crate) ids: Ids<'static>,
    /// Whether it was one id and not a column of them.
    pub(crate) single: bool,
}

impl Given {
    /// Reads one id, a list, an array, or whatever else gives ids one by one.
    pub(crate) fn read(ids: &Bound<'_, PyAny>) -> PyResult<Given> {
        let given = Given::read_any(ids)?;
        if given.ids.is_empty() {
            return Err(invalid(
                ids.py(),
                "ids",
                "no ids are given; give at least one",
            ));
        }
        Ok(given)
    }

    fn read_any(ids: &Bound<'_, PyAny>) -> PyResult<Given> {
        let column = |ids| Given { ids, single: false };
        if let Ok(list) = ids.cast::<PyList>() {
            return read_each(list.py(), list.len(), list.iter()).map(column);
        }
        if let Ok(tuple) = ids.cast::<PyTuple>() {
            return read_each(tuple.py(), tuple.len(), tuple.iter()).map(column);
        }
        let id = id_of(ids).map_err(|error| invalid(ids.py(), "ids", reason(ids.py(), &error)))?;
        if let Some(id) = id {
            let ids = Ids::from_iter([id]);
            return Ok(Given { ids, single: true });
        }
        if let Ok(buffer) = PyBuffer::<u64>::get(ids)
            && buffer.dimensions() == 1
            && is_native(buffer.format())
        {
            return Ok(column(Ids::from(buffer.to_vec(ids.py())?)));
        }
        static AS_IDS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let function = AS_IDS.import(ids.py(), "nearfield._arrays", "as_ids")?;
        let read = function.call1((ids,))?;
        if let Ok(list) = read.cast::<PyList>() {
            return read_each(list.py(), list.len(), list.iter()).map(column);
        }
        let numbers = PyBuffer::<u64>::get(&read)?.to_vec(ids.py())?;
        Ok(column(Ids::from(numbers)))
    }

    /// New random UUIDs.
    pub(crate) fn random(count: usize) -> PyResult<Ids<'static>> {
        let mut bytes = vec![0; count * 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            pyo3::exceptions::PyOSError::new_err(format!("no random bytes: {error}"))
        })?;
        let uuids = bytes.chunks_exact(16).map(|bytes| {
            let mut uuid = [0; 16];
            uuid.copy_from_slice(bytes);
            Id::Uuid(uuid::Builder::from_random_bytes(uuid).into_uuid())
        });
        Ok(uuids.collect())
    }
}

fn read_each<'py>(
    py: Python<'py>,
    length: usize,
    ids: impl Iterator<Item = Bound<'py, PyAny>>,
) -> PyResult<Ids<'static>> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut mixed: Vec<Id> = Vec::new();
    for (row, object) in ids.enumerate() {
        let id = match id_of(&object) {
            Ok(Some(id)) => id,
            Ok(None) => {
                return Err(invalid_type(
                    py,
                    "ids",
                    Some(row),
                    format!(
                        "the type {} is no id; use a whole number, a text or a UUID",
                        object.get_type().name()?
                    ),
                ));
            }
            Err(error) => return Err(invalid_row(py, "ids", row, reason(py, &error))),
        };
        match id {
            Id::U64(number) if mixed.is_empty() => {
                if row == 0 {
                    numbers.reserve(length);
                }
                numbers.push(number);
            }
            id => {
                if mixed.is_empty() {
                    mixed.reserve(length);
                    mixed.extend(numbers.drain(..).map(Id::U64));
                }
                mixed.push(id);
            }
        }
    }
    Ok(if mixed.is_empty() {
        Ids::from(numbers)
    } else {
        Ids::from(mixed)
    })
}

fn reason(py: Python<'_>, error: &PyErr) -> String {
    error.value(py).to_string()
}

/// The id that an object is, if it is one. The message of an error is about the id alone.
fn id_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Id>> {
    let py = object.py();
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Some(Id::from(text.to_str()?)));
    }
    if let Ok(number) = object.cast_exact::<PyInt>() {
        return number_of(number.as_any()).map(|number| Some(Id::U64(number)));
    }
    if object.is_instance_of::<PyBool>() {
        return Ok(None);
    }
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if object.is_instance(UUID.import(py, "uuid", "UUID")?)? {
        let bytes: [u8; 16] = object.getattr("bytes")?.extract()?;
        return Ok(Some(Id::Uuid(Uuid::from_bytes(bytes))));
    }
    // Whole numbers of NumPy, but not its arrays.
    if object.hasattr("__index__")? && !object.hasattr("__len__")? {
        return number_of(object).map(|number| Some(Id::U64(number)));
    }
    Ok(None)
}

fn number_of(object: &Bound<'_, PyAny>) -> PyResult<u64> {
    object.extract::<u64>().map_err(|_| {
        let number = object.to_string();
        PyValueError::new_err(format!(
            "{number} cannot be an id; use 0 to 2^64 - 1, or a text"
        ))
    })
}

/// An id as Python's object: a number, or a text.
pub(crate) fn object<'py>(py: Python<'py>, id: IdRef<'_>) -> PyResult<Bound<'py, PyAny>> {
    match id {
        IdRef::U64(number) => number.into_bound_py_any(py),
        IdRef::String(text) => text.into_bound_py_any(py),
        IdRef::Uuid(uuid) => {
            let mut text = Uuid::encode_buffer();
            let text: &str = uuid.as_hyphenated().encode_lower(&mut text);
            text.into_bound_py_any(py)
        }
    }
}
