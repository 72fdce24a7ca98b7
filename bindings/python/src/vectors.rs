//! Vectors that come in: arrays, lists, and what NumPy can read.
//!
//! Another thread of Python may write to an array during a call. So where the engine is in this
//! process, the array is copied once, into memory that this call alone sees, and checks, checksums
//! and writes use that copy. A door to another process copies by itself: there the array is
//! borrowed.

use std::ffi::CStr;

use nearfield::Vectors;
use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyTuple};

use crate::error::invalid;
use crate::lists;
use crate::pool::Pooled;

/// Bytes from which on the interpreter is released for a copy.
const RELEASE_BYTES: usize = 64 << 10;

/// A matrix whose components nobody else can change.
pub(crate) struct Matrix {
    values: Values,
    pub(crate) dimension: usize,
    /// Whether it was given as one vector and not as rows.
    pub(crate) single: bool,
}

enum Values {
    Copied(Pooled),
    /// Memory that was made for this call, or that the door copies.
    Borrowed(PyBuffer<f32>),
}

impl Matrix {
    /// Reads vectors from an array, a list, or anything that NumPy reads. An array is copied,
    /// unless the door will do so and `borrow` says that.
    pub(crate) fn read(vectors: &Bound<'_, PyAny>, borrow: bool) -> PyResult<Matrix> {
        if vectors.is_exact_instance_of::<PyList>() || vectors.is_exact_instance_of::<PyTuple>() {
            let mut values = Pooled::take();
            let (dimension, single) = lists::read(vectors, &mut values.0)?;
            return Ok(Matrix {
                values: Values::Copied(values),
                dimension,
                single,
            });
        }
        if let Some(buffer) = contiguous(vectors) {
            return Matrix::over(vectors.py(), buffer, borrow);
        }
        let made = PyBuffer::<f32>::get(&converted(vectors)?)?;
        Matrix::over(vectors.py(), made, true)
    }

    fn over(py: Python<'_>, buffer: PyBuffer<f32>, borrow: bool) -> PyResult<Matrix> {
        let (dimension, single) = shape(py, &buffer)?;
        let values = if borrow {
            Values::Borrowed(buffer)
        } else {
            let mut values = Pooled::take();
            append(py, &buffer, &mut values.0);
            Values::Copied(values)
        };
        Ok(Matrix {
            values,
            dimension,
            single,
        })
    }

    /// All components, row after row.
    pub(crate) fn values(&self) -> &[f32] {
        match &self.values {
            Values::Copied(values) => &values.0,
            Values::Borrowed(buffer) => match buffer.as_slice_ptr() {
                // SAFETY: the buffer holds so many components for as long as it is held. Nobody
                // writes to them if the array was made for this call. Else a thread of Python
                // may, as with every extension that reads arrays without the interpreter's lock,
                // and the door only copies them: what it sends is checked at the other side.
                Some(values) => unsafe { values.as_ref() },
                None => &[],
            },
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.values().len().checked_div(self.dimension).unwrap_or(0)
    }

    /// The matrix as the model sees it.
    pub(crate) fn vectors(&self, py: Python<'_>) -> PyResult<Vectors<'_>> {
        Vectors::new(self.values(), self.dimension).map_err(|error| crate::error::raise(py, error))
    }
}

/// Appends the components of one vector, whichever object it is.
pub(crate) fn append_row(row: &Bound<'_, PyAny>, values: &mut Vec<f32>) -> PyResult<()> {
    let py = row.py();
    let one_dimensional = |dimensions: usize| match dimensions {
        1 => Ok(()),
        more => Err(invalid(
            py,
            "vectors",
            format!("a vector in a list has {more} dimensions; give it one"),
        )),
    };
    if let Some(buffer) = contiguous(row) {
        one_dimensional(buffer.dimensions())?;
        append(py, &buffer, values);
        return Ok(());
    }
    let row = PyBuffer::<f32>::get(&converted(row)?)?;
    one_dimensional(row.dimensions())?;
    append(py, &row, values);
    Ok(())
}

/// The buffer of an object that holds `f32` row after row.
fn contiguous(object: &Bound<'_, PyAny>) -> Option<PyBuffer<f32>> {
    let buffer = PyUntypedBuffer::get(object).ok()?;
    if !buffer.is_c_contiguous() || !is_native(buffer.format()) {
        return None;
    }
    buffer.into_typed().ok()
}

/// Whether a format of the module `struct` is in this machine's order of bytes.
pub(crate) fn is_native(format: &CStr) -> bool {
    match format.to_bytes() {
        [b'<', ..] => cfg!(target_endian = "little"),
        [b'>' | b'!', ..] => cfg!(target_endian = "big"),
        _ => true,
    }
}

/// Components per row, and whether there is but one vector.
fn shape(py: Python<'_>, buffer: &PyBuffer<f32>) -> PyResult<(usize, bool)> {
    match *buffer.shape() {
        [dimension] => Ok((dimension, true)),
        [_, dimension] => Ok((dimension, false)),
        ref shape => Err(invalid(
            py,
            "vectors",
            format!(
                "an array of {} dimensions is given; one dimension is a vector, and two are a matrix of them",
                shape.len()
            ),
        )),
    }
}

/// Copies the components of a contiguous buffer.
fn append(py: Python<'_>, buffer: &PyBuffer<f32>, values: &mut Vec<f32>) {
    let count = buffer.item_count();
    values.reserve(count);
    let copy = |values: &mut Vec<f32>| {
        if count > 0 {
            // SAFETY: the buffer is contiguous and holds `count` components for as long as it is
            // held; the room was reserved, and any bits are a valid `f32`. Threads of Python may
            // write to the source meanwhile: then old or new values are copied, as with every
            // extension that reads arrays without the interpreter's lock. Nothing reads it twice.
            unsafe {
                let end = values.as_mut_ptr().add(values.len());
                std::ptr::copy_nonoverlapping(buffer.buf_ptr().cast::<f32>(), end, count);
                values.set_len(values.len() + count);
            }
        }
    };
    if count * size_of::<f32>() < RELEASE_BYTES {
        copy(values);
    } else {
        let source = buffer;
        // The pointer stays with the buffer, which is `Sync`.
        py.detach(|| {
            let _held = source;
            copy(values);
        });
    }
}

/// A new array of `f32` of what NumPy can read.
fn converted<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static AS_MATRIX: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let function = AS_MATRIX.import(object.py(), "nearfield._arrays", "as_f32")?;
    function.call1((object,))
}
