//! Requests and responses as bytes: columns as they are, the rest in a few words. What every
//! call needs is binary; rare verbs and filters travel as the model's JSON. `docs/wire.md` draws it.
//!
//! Reading is total: a length is looked at before it is believed, and memory is taken only for
//! bytes that are there or arrive.

mod gather;
mod ids;
mod metadata;
mod points;
mod reader;
mod request;
mod response;
mod scratch;
mod source;
mod verb;

/// The same requests and responses that the mapping to gRPC is tested with.
#[cfg(test)]
#[path = "../../../grpc/src/convert/arbitrary.rs"]
mod arbitrary;
#[cfg(test)]
mod tests;

pub use gather::Gather;
pub use request::{Place, decode_request, encode_request};
pub use response::{decode_response, encode_response};
pub use scratch::Scratch;
pub use source::{Fault, Raw, Source};
pub use verb::{verb_code, verb_name};
