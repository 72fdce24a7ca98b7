//! `delete`: removes points by id or filter.

use serde::{Deserialize, Serialize};

use super::{Durability, Selection, check_collection_name};
use crate::error::Result;

/// Removes points. Ids that are not there are passed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete<'a> {
    /// The collection.
    pub collection: String,
    /// The points.
    pub selection: Selection<'a>,
    /// How durable the removal is when this is answered.
    pub durability: Durability,
}

impl<'a> Delete<'a> {
    /// Removes the points of `selection` with `sync` durability.
    pub fn new(collection: impl Into<String>, selection: impl Into<Selection<'a>>) -> Self {
        Delete {
            collection: collection.into(),
            selection: selection.into(),
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

/// The points are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deleted {
    /// Points that were there and are not any more.
    pub deleted: u64,
    /// The number of this write.
    pub sequence: u64,
}
