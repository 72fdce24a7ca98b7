//! Metadata that comes in: a list of dicts, a dict of columns, or a table.

use nearfield::{Filter, Metadata, MetadataColumn};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString};

use crate::error::{at_row, invalid, invalid_type, raise};
use crate::json;

/// Reads a column of metadata; `single` says that it is of one point.
pub(crate) fn column(
    metadata: &Bound<'_, PyAny>,
    single: bool,
) -> PyResult<MetadataColumn<'static>> {
    let py = metadata.py();
    if single && let Ok(dict) = metadata.cast::<PyDict>() {
        return rows(&PyList::new(py, [dict])?);
    }
    if let Ok(list) = metadata.cast::<PyList>() {
        return rows(list);
    }
    static AS_ROWS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let function = AS_ROWS.import(py, "nearfield._arrays", "as_rows")?;
    rows(function.call1((metadata,))?.cast::<PyList>()?)
}

fn rows(list: &Bound<'_, PyList>) -> PyResult<MetadataColumn<'static>> {
    let py = list.py();
    let mut text = String::new();
    let mut ends = Vec::with_capacity(list.len());
    for (row, metadata) in list.iter().enumerate() {
        if metadata.is_none() {
        } else if metadata.is_instance_of::<PyDict>() {
            json::write(&metadata, &mut text)
                .map_err(|error| at_row(py, error, "metadata", row))?;
        } else {
            return Err(invalid_type(
                py,
                "metadata",
                Some(row),
                format!(
                    "the type {} is no dict; use dicts, and None where there is none",
                    metadata.get_type().name()?
                ),
            ));
        }
        ends.push(u32::try_from(text.len()).map_err(|_| {
            raise(
                py,
                nearfield::Error::too_large(
                    "the metadata of the batch is over 4 GiB; send fewer points per upsert",
                ),
            )
        })?);
    }
    MetadataColumn::from_parts(text, ends).map_err(|error| raise(py, error))
}

/// Reads a patch of metadata.
pub(crate) fn patch(patch: &Bound<'_, PyDict>) -> PyResult<Metadata> {
    let py = patch.py();
    let mut text = String::new();
    json::write(patch, &mut text).map_err(|error| in_field(py, error, "patch"))?;
    Metadata::parse(&text).map_err(|error| raise(py, error.in_field("patch")))
}

/// The same exception, about a field.
fn in_field(py: Python<'_>, error: PyErr, field: &str) -> PyErr {
    let reason = error.value(py).to_string();
    match error.is_instance_of::<PyTypeError>(py) {
        true => invalid_type(py, field, None, reason),
        false => invalid(py, field, reason),
    }
}

/// Reads a filter: a text, or a dict of the JSON form.
pub(crate) fn filter(filter: &Bound<'_, PyAny>) -> PyResult<Filter> {
    let py = filter.py();
    let read = if let Ok(text) = filter.cast::<PyString>() {
        Filter::parse(text.to_str()?)
    } else if filter.is_instance_of::<PyDict>() {
        let mut text = String::new();
        json::write(filter, &mut text).map_err(|error| in_field(py, error, "filter"))?;
        Filter::from_json(&text)
    } else {
        return Err(invalid_type(
            py,
            "filter",
            None,
            format!(
                "a filter is a text such as \"year >= 1960\" or a dict, and not of the type {}",
                filter.get_type().name()?
            ),
        ));
    };
    read.map_err(|error| match error.field() {
        Some(_) => raise(py, error),
        None => raise(py, error.in_field("filter")),
    })
}

/// Reads a filter, if one is given.
pub(crate) fn optional_filter(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Filter>> {
    given.map(filter).transpose()
}

/// Reads one of a few words.
pub(crate) fn word<T>(py: Python<'_>, field: &str, word: &str, words: &[(&str, T)]) -> PyResult<T>
where
    T: Copy,
{
    let found = words.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        invalid(
            py,
            field,
            format!("{word:?} is not one of {}", names.join(", ")),
        )
    })
}
