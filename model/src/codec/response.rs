//! Responses as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::error_from_json;
use super::members::Members;
use super::read::no_verb;
use crate::error::{Error, Result};
use crate::request::*;

macro_rules! responses {
    ($($wire:literal $name:ident $response:ident,)*) => {
        fn verb_of(response: &Response) -> &'static str {
            match response { $(Response::$name(_) => $wire,)* }
        }

        /// Writes what is inside the envelope.
        ///
        /// # Errors
        /// `Internal` if metadata is not JSON.
        pub fn response_to_body(response: &Response) -> Result<String> {
            match response { $(Response::$name(body) => write(body),)* }
        }

        /// Reads the response to a verb. Fields of a later version are passed over.
        ///
        /// # Errors
        /// `InvalidArgument` if the text is not that response's JSON.
        pub fn response_from_body(verb: &str, text: &str) -> Result<Response> {
            match verb {
                $($wire => read::<$response>(verb, text).map(Response::$name),)*
                _ => Err(no_verb(verb)),
            }
        }
    };
}

responses! {
    "create_collection" CreateCollection Created,
    "drop_collection" DropCollection Dropped,
    "list_collections" ListCollections Listed,
    "describe_collection" DescribeCollection Description,
    "upsert" Upsert Upserted,
    "get" Get Got,
    "delete" Delete Deleted,
    "update_metadata" UpdateMetadata MetadataUpdated,
    "search" Search Found,
    "scan" Scan Scanned,
    "count" Count Counted,
    "flush" Flush Flushed,
    "compact" Compact Compacted,
    "snapshot" Snapshot SnapshotTaken,
}

/// Writes an envelope such as `{"count": {"count": 3}}`.
///
/// # Errors
/// `Internal` if metadata is not JSON.
pub fn response_to_json(response: &Response) -> Result<String> {
    let body = response_to_body(response)?;
    Ok(format!("{{\"{}\":{body}}}", verb_of(response)))
}

/// Reads an envelope.
///
/// # Errors
/// An envelope of an error (see [`error_from_json`]) becomes that error; `InvalidArgument`
/// if the text is neither.
pub fn response_from_json(text: &str) -> Result<Response> {
    let (verb, body) = Members::read(text, "a response")?
        .single()
        .ok_or_else(|| Error::invalid("a response has one member, its verb"))?;
    if verb == "error" {
        return Err(error_from_json(text)?);
    }
    response_from_body(&verb, body.get())
}

fn write(body: &impl Serialize) -> Result<String> {
    serde_json::to_string(body)
        .map_err(|error| Error::internal(format!("a response does not become JSON: {error}")))
}

fn read<T: DeserializeOwned>(verb: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("this does not answer a {verb}: {error}")))
}
