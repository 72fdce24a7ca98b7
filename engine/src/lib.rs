//! The engine of Nearfield.
pub mod index;
pub mod io;
pub mod kernel;

mod engine;
mod log;
mod options;
mod points;
mod storage;

pub use engine::Engine;
pub use options::Options;
