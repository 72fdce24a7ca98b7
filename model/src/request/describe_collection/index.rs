//! The state of a collection's index.

use serde::{Deserialize, Serialize};

/// The state of a collection's index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IndexDescription {
    /// The newest epoch; they are counted from 1.
    pub epoch: u64,
    /// Lists of the newest epoch.
    pub lists: u64,
    /// Rows that the collection had when the newest epoch was trained.
    pub trained_rows: u64,
    /// Rows that segments cover, removed ones included.
    pub rows: u64,
    /// Rows that segments cover and that were removed since.
    pub dead_rows: u64,
    /// Rows that are still assigned to lists of the epoch before.
    pub older_epoch_rows: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes of the segment files.
    pub bytes: u64,
    /// Whether nothing is left to do until the next write: all rows but a few are in lists of the
    /// newest epoch, and no epoch or merge is due.
    pub settled: bool,
    /// What recalls that are asked for are translated to, by limit and recall, ascending.
    pub calibration: Vec<Calibration>,
    /// Why the last piece of work on the index failed, or of other work behind the writers' backs:
    /// compaction, checkpoints, files, codes; none if it did not. It is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// What a recall is translated to, measured on rows of the collection that were held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Calibration {
    /// Hits per query vector, up to which this holds.
    pub limit: u64,
    /// The recall asked for.
    #[serde(with = "crate::decimal::one")]
    #[cfg_attr(feature = "schema", schemars(with = "f32"))]
    pub recall: f32,
    /// Lists to probe per query vector.
    pub probes: u64,
    /// Standard errors by which lower bounds lie below the estimates of codes.
    #[serde(with = "crate::decimal::one")]
    #[cfg_attr(feature = "schema", schemars(with = "f32"))]
    pub epsilon: f32,
    /// The recall that was measured with these on the rows held out, 0 to 1.
    #[serde(with = "crate::decimal::one")]
    #[cfg_attr(feature = "schema", schemars(with = "f32"))]
    pub measured: f32,
}
