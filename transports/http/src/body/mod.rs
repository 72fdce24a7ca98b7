//! Bodies: requests and responses as the bytes between the headers.

mod json;

use json::JsonReader;
use nearfield_model::codec::{
    MessagePackReader, MetadataAs, request_to_msgpack, response_from_body, response_from_msgpack,
    response_to_msgpack,
};
use nearfield_model::{Error, Request, Response, Result};

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `application/msgpack`.
    MessagePack,
}

impl Format {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::MessagePack => "application/msgpack",
        }
    }
}

/// Reads the body of a request piece by piece, as it arrives.
#[derive(Debug)]
pub struct RequestReader(Reader);

#[derive(Debug)]
enum Reader {
    Json(JsonReader),
    MessagePack(MessagePackReader),
}

impl RequestReader {
    /// Will read the body of a `verb` on `collection`.
    pub fn new(format: Format, verb: &'static str, collection: impl Into<String>) -> Self {
        RequestReader(match format {
            Format::Json => Reader::Json(JsonReader::new(verb, collection.into())),
            Format::MessagePack => Reader::MessagePack(MessagePackReader::new(verb, collection)),
        })
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// As [`finish`](Self::finish), as soon as it can be told. After an error the reader is of no
    /// more use.
    pub fn feed(&mut self, piece: &[u8]) -> Result<()> {
        match &mut self.0 {
            Reader::Json(reader) => reader.feed(piece),
            Reader::MessagePack(reader) => reader.feed(piece),
        }
    }

    /// Ends the body.
    ///
    /// # Errors
    /// `InvalidArgument` with the field, and the row if there is one, if the body is not that
    /// verb's; `TooLarge` over the model's limits.
    pub fn finish(self) -> Result<Request<'static>> {
        match self.0 {
            Reader::Json(reader) => reader.finish(),
            Reader::MessagePack(reader) => reader.finish(),
        }
    }
}

/// Appends the body of a request.
///
/// # Errors
/// `InvalidArgument` with the row if a batch's metadata is not JSON.
pub fn write_request(format: Format, request: &Request<'_>, to: &mut Vec<u8>) -> Result<()> {
    match format {
        Format::Json => json::write_request(request, to),
        Format::MessagePack => request_to_msgpack(request, to),
    }
}

/// Appends the body of a response, in MessagePack with metadata as maps.
///
/// # Errors
/// `Internal` if metadata is not JSON.
pub fn write_response(format: Format, response: &Response, to: &mut Vec<u8>) -> Result<()> {
    write_response_with(format, MetadataAs::Map, response, to)
}

/// Appends the body of a response; in JSON metadata is what it is.
///
/// # Errors
/// As [`write_response`].
pub fn write_response_with(
    format: Format,
    metadata: MetadataAs,
    response: &Response,
    to: &mut Vec<u8>,
) -> Result<()> {
    match format {
        Format::Json => json::write_response(response, to),
        Format::MessagePack => response_to_msgpack(response, metadata, to),
    }
}

/// Reads the body of the response to a verb.
///
/// # Errors
/// `InvalidArgument` if it is not that response.
pub fn read_response(format: Format, verb: &str, body: &[u8]) -> Result<Response> {
    match format {
        Format::Json => {
            let text = str::from_utf8(body)
                .map_err(|error| Error::invalid(format!("the body is not UTF-8: {error}")))?;
            response_from_body(verb, text)
        }
        Format::MessagePack => response_from_msgpack(verb, body),
    }
}
