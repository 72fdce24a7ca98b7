//! The engine of Nearfield.
pub mod index;
pub mod io;
pub mod kernel;

mod collection;
mod document;
mod engine;
mod filter;
mod log;
mod options;
mod manifest;
mod points;
mod search;
mod storage;

pub use engine::Engine;
pub use options::Options;
