//! Requests, responses and errors as JSON, plain and exact, and requests and responses as
//! MessagePack, read as it arrives. JSON is for doors that need not be fast
//! and for conformance cases.
//!
//! An *envelope* names the verb: `{"count": {"collection": "docs"}}`. A *body* is what is
//! inside, without the collection, for wires that name both elsewhere (HTTP in its URL).
//!
//! ```
//! use nearfield_model::{Request, codec};
//! let request = codec::request_from_json(
//!     r#"{"search": {"collection": "docs", "vectors": [0.5, 1], "filter": "year >= 1960"}}"#,
//! )?;
//! assert_eq!(
//!     codec::request_to_body(&request)?,
//!     r#"{"vectors":[[0.5,1.0]],"limit":10,"filter":{"field":"year","range":{"gte":1960}},"recall":0.95,"with_metadata":false,"with_vectors":false}"#,
//! );
//! # Ok::<(), nearfield_model::Error>(())
//! ```
//!
//! Bodies per verb; `?` marks what may be left out or `null`:
//! ```text
//! create_collection  dimension, metric?, storage?, unindexed_fields?
//! upsert             ids, vectors, metadata?, durability?
//! get                ids, with_vectors?, with_metadata?
//! delete             ids or filter, durability?
//! update_metadata    ids or filter, patch, durability?
//! search             vectors, limit?, filter?, recall?, probes?, rerank?, explain?,
//!                    with_metadata?, with_vectors?
//! scan               limit?, cursor?, filter?, with_vectors?, with_metadata?
//! count              filter?
//! snapshot           destination?
//! drop_collection, list_collections, describe_collection, flush, compact: nothing
//! ```
//! `vectors` is a list of lists of numbers, or `{"f32": "<base64 of little-endian f32>"}`;
//! a search also takes one list of numbers, and reads the base64 of several vectors with
//! their length beside it: `{"f32": "…", "dimension": 384}`. Numbers round straight to `f32`.
//! `filter` is either of the forms of [`Filter`](crate::Filter).
//!
//! Reading checks the shape. Whether a request keeps the rules of the model is for
//! [`Request::check`](crate::Request::check), which every service calls.

mod error;
mod matrix;
mod members;
mod msgpack;
mod parts;
mod read;
mod response;
mod vectors;
mod words;
mod write;

#[cfg(test)]
mod tests;

pub use error::{error_from_json, error_to_json};
pub use matrix::{ComponentFault, Matrix, MatrixBuilder, Shape, component_fault};
pub use msgpack::{
    MessagePackReader, MetadataAs, request_from_msgpack, request_to_msgpack, response_from_msgpack,
    response_to_msgpack,
};
pub use parts::{Parts, ids_from_json, matrix_member, metadata_from_json};
pub use read::{request_from_body, request_from_json};
pub use response::{response_from_body, response_from_json, response_to_body, response_to_json};
pub use vectors::{not_base64, not_whole};
pub use words::Words;
pub use write::{request_to_body, request_to_json};
