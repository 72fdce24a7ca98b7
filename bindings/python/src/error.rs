//! Errors of the model as Python's exceptions, one class per kind.

use nearfield::Error;
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
