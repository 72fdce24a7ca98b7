//! `snapshot`: copies a consistent view of a collection.

use serde::{Deserialize, Serialize};

use super::check_collection_name;
use crate::error::{Error, Result};

/// Copies a consistent view of a collection into a folder that is a store of its own.
/// Searches and writes go on meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The collection.
    pub collection: String,
    /// The folder to make, on the machine of the store; it must not exist. Unless given,
    /// `snapshots/<collection>-<sequence>` inside the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

impl Snapshot {
    /// Copies `collection` into the store's own `snapshots` folder.
    pub fn new(collection: impl Into<String>) -> Self {
        Snapshot {
            collection: collection.into(),
            destination: None,
        }
    }

    /// Sets the folder to make.
    pub fn destination(mut self, folder: impl Into<String>) -> Self {
        self.destination = Some(folder.into());
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)?;
        if self
            .destination
            .as_deref()
            .is_some_and(|folder| folder.is_empty() || folder.contains('\0'))
        {
            return Err(Error::invalid("the destination is not a path").in_field("destination"));
        }
        Ok(())
    }
}

/// The copy is made and on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SnapshotTaken {
    /// Where the copy is.
    pub path: String,
    /// The number of the last write that it holds.
    pub sequence: u64,
    /// Its points.
    pub count: u64,
    /// Its bytes.
    pub bytes: u64,
}
