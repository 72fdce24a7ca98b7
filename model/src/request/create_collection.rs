//! `create_collection`: makes a collection.

use serde::{Deserialize, Serialize};

use super::check_collection_name;
use crate::error::{Error, Result};
use crate::limits::{DIMENSION_MAX, FIELD_BYTES_MAX, FIELDS_MAX};
use crate::metric::Metric;

/// Makes a collection. Refused with `AlreadyExists` if the name is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateCollection {
    /// The name, of `[A-Za-z0-9_-]{1,128}`.
    pub collection: String,
    /// Components per vector, 1 to [`DIMENSION_MAX`].
    pub dimension: usize,
    /// How nearness is measured.
    #[serde(default)]
    pub metric: Metric,
    /// How components are stored.
    #[serde(default)]
    pub storage: Storage,
    /// Dotted metadata paths that are stored but not indexed; filters on them read the rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unindexed_fields: Vec<String>,
}

/// How the components of vectors are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// 4 bytes each; reads give back the bits that were written.
    #[default]
    F32,
    /// 2 bytes each, rounded to the nearest; components beyond ±65,504 are refused.
    F16,
}

impl Storage {
    /// Bytes per component.
    pub fn component_bytes(self) -> usize {
        match self {
            Storage::F32 => 4,
            Storage::F16 => 2,
        }
    }

    /// The name on every wire: `f32` or `f16`.
    pub fn as_str(self) -> &'static str {
        match self {
            Storage::F32 => "f32",
            Storage::F16 => "f16",
        }
    }
}

impl CreateCollection {
    /// A collection of `dimension` components under `metric`, stored as `f32`.
    pub fn new(collection: impl Into<String>, dimension: usize, metric: Metric) -> Self {
        CreateCollection {
            collection: collection.into(),
            dimension,
            metric,
            storage: Storage::default(),
            unindexed_fields: Vec::new(),
        }
    }

    /// Sets how components are stored.
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// Names metadata paths that are not indexed.
    pub fn unindexed_fields<S: Into<String>>(
        mut self,
        fields: impl IntoIterator<Item = S>,
    ) -> Self {
        self.unindexed_fields = fields.into_iter().map(Into::into).collect();
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)?;
        if self.dimension == 0 || self.dimension > DIMENSION_MAX {
            return Err(Error::invalid(format!(
                "the dimension is {}; use 1 to {DIMENSION_MAX}",
                self.dimension
            ))
            .in_field("dimension"));
        }
        if self.unindexed_fields.len() > FIELDS_MAX
            || self
                .unindexed_fields
                .iter()
                .any(|field| field.len() > FIELD_BYTES_MAX)
        {
            return Err(Error::too_large(format!(
                "at most {FIELDS_MAX} paths of {FIELD_BYTES_MAX} bytes each can be left out of the index"
            ))
            .in_field("unindexed_fields"));
        }
        Ok(())
    }
}

/// The collection was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Created {
    /// Its name.
    pub collection: String,
}
