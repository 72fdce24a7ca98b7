//! Vectors in lists and tuples, read straight into one matrix.

use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyList, PyTuple};

use crate::error::{at_row, invalid, invalid_row, invalid_type};
use crate::vectors::append_row;

/// Appends the components of a list: of numbers, which is one vector, or of vectors. Tells their
/// dimension, and whether it is but one.
pub(crate) fn read(list: &Bound<'_, PyAny>, values: &mut Vec<f32>) -> PyResult<(usize, bool)> {
    let py = list.py();
    if list.len()? == 0 {
        return Err(invalid(
            py,
            "vectors",
            "no vector is given; give at least one",
        ));
    }
    let first = list.get_item(0)?;
    if is_number(&first)? {
        append_numbers(list, 0, values)?;
        return Ok((values.len(), true));
    }
    let mut dimension = 0;
    for row in 0..list.len()? {
        let before = values.len();
        let vector = list.get_item(row)?;
        if vector.is_exact_instance_of::<PyList>() || vector.is_exact_instance_of::<PyTuple>() {
            append_numbers(&vector, row, values)?;
        } else {
            append_row(&vector, values).map_err(|error| at_row(py, error, "vectors", row))?;
        }
        let length = values.len() - before;
        if row == 0 {
            dimension = length;
            values.reserve(dimension.saturating_mul(list.len()?.saturating_sub(1)));
        } else if length != dimension {
            return Err(invalid_row(
                py,
                "vectors",
                row,
                format!("the vector has {length} components and those before have {dimension}"),
            ));
        }
    }
    Ok((dimension, false))
}

/// Whether it is a number of Python or NumPy, and not an array of one.
fn is_number(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(object.is_instance_of::<PyFloat>()
        || object.is_instance_of::<PyInt>()
        || (object.hasattr("__float__")? && !object.hasattr("__len__")?))
}

fn append_numbers(vector: &Bound<'_, PyAny>, row: usize, values: &mut Vec<f32>) -> PyResult<()> {
    if let Ok(list) = vector.cast_exact::<PyList>() {
        append_list(list, row, values)
    } else {
        for (component, number) in vector.cast::<PyTuple>()?.iter_borrowed().enumerate() {
            values.push(number_of(&number, row, component)?);
        }
        Ok(())
    }
}

/// The items of a list are borrowed: no reference is counted per number.
#[cfg(not(Py_GIL_DISABLED))]
fn append_list(list: &Bound<'_, PyList>, row: usize, values: &mut Vec<f32>) -> PyResult<()> {
    use pyo3::{Borrowed, ffi};

    let py = list.py();
    let length = list.len();
    values.reserve(length);
    for component in 0..length {
        // SAFETY: `list` is a list, and an index beyond its end (it may have shrunk) gives null.
        let item = unsafe { ffi::PyList_GetItem(list.as_ptr(), component as ffi::Py_ssize_t) };
        if item.is_null() {
            return Err(PyErr::fetch(py));
        }
        // SAFETY: the item is a live object: the interpreter's lock is held, and between here and
        // its last use no code of Python runs for an exact float.
        if unsafe { ffi::PyFloat_CheckExact(item) } != 0 {
            // SAFETY: as above; a float cannot fail.
            values.push(unsafe { ffi::PyFloat_AsDouble(item) } as f32);
        } else {
            // SAFETY: as above; the reference is counted before other code runs.
            let number = unsafe { Borrowed::from_ptr(py, item) }.to_owned();
            values.push(number_of(&number, row, component)?);
        }
    }
    Ok(())
}

#[cfg(Py_GIL_DISABLED)]
fn append_list(list: &Bound<'_, PyList>, row: usize, values: &mut Vec<f32>) -> PyResult<()> {
    for (component, number) in list.iter().enumerate() {
        values.push(number_of(&number, row, component)?);
    }
    Ok(())
}

fn number_of(number: &Bound<'_, PyAny>, row: usize, component: usize) -> PyResult<f32> {
    match number.extract::<f64>() {
        Ok(number) => Ok(number as f32),
        Err(_) => Err(invalid_type(
            number.py(),
            "vectors",
            Some(row),
            format!(
                "component {component} is of the type {}, which is not a number",
                number.get_type().name()?
            ),
        )),
    }
}
