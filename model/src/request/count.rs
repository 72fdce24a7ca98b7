//! `count`: counts points.

use serde::{Deserialize, Serialize};

use super::check_collection_name;
use crate::error::Result;
use crate::filter::Filter;

/// Counts the points of a collection, or those that match.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The collection.
    pub collection: String,
    /// Only points that match are counted.
    pub filter: Option<Filter>,
}

impl Count {
    /// Counts all points of `collection`.
    pub fn new(collection: impl Into<String>) -> Self {
        Count {
            collection: collection.into(),
            filter: None,
        }
    }

    /// Counts only points that match.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)?;
        self.filter.as_ref().map_or(Ok(()), Filter::check)
    }
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counted {
    /// The number of points.
    pub count: u64,
}
