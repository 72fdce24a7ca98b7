//! How nearness is measured.
use serde::{Deserialize, Serialize};

/// How the nearness of two vectors is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cosine of the angle between the vectors, from -1 to 1; larger is nearer.
    /// Zero vectors are refused.
    #[default]
    Cosine,
    /// Inner product; larger is nearer.
    Dot,
    /// Euclidean distance (not squared); smaller is nearer.
    Euclidean,
}

impl Metric {
    /// Whether a larger score means nearer.
    pub fn larger_is_nearer(self) -> bool {
        !matches!(self, Metric::Euclidean)
    }

    /// The name on every wire: `cosine`, `dot` or `euclidean`.
    pub fn as_str(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::Dot => "dot",
            Metric::Euclidean => "euclidean",
        }
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
