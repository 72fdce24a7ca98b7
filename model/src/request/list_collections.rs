//! `list_collections`: names the collections.

use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Names the collections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListCollections {}

impl ListCollections {
    pub(super) fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// The collections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Listed {
    /// Their names, sorted.
    pub collections: Vec<String>,
}
