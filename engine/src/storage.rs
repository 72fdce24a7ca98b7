//! How a collection's points are laid out, and how failures of its files are reported.

use std::io;
use std::path::Path;

use half::f16;
use half::slice::HalfFloatSliceExt;
use nearfield_model::{CreateCollection, Error, ErrorKind, Metric, Storage};
use serde::{Deserialize, Serialize};

/// What is fixed when a collection is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schema {
    pub(crate) dimension: usize,
    pub(crate) metric: Metric,
    pub(crate) storage: Storage,
    pub(crate) unindexed_fields: Vec<String>,
}

impl Schema {
    pub(crate) fn new(request: CreateCollection) -> Schema {
        Schema {
            dimension: request.dimension,
            metric: request.metric,
            storage: request.storage,
            unindexed_fields: request.unindexed_fields,
        }
    }

    /// Whether 1/norm is kept beside each row.
    pub(crate) fn has_scales(&self) -> bool {
        self.metric == Metric::Cosine
    }

    /// Bytes of one stored vector.
    pub(crate) fn vector_bytes(&self) -> usize {
        self.dimension * self.storage.component_bytes()
    }

    /// Where the scales begin after the start of a matrix of `rows`.
    pub(crate) fn scales_offset(&self, rows: usize) -> usize {
        (rows * self.vector_bytes()).next_multiple_of(4)
    }

    /// Reads a vector that is stored as `f16`.
    pub(crate) fn widen(&self, bytes: &[u8], into: &mut Vec<f32>) {
        into.resize(self.dimension, 0.0);
        match bytemuck::try_cast_slice::<u8, f16>(bytes) {
            Ok(halves) => halves.convert_to_f32_slice(into),
            Err(_) => {
                for (component, half) in into.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *component = f16::from_le_bytes(*half).to_f32();
                }
            }
        }
    }
}

/// `EMFILE` on Linux, macOS and the BSDs.
const TOO_MANY_OPEN_FILES: i32 = 24;

/// An error for a file operation that failed, with what to do next.
pub fn error(doing: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "; give this user read and write permission there",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free space on the disk, then open the store again"
        }
        io::ErrorKind::NotADirectory => "; choose a path that is a folder, or does not exist yet",
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the file system is read-only: copy the store to a folder that can be written, and open it there"
        }
        _ if error.raw_os_error() == Some(TOO_MANY_OPEN_FILES) => {
            "; raise the limit on open files (`ulimit -n`): each log file and collection needs one"
        }
        _ => "",
    };
    Error::new(
        ErrorKind::Storage,
        format!("cannot {doing} {path}: {error}{advice}"),
    )
}
