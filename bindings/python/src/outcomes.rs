//! What writes and chores answer.

use pyo3::prelude::*;

/// An answer of numbers and texts, which says itself.
macro_rules! outcome {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[pyclass(frozen, module = "nearfield", get_all)]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }

        #[pymethods]
        impl $name {
            fn __repr__(&self) -> String {
                let fields = [$(format!(concat!(stringify!($field), "={:?}"), self.$field)),*];
                format!(concat!(stringify!($name), "({})"), fields.join(", "))
            }
        }
    };
}

/// The points are written.
#[pyclass(frozen, module = "nearfield", get_all)]
pub(crate) struct Upserted {
    /// The ids, as they were given or made.
    pub(crate) ids: Py<PyAny>,
    /// Points in the batch.
    pub(crate) upserted: u64,
    /// The number of this write; the last one's, if there were several.
    pub(crate) sequence: u64,
}

#[pymethods]
impl Upserted {
    fn __repr__(&self) -> String {
        format!(
            "Upserted(upserted={}, sequence={})",
            self.upserted, self.sequence
        )
    }
}

outcome! {
    /// The points are removed.
    Deleted {
        /// Points that were there and are not any more.
        deleted: u64,
        /// The number of this write.
        sequence: u64,
    }
}

outcome! {
    /// The metadata is updated.
    MetadataUpdated {
        /// Points that were there and were patched.
        updated: u64,
        /// The number of this write.
        sequence: u64,
    }
}

outcome! {
    /// The space is given back.
    Compacted {
        /// Log files that were rewritten or removed.
        files: u64,
        /// Bytes of the log before.
        bytes_before: u64,
        /// Bytes of the log after.
        bytes_after: u64,
    }
}

outcome! {
    /// The copy is made and on disk.
    SnapshotTaken {
        /// Where the copy is.
        path: String,
        /// The number of the last write that it holds.
        sequence: u64,
        /// Its points.
        count: u64,
        /// Its bytes.
        bytes: u64,
    }
}
