//! The database of Nearfield: a log of points per collection, what is derived from it, and
//! the search over it. Synchronous, without a network; [`Engine`] answers the requests of
//! [`nearfield_model`].

pub mod index;
pub mod io;
pub mod kernel;

mod background;
mod budget;
mod catalog;
mod collection;
mod copy;
mod doctor;
mod document;
mod engine;
mod filter;
mod holder;
mod leftovers;
mod lock;
mod log;
mod manifest;
mod options;
mod pause;
mod points;
mod retry;
mod search;
mod storage;

pub use copy::restore;
pub use doctor::{CollectionReport, Finding, Report, doctor, doctor_with};
pub use engine::Engine;
pub use holder::Holder;
pub use options::Options;
pub use storage::error as storage_error;
