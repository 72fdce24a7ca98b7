//! Arguments that several methods of a collection share.

use nearfield::{Durability, Filter, Selection};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::error::{invalid, invalid_type};
use crate::ids::{self, Given};
use crate::metadata;
use crate::vectors::Matrix;

/// Reads a count, which is a whole number and not negative.
fn count(number: &Bound<'_, PyAny>, field: &str) -> PyResult<usize> {
    let py = number.py();
    if !number.is_instance_of::<PyInt>() && !number.hasattr("__index__")? {
        let kind = number.get_type().name()?;
        return Err(invalid_type(
            py,
            field,
            None,
            format!("the type {kind} is no whole number"),
        ));
    }
    number
        .extract()
        .map_err(|_| invalid(py, field, format!("{number} is out of range")))
}

/// Readers of one field each.
macro_rules! counts {
    ($($field:ident,)*) => {
        $(pub(crate) fn $field(number: &Bound<'_, PyAny>) -> PyResult<usize> {
            count(number, stringify!($field))
        })*
    };
}

counts! {
    dimension,
    limit,
    page_points,
    rows,
}

/// Readers of one field each, which may be left out.
macro_rules! optional_counts {
    ($($field:ident,)*) => {
        $(pub(crate) fn $field(number: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
            match number.is_none() {
                true => Ok(None),
                false => count(number, stringify!($field)).map(Some),
            }
        })*
    };
}

optional_counts! {
    cursor,
    probes,
    rerank,
}

/// Reads a durability's name.
pub(crate) fn durability(py: Python<'_>, name: &str) -> PyResult<Durability> {
    let words = [Durability::Sync, Durability::Os].map(|word| (word.as_str(), word));
    metadata::word(py, "durability", name, &words)
}

/// New ids for an upsert that gives none.
pub(crate) fn made(py: Python<'_>, matrix: &Matrix) -> PyResult<(Given, Py<PyAny>)> {
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

/// A scan of a collection.
pub(crate) fn scan(
    collection: &str,
    limit: usize,
    filter: Option<&Bound<'_, PyAny>>,
    with_vectors: bool,
    with_metadata: bool,
) -> PyResult<nearfield::Scan> {
    let mut request = nearfield::Scan::new(collection)
        .limit(limit)
        .with_vectors(with_vectors)
        .with_metadata(with_metadata);
    request.filter = metadata::optional_filter(filter)?;
    Ok(request)
}

/// The points that a request is about.
pub(crate) enum Points {
    Ids(Given),
    Filter(Filter),
}

impl Points {
    pub(crate) fn read(
        py: Python<'_>,
        ids: Option<&Bound<'_, PyAny>>,
        filter: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Points> {
        match (ids, filter) {
            (Some(ids), None) => Ok(Points::Ids(Given::read(ids)?)),
            (None, Some(filter)) => Ok(Points::Filter(metadata::filter(filter)?)),
            (None, None) => Err(invalid_type(
                py,
                "ids",
                None,
                "neither ids nor a filter are given; give one",
            )),
            (Some(_), Some(_)) => Err(invalid_type(
                py,
                "ids",
                None,
                "ids and a filter are given; give either",
            )),
        }
    }

    pub(crate) fn selection(&self) -> Selection<'_> {
        match self {
            Points::Ids(given) => Selection::Ids(given.ids.borrowed()),
            Points::Filter(filter) => Selection::Filter(filter.clone()),
        }
    }
}
