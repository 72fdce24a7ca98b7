//! What makes search fast and can be rebuilt from the log: 1-bit RaBitQ codes.
//!
//! A [`Rotation`] spreads a vector's length evenly over its components. A [`Quantizer`] keeps of
//! each rotated residual (vector minus centroid) only the signs, and three factors with which the
//! distance to a query is estimated without bias and bounded from below
//! (RaBitQ, Gao and Long, SIGMOD 2024, arXiv 2405.12497). Rows are coded 256 at a time as a
//! [`CodeGroup`], which a [`QueryCode`] scans.
//!
//! Distances are compared as *keys*, of which the lower is the nearer: the squared distance for
//! euclidean, the negative inner product for dot and for cosine (of normalised vectors).
pub(crate) mod calibration;
mod cell;
mod centroid;
pub(crate) mod coded;
mod codes;
#[cfg(test)]
mod damage;
pub(crate) mod effort;
mod filling;
pub(crate) mod fine;
mod homes;
pub(crate) mod listed;
pub(crate) mod live;
pub(crate) mod model;
pub(crate) mod model_file;
mod quantizer;
mod query_code;
pub(crate) mod random;
mod rotation;
pub(crate) mod sample;
pub(crate) mod segment;
pub(crate) mod tail;
#[cfg(test)]
mod tests;
pub(crate) mod train;

pub use crate::kernel::{GROUP_ROWS, Keys};
pub use centroid::centroid;
pub use codes::CodeGroup;
pub use quantizer::Quantizer;
pub use query_code::{EPSILON, QueryCode};
pub use rotation::Rotation;
