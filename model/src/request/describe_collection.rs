//! `describe_collection`: a collection's schema and state.

mod index;

use serde::{Deserialize, Serialize};

use super::{CreateCollection, Storage, check_collection_name};
use crate::error::Result;
use crate::metric::Metric;

pub use index::{Calibration, IndexDescription};

/// Tells a collection's schema and state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribeCollection {
    /// The collection.
    pub collection: String,
}

impl DescribeCollection {
    /// Describes `collection`.
    pub fn new(collection: impl Into<String>) -> Self {
        DescribeCollection {
            collection: collection.into(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)
    }
}

/// A collection's schema and state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Description {
    /// Its name.
    pub collection: String,
    /// Components per vector.
    pub dimension: usize,
    /// How nearness is measured.
    pub metric: Metric,
    /// How components are stored.
    pub storage: Storage,
    /// Metadata paths that are not indexed.
    pub unindexed_fields: Vec<String>,
    /// Points there are.
    pub count: u64,
    /// Rows of the tail: what no segment of the index covers yet, removed ones included.
    pub unindexed: u64,
    /// Rows of the tail whose codes are not made yet; searches compare these exactly.
    pub unencoded: u64,
    /// The number of the last write.
    pub sequence: u64,
    /// The number of the last write that is known to be on disk.
    pub synced: u64,
    /// Files of the log.
    pub log_files: u64,
    /// Bytes of the log that records take.
    pub log_bytes: u64,
    /// Rows in the log that a later write replaced or removed.
    pub dead_rows: u64,
    /// Bytes of memory that ids, codes, the model of the index, metadata indexes and the places
    /// of records take, about; codes in segment files are not among them.
    pub memory_bytes: u64,
    /// What the background check of the log found damaged, file and offset named; none as long
    /// as all that it has read is what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Microseconds that writers were slowed in total since the store was opened, because the
    /// index or compaction lagged behind them.
    #[serde(default)]
    pub write_delay_us: u64,
    /// The state of the index; none while there is no index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexDescription>,
    /// The indexed metadata fields, sorted by path.
    pub fields: Vec<FieldDescription>,
}

impl Description {
    /// Of a collection to which nothing was written yet.
    pub fn empty(schema: CreateCollection) -> Self {
        Description {
            collection: schema.collection,
            dimension: schema.dimension,
            metric: schema.metric,
            storage: schema.storage,
            unindexed_fields: schema.unindexed_fields,
            count: 0,
            unindexed: 0,
            unencoded: 0,
            sequence: 0,
            synced: 0,
            log_files: 0,
            log_bytes: 0,
            dead_rows: 0,
            memory_bytes: 0,
            damage: None,
            write_delay_us: 0,
            index: None,
            fields: Vec::new(),
        }
    }
}

/// An indexed metadata field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldDescription {
    /// The dotted path.
    pub field: String,
    /// Rows that have a value there, removed ones included.
    pub rows: u64,
    /// Distinct values; `None` above the number that is kept as bitmaps.
    pub distinct: Option<u64>,
}
