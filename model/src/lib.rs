//! The words that every door of Nearfield speaks: the nouns (collection, point, id,
//! vector, metadata, filter, metric), the requests, their limits and errors, and the one
//! trait, [`Service`], that every door calls and every engine answers. No input or output
//! happens here.

#[cfg(feature = "codec")]
pub mod codec;
pub mod filter;
pub mod limits;
pub mod metadata;
pub mod request;

mod budget;
mod context;
mod decimal;
mod error;
mod id;
mod metric;
mod observer;
#[cfg(feature = "schema")]
mod schema;
mod service;
mod stamp;
mod timing;
mod value;
mod vectors;

pub use budget::{Budget, Share};
pub use context::{Cancellation, Context, RequestId, Rights, Stage, StageClock};
pub use error::{Error, ErrorKind, Result};
pub use filter::Filter;
pub use id::{Id, IdRef, Ids, Uuid};
pub use metadata::{Metadata, MetadataColumn};
pub use metric::Metric;
pub use observer::{Observation, Observer};
pub use request::*;
pub use service::{Reserved, Service, check_reserved};
pub use stamp::Stamp;
pub use timing::server_timing;
pub use value::{Number, Time, Value, ValueRef};
pub use vectors::Vectors;
