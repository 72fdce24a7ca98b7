//! Errors of the model as Python's exceptions, one class per kind.

use nearfield::Error;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// The exception that an error becomes.
pub(crate) fn raise(py: Python<'_>, error: Error) -> PyErr {
    exception(py, &error).unwrap_or_else(|failed| failed)
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let classes = CLASSES.import(py, "nearfield._errors", "BY_KIND")?;
    let class = classes.as_any().get_item(error.kind().as_str())?;
    Ok(PyErr::from_value(class.call1((
        error.message(),
        error.row(),
        error.field(),
    ))?))
}

/// The exception for an argument that breaks a rule.
pub(crate) fn invalid(py: Python<'_>, field: &str, message: impl Into<String>) -> PyErr {
    raise(py, Error::invalid(message).in_field(field))
}

/// The exception for a row that breaks a rule.
pub(crate) fn invalid_row(
    py: Python<'_>,
    field: &str,
    row: usize,
    message: impl Into<String>,
) -> PyErr {
    raise(py, Error::invalid(message).in_field(field).at_row(row))
}

/// The exception for an argument, or a row of it, whose type cannot be read.
pub(crate) fn invalid_type(
    py: Python<'_>,
    field: &str,
    row: Option<usize>,
    message: impl Into<String>,
) -> PyErr {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = CLASS
        .import(py, "nearfield._errors", "InvalidType")
        .and_then(|class| class.call1((message.into(), row, field)));
    made.map_or_else(|failed| failed, PyErr::from_value)
}

/// The same exception, about a row of a field, if it is one of Python's own that says nothing of
/// them.
pub(crate) fn at_row(py: Python<'_>, error: PyErr, field: &str, row: usize) -> PyErr {
    let reason = || error.value(py).to_string();
    if let Ok(known) = error.value(py).getattr("message") {
        let is_type = error.is_instance_of::<PyTypeError>(py);
        let message = known.to_string();
        return match is_type {
            true => invalid_type(py, field, Some(row), message),
            false => invalid_row(py, field, row, message),
        };
    }
    if error.is_instance_of::<PyTypeError>(py) {
        invalid_type(py, field, Some(row), reason())
    } else if error.is_instance_of::<PyValueError>(py) {
        invalid_row(py, field, row, reason())
    } else {
        error
    }
}
