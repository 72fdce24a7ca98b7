//! The words of the model as messages, and back. A new verb does not compile without its
//! mapping here.

mod filter;
mod ids;
mod metadata;
mod points;
mod request;
mod response;
pub(crate) mod vectors;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use nearfield_model::{Error, Request, Response, Result};
use prost::Message;

use crate::frame::{Pieces, frame};
use crate::proto;

#[cfg(feature = "client")]
pub(crate) use request::encode_upsert;
#[cfg(feature = "server")]
pub(crate) use request::request_id_from;

/// A noun of the model that has a message.
trait ToMessage {
    type Message: Message;

    fn to_message(&self) -> Result<Self::Message>;

    /// The vectors that follow the message as its field of that number. They are kept apart so
    /// that they are copied once.
    fn matrix(&self) -> Option<(u32, &[f32])> {
        None
    }
}

/// A message of a request.
trait ToRequest {
    type Request<'m>
    where
        Self: 'm;

    fn to_request(&self) -> Result<Self::Request<'_>>;
}

/// A message of a response.
trait IntoResponse {
    type Response;

    fn into_response(self) -> Result<Self::Response>;
}

macro_rules! verbs {
    ($($verb:ident $wire:literal: $request:ident => $response:ident;)*) => {
        /// A request as it came in.
        #[derive(Debug)]
        pub(crate) enum Incoming {
            $($verb(proto::$request),)*
        }

        impl Incoming {
            /// Reads the message of a method's request.
            pub(crate) fn decode(method: &str, message: Pieces) -> Result<Self> {
                match method {
                    $(stringify!($verb) => Ok(Incoming::$verb(read(message)?)),)*
                    _ => Err(unknown(method)),
                }
            }

            /// The request, which borrows its vectors from the message where it can.
            pub(crate) fn request(&self) -> Result<Request<'_>> {
                match self {
                    $(Incoming::$verb(message) => message.to_request().map(Request::$verb),)*
                }
            }
        }

        /// The verb of a method.
        pub(crate) fn verb(method: &str) -> Option<&'static str> {
            match method {
                $(stringify!($verb) => Some($wire),)*
                _ => None,
            }
        }

        /// The method of a request.
        pub(crate) fn method(request: &Request<'_>) -> &'static str {
            match request {
                $(Request::$verb(_) => stringify!($verb),)*
            }
        }

        /// A request as one framed message.
        pub(crate) fn encode_request(request: &Request<'_>) -> Result<Bytes> {
            match request {
                $(Request::$verb(request) => frame(&request.to_message()?, request.matrix()),)*
            }
        }

        /// A response as one framed message.
        pub(crate) fn encode_response(response: &Response) -> Result<Bytes> {
            match response {
                $(Response::$verb(response) => frame(&response.to_message()?, None),)*
            }
        }

        /// Reads the message of a method's response.
        pub(crate) fn decode_response(method: &str, message: Pieces) -> Result<Response> {
            match method {
                $(stringify!($verb) => read::<proto::$response>(message)
                    .and_then(IntoResponse::into_response)
                    .map(Response::$verb),)*
                _ => Err(unknown(method)),
            }
        }
    };
}

verbs! {
    CreateCollection "create_collection": CreateCollectionRequest => CreateCollectionResponse;
    DropCollection "drop_collection": DropCollectionRequest => DropCollectionResponse;
    ListCollections "list_collections": ListCollectionsRequest => ListCollectionsResponse;
    DescribeCollection "describe_collection": DescribeCollectionRequest => DescribeCollectionResponse;
    Upsert "upsert": UpsertRequest => UpsertResponse;
    Get "get": GetRequest => GetResponse;
    Delete "delete": DeleteRequest => DeleteResponse;
    UpdateMetadata "update_metadata": UpdateMetadataRequest => UpdateMetadataResponse;
    Search "search": SearchRequest => SearchResponse;
    Scan "scan": ScanRequest => ScanResponse;
    Count "count": CountRequest => CountResponse;
    Flush "flush": FlushRequest => FlushResponse;
    Compact "compact": CompactRequest => CompactResponse;
    Snapshot "snapshot": SnapshotRequest => SnapshotResponse;
}

/// Reads a message; what is left over of it is a fault.
pub(crate) fn read<M: Message + Default>(message: Pieces) -> Result<M> {
    M::decode(message).map_err(|error| Error::invalid(format!("the message is garbled: {error}")))
}

fn unknown(method: &str) -> Error {
    let shown: String = method.chars().take(40).collect();
    Error::new(
        nearfield_model::ErrorKind::Unsupported,
        format!("there is no method {shown:?}; the other side may be of another version"),
    )
}

/// A number of the wire as a size; beyond the machine's range it is over every limit.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
