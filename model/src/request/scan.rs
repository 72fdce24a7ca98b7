//! `scan`: reads all points, page by page.

use serde::{Deserialize, Serialize};

use super::{Point, check_collection_name};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::limits::SCAN_LIMIT_MAX;

/// Reads points page by page, in the order in which they were last written. A point that
/// is there from the first page to the last is read at least once; one that is rewritten
/// meanwhile may be read again at its new place.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The collection.
    pub collection: String,
    /// Points per page, 1 to [`SCAN_LIMIT_MAX`]; 1,000 unless said otherwise.
    pub limit: usize,
    /// Where to go on: `next` of the page before.
    pub cursor: Option<Cursor>,
    /// Only points that match are read.
    pub filter: Option<Filter>,
    /// Whether points hold vectors.
    pub with_vectors: bool,
    /// Whether points hold metadata; true unless said otherwise.
    pub with_metadata: bool,
}

/// A place in a scan. It stays valid while the collection exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cursor(pub u64);

impl Scan {
    /// Reads the first 1,000 points of `collection` with their metadata.
    pub fn new(collection: impl Into<String>) -> Self {
        Scan {
            collection: collection.into(),
            limit: 1_000,
            cursor: None,
            filter: None,
            with_vectors: false,
            with_metadata: true,
        }
    }

    /// Sets the number of points per page.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on where the page before ended.
    pub fn cursor(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.cursor = cursor.into();
        self
    }

    /// Reads only points that match.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Sets whether points hold vectors.
    pub fn with_vectors(mut self, with: bool) -> Self {
        self.with_vectors = with;
        self
    }

    /// Sets whether points hold metadata.
    pub fn with_metadata(mut self, with: bool) -> Self {
        self.with_metadata = with;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)?;
        if self.limit == 0 || self.limit > SCAN_LIMIT_MAX {
            return Err(Error::invalid(format!(
                "the limit is {}; use 1 to {SCAN_LIMIT_MAX}",
                self.limit
            ))
            .in_field("limit"));
        }
        self.filter.as_ref().map_or(Ok(()), Filter::check)
    }
}

/// A page of points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scanned {
    /// The points.
    pub points: Vec<Point>,
    /// Where to go on; `None` after the last page.
    pub next: Option<Cursor>,
}
