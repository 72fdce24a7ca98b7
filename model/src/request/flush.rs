//! `flush`: makes all acknowledged writes durable.

use serde::{Deserialize, Serialize};

use super::check_collection_name;
use crate::error::Result;

/// Puts all writes of a collection that were acknowledged before on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flush {
    /// The collection.
    pub collection: String,
}

impl Flush {
    /// Flushes `collection`.
    pub fn new(collection: impl Into<String>) -> Self {
        Flush {
            collection: collection.into(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)
    }
}

/// The writes are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Flushed {
    /// The number of the last write that is on disk.
    pub sequence: u64,
}
