//! The engine of Nearfield.
pub mod index;
pub mod io;
pub mod kernel;
