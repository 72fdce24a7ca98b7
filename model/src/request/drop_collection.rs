//! `drop_collection`: removes a collection and all its points.

use serde::{Deserialize, Serialize};

use super::check_collection_name;
use crate::error::Result;

/// Removes a collection and all its points. Refused with `NotFound` if it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropCollection {
    /// The collection.
    pub collection: String,
}

impl DropCollection {
    /// Removes `collection`.
    pub fn new(collection: impl Into<String>) -> Self {
        DropCollection {
            collection: collection.into(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)
    }
}

/// The collection is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dropped {
    /// Its name.
    pub collection: String,
}
