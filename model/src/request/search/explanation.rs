//! How a search was answered: its plan, what it looked at, and where its time went.

use serde::{Deserialize, Serialize};

/// How a search was answered. Counts are over all query vectors unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// The way that the search went.
    pub plan: Plan,
    /// Live rows that match the filter; none without a filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<u64>,
    /// Codes looked at.
    pub rows_scanned: u64,
    /// 8-bit codes looked at, of rows that the shorter codes left.
    pub rows_refined: u64,
    /// Vectors compared exactly.
    pub rows_compared: u64,
    /// Lists probed.
    pub lists_probed: u64,
    /// Lists that there are.
    pub lists: u64,
    /// Segments that there are.
    pub segments: u64,
    /// Rows of the tail that were looked at, per query vector.
    pub tail_rows: u64,
    /// Standard errors by which lower bounds lie below the estimates of codes: what the recall
    /// was translated to; 0 where no codes are looked at.
    #[serde(with = "crate::decimal::one")]
    #[cfg_attr(feature = "schema", schemars(with = "f32"))]
    pub epsilon: f32,
    /// Lists to probe per query vector: what the recall was translated to; 0 where there are
    /// no lists to choose from.
    pub probes: u64,
    /// Where the time went, in the order of the search.
    pub stages: Vec<SearchStage>,
}

/// The way of a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Every live row, exactly.
    #[default]
    ExactAll,
    /// Every matching row, exactly.
    Exact,
    /// The codes of all rows, or of all that match.
    Codes,
    /// The codes of the nearest lists and of the tail.
    Lists,
    /// The matching rows of the nearest lists and of the tail, one by one where that is cheaper
    /// than the codes of a list.
    ListedRows,
}

impl Plan {
    /// The plan's name on every wire, such as `exact_all`.
    pub fn as_str(self) -> &'static str {
        match self {
            Plan::ExactAll => "exact_all",
            Plan::Exact => "exact",
            Plan::Codes => "codes",
            Plan::Lists => "lists",
            Plan::ListedRows => "listed_rows",
        }
    }
}

/// A stretch of a search's way through the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchStage {
    /// `filter` (which rows match), `prepare` (query vectors are checked and rotated),
    /// `coarse` (the nearest lists), `scan` (codes), `rerank` (exact comparison) or `answer`
    /// (ids, metadata and vectors of hits are read).
    pub name: String,
    /// Microseconds, summed over query vectors; finite.
    pub us: f64,
}
