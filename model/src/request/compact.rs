//! `compact`: gives back the space of removed points.

use serde::{Deserialize, Serialize};

use super::check_collection_name;
use crate::error::Result;

/// Rewrites the log files of a collection that hold removed points. Searches and writes
/// go on meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compact {
    /// The collection.
    pub collection: String,
}

impl Compact {
    /// Compacts `collection`.
    pub fn new(collection: impl Into<String>) -> Self {
        Compact {
            collection: collection.into(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)
    }
}

/// The space is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Compacted {
    /// Log files that were rewritten or removed.
    pub files: u64,
    /// Bytes of the log before.
    pub bytes_before: u64,
    /// Bytes of the log after.
    pub bytes_after: u64,
}
