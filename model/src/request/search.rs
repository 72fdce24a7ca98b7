//! `search`: finds the points nearest to one or many vectors.

mod explanation;

use serde::{Deserialize, Serialize};

use super::check_collection_name;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::id::Id;
use crate::limits::{
    PROBES_MAX, RECALL_MIN, RERANK_MAX, SEARCH_HITS_MAX, SEARCH_LIMIT_MAX, SEARCH_VECTORS_MAX,
};
use crate::metadata::Metadata;
use crate::vectors::Vectors;

pub use explanation::{Explanation, Plan, SearchStage};

/// Finds the points nearest to each of the given vectors.
///
/// ```
/// use nearfield_model::{Filter, Search};
/// let search = Search::new("albums", &[0.1, 0.2, 0.3])
///     .limit(5)
///     .filter(Filter::parse(r#"genre = "jazz" and year >= 1960"#)?)
///     .with_metadata(true);
/// assert_eq!(search.recall, 0.95);
/// # Ok::<(), nearfield_model::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Search<'a> {
    /// The collection.
    pub collection: String,
    /// The query vectors: one row each, of the collection's dimension.
    pub vectors: Vectors<'a>,
    /// Hits per query vector, 1 to [`SEARCH_LIMIT_MAX`]; 10 unless said otherwise.
    pub limit: usize,
    /// Only points that match are found.
    pub filter: Option<Filter>,
    /// The share of the true nearest that is to be found on average, [`RECALL_MIN`] to 1;
    /// 0.95 unless said otherwise, and 1 compares every vector exactly.
    ///
    /// The same search finds the same as long as the store stays as it is, however many threads
    /// answer and queries are sent together. Below 1, what is found depends on the index and the
    /// codes that there are: writes, the work that follows them in the background, and reopening
    /// may change it within the recall that is asked for. After reopening, hits are those of
    /// before once 8-bit codes are made again, or at once where none are kept.
    pub recall: f32,
    /// Lists probed per query vector, 1 to [`PROBES_MAX`], in place of what the recall is
    /// translated to; more than there are probe all. A raw knob, for benchmarks.
    pub probes: Option<usize>,
    /// Rows compared exactly per query vector, 1 to [`RERANK_MAX`]: at most so many, those with
    /// the nearest estimates first. Below `limit`, fewer hits may be found. A raw knob, for
    /// benchmarks.
    pub rerank: Option<usize>,
    /// Whether the answer tells how it was found.
    pub explain: bool,
    /// Whether hits hold metadata.
    pub with_metadata: bool,
    /// Whether hits hold vectors.
    pub with_vectors: bool,
}

impl<'a> Search<'a> {
    /// Searches for the 10 points nearest to each of `vectors` at recall 0.95.
    pub fn new(collection: impl Into<String>, vectors: impl Into<Vectors<'a>>) -> Self {
        Search {
            collection: collection.into(),
            vectors: vectors.into(),
            limit: 10,
            filter: None,
            recall: 0.95,
            probes: None,
            rerank: None,
            explain: false,
            with_metadata: false,
            with_vectors: false,
        }
    }

    /// Sets the number of hits per query vector.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Finds only points that match.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Sets the recall asked for.
    pub fn recall(mut self, recall: f32) -> Self {
        self.recall = recall;
        self
    }

    /// Sets the lists probed per query vector.
    pub fn probes(mut self, probes: usize) -> Self {
        self.probes = Some(probes);
        self
    }

    /// Sets how many rows are compared exactly per query vector, at most.
    pub fn rerank(mut self, rerank: usize) -> Self {
        self.rerank = Some(rerank);
        self
    }

    /// Sets whether the answer tells how it was found.
    pub fn explain(mut self, explain: bool) -> Self {
        self.explain = explain;
        self
    }

    /// Sets whether hits hold metadata.
    pub fn with_metadata(mut self, with: bool) -> Self {
        self.with_metadata = with;
        self
    }

    /// Sets whether hits hold vectors.
    pub fn with_vectors(mut self, with: bool) -> Self {
        self.with_vectors = with;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)?;
        let queries = self.vectors.len();
        if queries == 0 {
            return Err(
                Error::invalid("no query vector is given; give at least one").in_field("vectors"),
            );
        }
        if queries > SEARCH_VECTORS_MAX {
            return Err(Error::too_large(format!(
                "{queries} query vectors are given; at most {SEARCH_VECTORS_MAX} are allowed"
            ))
            .in_field("vectors"));
        }
        if self.limit == 0 || self.limit > SEARCH_LIMIT_MAX {
            return Err(Error::invalid(format!(
                "the limit is {}; use 1 to {SEARCH_LIMIT_MAX}",
                self.limit
            ))
            .in_field("limit"));
        }
        if queries * self.limit > SEARCH_HITS_MAX {
            return Err(Error::too_large(format!(
                "{queries} query vectors with {} hits each are over {SEARCH_HITS_MAX} hits per search",
                self.limit
            ))
            .in_field("limit"));
        }
        if !(RECALL_MIN..=1.0).contains(&self.recall) {
            return Err(Error::invalid(format!(
                "the recall is {}; use {RECALL_MIN} to 1",
                self.recall
            ))
            .in_field("recall"));
        }
        check_knob("probes", self.probes, PROBES_MAX)?;
        check_knob("rerank", self.rerank, RERANK_MAX)?;
        self.filter.as_ref().map_or(Ok(()), Filter::check)
    }
}

fn check_knob(field: &str, value: Option<usize>, max: usize) -> Result<()> {
    match value {
        Some(value) if value == 0 || value > max => {
            Err(Error::invalid(format!("{field} is {value}; use 1 to {max}")).in_field(field))
        }
        _ => Ok(()),
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Found {
    /// One list per query vector, in order; each nearest first, and by id where scores are
    /// equal.
    pub results: Vec<Vec<Hit>>,
    /// How they were found, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained: Option<Explanation>,
}

/// A point that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hit {
    /// Its id.
    pub id: Id,
    /// Similarity under cosine and dot (larger is nearer); distance under euclidean
    /// (smaller is nearer). The similarity of cosine stays within -1 to 1.
    #[serde(with = "crate::decimal::one")]
    #[cfg_attr(feature = "schema", schemars(with = "f32"))]
    pub score: f32,
    /// Its metadata, if asked for and there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Its vector, if asked for.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::decimal::many"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<f32>>"))]
    pub vector: Option<Vec<f32>>,
}
