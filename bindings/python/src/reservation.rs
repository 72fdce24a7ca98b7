//! Vectors that are written where the door takes them from.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use nearfield::{Batch, Error, Reserved, Upsert};
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::arguments;
use crate::call::call;
use crate::error::{invalid, raise};
use crate::ids::Given;
use crate::outcomes::Upserted;
use crate::pool::Pooled;
use crate::store::Store;
use crate::{arrays, metadata};

/// Rows in the door's own memory, zero until written; to be written and committed again and again.
#[pyclass(frozen, module = "nearfield")]
pub(crate) struct Reservation {
    store: Arc<Store>,
    collection: String,
    /// Kept for its memory, whose components are reached by `values` alone.
    memory: Box<dyn Reserved>,
    values: *mut f32,
    shape: [ffi::Py_ssize_t; 2],
    strides: [ffi::Py_ssize_t; 2],
}

/// What to do in a forked child.
const LEFT_BEHIND: &str =
    "the rows were reserved before this process was forked; reserve others in this process";

// SAFETY: the memory stays where it is, and belongs to this object. What threads of Python write
// there while it is committed is treated like an array that changes during a call.
unsafe impl Send for Reservation {}
// SAFETY: as above.
unsafe impl Sync for Reservation {}

impl Reservation {
    pub(crate) fn new(
        py: Python<'_>,
        store: Arc<Store>,
        collection: String,
        rows: usize,
        dimension: usize,
    ) -> PyResult<Reservation> {
        let service = store.database(py)?.service();
        let components = rows.saturating_mul(dimension);
        let mut memory = py
            .detach(|| service.reserve(components))
            .map_err(|error| raise(py, error))?;
        let values = memory.values_mut();
        if values.len() != components {
            return Err(raise(
                py,
                Error::internal("less was reserved than asked for"),
            ));
        }
        let row_bytes = dimension * size_of::<f32>();
        Ok(Reservation {
            values: values.as_mut_ptr(),
            store,
            collection,
            memory,
            shape: [rows.try_into()?, dimension.try_into()?],
            strides: [row_bytes.try_into()?, size_of::<f32>() as ffi::Py_ssize_t],
        })
    }
}

impl Reservation {
    /// Whether the memory is there: a forked child has none that its parent shares with the owner.
    fn is_mapped(&self) -> bool {
        let components: ffi::Py_ssize_t = self.shape.iter().product();
        self.memory.values().len() == components as usize
    }

    /// The first components, as many as there are at most.
    fn first(&self, count: usize) -> First<'_> {
        if self.store.remote {
            // SAFETY: the memory holds at least so many components, and this object keeps it. What
            // a thread of Python writes there meanwhile is treated as in `vectors.rs`.
            return First::Borrowed(unsafe { std::slice::from_raw_parts(self.values, count) });
        }
        let mut values = Pooled::take();
        values.0.reserve(count);
        // SAFETY: the memory holds at least so many components, and room was reserved for them.
        unsafe {
            std::ptr::copy_nonoverlapping(self.values, values.0.as_mut_ptr(), count);
            values.0.set_len(count);
        }
        First::Copied(values)
    }
}

/// Components that are committed: copied for the reason that arrays are.
enum First<'r> {
    Borrowed(&'r [f32]),
    Copied(Pooled),
}

impl First<'_> {
    fn get(&self) -> &[f32] {
        match self {
            First::Borrowed(values) => values,
            First::Copied(values) => &values.0,
        }
    }
}

#[pymethods]
impl Reservation {
    /// The rows, a NumPy array to be written.
    #[getter]
    fn vectors<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        arrays::over(slf)
    }

    /// Upserts the first rows, one per id. The rows stay as they are, to be written again.
    #[pyo3(signature = (ids, metadata = None, *, durability = "sync"))]
    fn commit(
        &self,
        py: Python<'_>,
        ids: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        durability: &str,
    ) -> PyResult<Upserted> {
        let database = self.store.database(py)?;
        let durability = arguments::durability(py, durability)?;
        let given = Given::read(ids)?;
        let column = metadata
            .map(|metadata| metadata::column(metadata, given.single))
            .transpose()?;
        let [rows, dimension] = self.shape.map(|count| count as usize);
        if given.ids.len() > rows {
            return Err(invalid(
                py,
                "ids",
                format!(
                    "{} ids are given, and {rows} rows are reserved",
                    given.ids.len()
                ),
            ));
        }
        if !self.is_mapped() {
            return Err(raise(py, Error::invalid(LEFT_BEHIND)));
        }
        let values = self.first(given.ids.len() * dimension);
        let answer = call(py, &database, true, || {
            let mut batch = Batch::new(given.ids.borrowed(), values.get());
            batch.metadata = column.as_ref().map(nearfield::MetadataColumn::borrowed);
            Upsert::new(&self.collection, batch).durability(durability)
        })?;
        Ok(Upserted {
            ids: ids.clone().unbind(),
            upserted: answer.upserted,
            sequence: answer.sequence,
        })
    }

    fn __len__(&self) -> usize {
        self.shape[0] as usize
    }

    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no buffer is given"));
        }
        let this = slf.get();
        if !this.is_mapped() {
            return Err(PyBufferError::new_err(LEFT_BEHIND));
        }
        let bytes = this.shape[0] * this.strides[0];
        let given = |flag: c_int| flags & flag == flag;
        // SAFETY: `view` is Python's to fill. Shape and strides are inside of this object, which
        // does not move and which the view keeps; Python does not write to them.
        unsafe {
            (*view).buf = this.values.cast::<c_void>();
            (*view).len = bytes;
            (*view).itemsize = size_of::<f32>() as ffi::Py_ssize_t;
            (*view).readonly = 0;
            (*view).format = match given(ffi::PyBUF_FORMAT) {
                true => c"f".as_ptr().cast_mut(),
                false => std::ptr::null_mut(),
            };
            (*view).ndim = 2;
            (*view).shape = match given(ffi::PyBUF_ND) {
                true => this.shape.as_ptr().cast_mut(),
                false => std::ptr::null_mut(),
            };
            (*view).strides = match given(ffi::PyBUF_STRIDES) {
                true => this.strides.as_ptr().cast_mut(),
                false => std::ptr::null_mut(),
            };
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = std::ptr::null_mut();
            (*view).obj = slf.into_ptr();
        }
        Ok(())
    }

    fn __repr__(&self) -> String {
        let [rows, dimension] = self.shape;
        format!(
            "Reservation({rows} rows of {dimension} in {:?})",
            self.collection
        )
    }
}
