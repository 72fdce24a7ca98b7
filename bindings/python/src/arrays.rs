//! NumPy arrays that go out.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyByteArray;

/// A new array of one dimension.
pub(crate) fn of_f32<'py>(py: Python<'py>, values: &[f32]) -> PyResult<Bound<'py, PyAny>> {
    of_bytes(py, bytes_of(values), "float32")
}

/// A new array of one dimension.
pub(crate) fn of_u64<'py>(py: Python<'py>, values: &[u64]) -> PyResult<Bound<'py, PyAny>> {
    of_bytes(py, bytes_of(values), "uint64")
}

/// The array over an object with the buffer protocol; it keeps the object.
pub(crate) fn over<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static AS_ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    AS_ARRAY
        .import(object.py(), "numpy", "asarray")?
        .call1((object,))
}

/// Numbers whose bytes all may be read.
trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for u64 {}

fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: numbers have no padding, and any bytes may be read.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

fn of_bytes<'py>(py: Python<'py>, bytes: &[u8], dtype: &str) -> PyResult<Bound<'py, PyAny>> {
    static FROM_BUFFER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let function = FROM_BUFFER.import(py, "numpy", "frombuffer")?;
    if bytes.is_empty() {
        return py.import("numpy")?.call_method1("empty", (0, dtype));
    }
    function.call1((PyByteArray::new(py, bytes), dtype))
}
