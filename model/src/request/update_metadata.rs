//! `update_metadata`: merges a patch into the metadata of points.

use serde::{Deserialize, Serialize};

use super::{Durability, Selection, check_collection_name};
use crate::error::Result;
use crate::metadata::Metadata;

/// Merges a patch (RFC 7396) into the metadata of points: its members replace members of
/// the same name, objects merge, `null` removes. Vectors stay as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateMetadata<'a> {
    /// The collection.
    pub collection: String,
    /// The points; ids that are not there are passed over.
    pub selection: Selection<'a>,
    /// The patch.
    pub patch: Metadata,
    /// How durable the update is when this is answered.
    pub durability: Durability,
}

impl<'a> UpdateMetadata<'a> {
    /// Merges `patch` into the points of `selection` with `sync` durability.
    pub fn new(
        collection: impl Into<String>,
        selection: impl Into<Selection<'a>>,
        patch: Metadata,
    ) -> Self {
        UpdateMetadata {
            collection: collection.into(),
            selection: selection.into(),
            patch,
            durability: Durability::default(),
        }
    }

    /// Sets the durability.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)?;
        self.selection.check()
    }
}

/// The metadata is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MetadataUpdated {
    /// Points that were there and were patched.
    pub updated: u64,
    /// The number of this write.
    pub sequence: u64,
}
