//! `get`: reads points by id.

use serde::{Deserialize, Serialize};

use super::{check_collection_name, check_ids};
use crate::error::Result;
use crate::id::{Id, Ids};
use crate::metadata::Metadata;

/// Reads points by id.
#[derive(Clone, Debug, PartialEq)]
pub struct Get<'a> {
    /// The collection.
    pub collection: String,
    /// The ids asked for.
    pub ids: Ids<'a>,
    /// Whether the answer holds vectors; true unless said otherwise.
    pub with_vectors: bool,
    /// Whether the answer holds metadata; true unless said otherwise.
    pub with_metadata: bool,
}

impl<'a> Get<'a> {
    /// Reads the points with `ids`, vectors and metadata included.
    pub fn new(collection: impl Into<String>, ids: impl Into<Ids<'a>>) -> Self {
        Get {
            collection: collection.into(),
            ids: ids.into(),
            with_vectors: true,
            with_metadata: true,
        }
    }

    /// Sets whether the answer holds vectors.
    pub fn with_vectors(mut self, with: bool) -> Self {
        self.with_vectors = with;
        self
    }

    /// Sets whether the answer holds metadata.
    pub fn with_metadata(mut self, with: bool) -> Self {
        self.with_metadata = with;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)?;
        check_ids(&self.ids)
    }
}

/// The points asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Got {
    /// One entry per id asked for, in order; `None` where there is no such point.
    pub points: Vec<Option<Point>>,
}

/// A point as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    /// Its id.
    pub id: Id,
    /// Its vector, if asked for: the bits that were written (rounded under `f16` storage).
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::decimal::many"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<f32>>"))]
    pub vector: Option<Vec<f32>>,
    /// Its metadata, if asked for and there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}
