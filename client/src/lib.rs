//! Store vectors with ids and metadata, and find the nearest ones.
//!
//! [`connect`] opens everything: a path, which other processes may have open too, `:memory:`, or the URL of a server. What comes back, [`Database`], is
//! `Send + Sync + Clone` and takes every request.
//!
//! ```
//! use nearfield::{Batch, Metric};
//!
//! # fn main() -> nearfield::Result<()> {
//! let db = nearfield::connect(":memory:")?;
//! let albums = db.create_collection("albums", 3, Metric::Cosine)?;
//! albums.upsert(Batch::new(&[1, 2, 3], &[1., 0., 0.,  0., 1., 0.,  0., 0., 1.])).run()?;
//! let hits = albums.search(&[0.9, 0.1, 0.0]).limit(2).run()?.results.remove(0);
//! assert_eq!(hits[0].id, 1.into());
//! # Ok(())
//! # }
//! ```
//!
//! The same requests as structs, for programs that build them elsewhere:
//! ```
//! # use nearfield::{Batch, Metric};
//! use nearfield::{CreateCollection, Durability, Filter, Search, Upsert};
//! # fn main() -> nearfield::Result<()> {
//! # let db = nearfield::connect(":memory:")?;
//! db.call(CreateCollection::new("albums", 2, Metric::Euclidean))?;
//! db.call(Upsert::new("albums", Batch::new(&["blue", "red"], &[0., 0.,  3., 4.])).durability(Durability::Os))?;
//! let found = db.call(Search::new("albums", &[0.0, 0.0]).limit(1))?;
//! assert_eq!(found.results[0][0].id, "blue".into());
//! # Ok(())
//! # }
//! ```

mod collection;
mod database;
mod embedded;
#[cfg(feature = "shm")]
mod entrance;
#[cfg(feature = "shm")]
mod guest;
mod measure;
#[cfg(feature = "shm")]
mod network_folder;
mod open_or_create;
#[cfg(feature = "shm")]
mod owner;
#[cfg(feature = "shm")]
mod participants;
mod per_process;
#[cfg(feature = "shm")]
mod place;
mod remote;
mod reservation;
mod scheme;
#[cfg(feature = "shm")]
mod shared;
#[cfg(feature = "shm")]
mod sharing;
mod writer;

pub use collection::{Call, Collection};
pub use database::{Builder, Database, connect};
pub use nearfield_engine::{CollectionReport, Finding, Options, Report, doctor, restore};
pub use nearfield_model::*;
#[cfg(feature = "shm")]
pub use participants::{Participant, Participants};
pub use remote::Remote;
pub use reservation::Reservation;
