//! The engine of Nearfield.
pub mod index;
pub mod io;
pub mod kernel;

mod engine;
mod options;

pub use engine::Engine;
pub use options::Options;
