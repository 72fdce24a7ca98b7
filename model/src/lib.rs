//! The words every door of Nearfield speaks.
mod metric;
pub use metric::Metric;
