//! Requests and responses as MessagePack: the shape of JSON, with bytes where there are many
//! numbers. `docs/wire.md` draws it.

mod capture;
mod from_json;
mod head;
mod ids;
mod matrix;
mod metadata;
mod pieces;
mod reader;
mod request;
mod response;
mod to_json;
mod whole;
mod write;

#[cfg(test)]
mod tests;

pub use reader::MessagePackReader;
pub use request::request_to_msgpack;
pub use response::{MetadataAs, response_from_msgpack, response_to_msgpack};

use crate::error::Result;
use crate::request::Request;

/// Reads the body of a verb whose collection is named elsewhere. No bytes are an empty body.
///
/// # Errors
/// `InvalidArgument` with the field, and the row if there is one, if the body is not that verb's;
/// `TooLarge` over the model's limits.
pub fn request_from_msgpack(
    verb: &'static str,
    collection: &str,
    bytes: &[u8],
) -> Result<Request<'static>> {
    let mut reader = MessagePackReader::new(verb, collection);
    reader.feed(bytes)?;
    reader.finish()
}
