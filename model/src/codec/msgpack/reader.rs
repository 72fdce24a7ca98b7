//! The body of a request, read as it arrives.

use super::super::matrix::over_batch_bytes;
use super::super::parts::Parts;
use super::super::words::Words;
use super::capture::Capture;
use super::head::Head;
use super::ids::read_ids;
use super::matrix::MatrixReader;
use super::metadata::{read_column, read_metadata};
use super::pieces::Pieces;
use super::to_json;
use super::whole::{Whole, cut_off, trailing};
use crate::error::{Error, Result};
use crate::id::Ids;
use crate::limits::BATCH_BYTES_MAX;
use crate::request::Request;

/// Reads the body of a request piece by piece, straight into its columns.
///
/// ```
/// use nearfield_model::{Request, codec::{MessagePackReader, request_to_msgpack}};
/// let request = Request::from(nearfield_model::Search::new("docs", &[0.5, 1.0]));
/// let mut body = Vec::new();
/// request_to_msgpack(&request, &mut body)?;
///
/// let mut reader = MessagePackReader::new("search", "docs");
/// for piece in body.chunks(7) {
///     reader.feed(piece)?;
/// }
/// assert_eq!(reader.finish()?, request);
/// # Ok::<(), nearfield_model::Error>(())
/// ```
#[derive(Debug)]
pub struct MessagePackReader {
    parts: Parts,
    place: Place,
    pieces: Pieces,
}

/// What comes next. Members that are left are counted without the one that is read.
#[derive(Debug)]
enum Place {
    Start,
    Members(usize),
    Name(usize, usize),
    IdsHead(usize),
    Matrix(Box<MatrixReader>, usize),
    Ids(Box<IdBytes>, usize),
    Capture(Capture, usize),
}

/// Ids that come as bytes.
#[derive(Debug)]
struct IdBytes {
    left: usize,
    words: Words<8>,
    ids: Vec<u64>,
}

impl MessagePackReader {
    /// Will read the body of a `verb` on `collection`.
    pub fn new(verb: &'static str, collection: impl Into<String>) -> Self {
        MessagePackReader {
            parts: Parts::new(verb, collection),
            place: Place::Start,
            pieces: Pieces::default(),
        }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// As [`finish`](Self::finish), as soon as it can be told. After an error the reader is of no
    /// more use.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<()> {
        while self.step(&mut piece)? {}
        Ok(())
    }

    /// Ends the body. No bytes at all are an empty body.
    ///
    /// # Errors
    /// `InvalidArgument` with the field, and the row if there is one, if the body is not that
    /// verb's; `TooLarge` over the model's limits.
    pub fn finish(self) -> Result<Request<'static>> {
        match self.place {
            Place::Start if self.pieces.is_empty() => self.parts.finish(),
            Place::Members(0) => self.parts.finish(),
            _ => Err(cut_off()),
        }
    }

    /// Goes on to the next place; false if that takes another piece.
    fn step(&mut self, piece: &mut &[u8]) -> Result<bool> {
        match &mut self.place {
            Place::Start | Place::Members(1..) | Place::IdsHead(_) => {
                let Some(head) = self.pieces.head(piece)? else {
                    return Ok(false);
                };
                self.place = self.begin(head)?;
            }
            Place::Members(0) if piece.is_empty() => return Ok(false),
            Place::Members(0) => return Err(trailing()),
            Place::Name(length, left) => {
                let Some(name) = self.pieces.name(*length, piece)? else {
                    return Ok(false);
                };
                let left = *left;
                self.place = match self.parts.name(&name)? {
                    "vectors" => Place::Matrix(Box::default(), left),
                    "ids" => Place::IdsHead(left),
                    name => Place::Capture(Capture::new(name), left),
                };
            }
            Place::Matrix(reader, left) => {
                let Some(matrix) = reader
                    .feed(&mut self.pieces, piece)
                    .map_err(|error| in_field(error, "vectors"))?
                else {
                    return Ok(false);
                };
                self.place = Place::Members(*left);
                if let Some(matrix) = matrix {
                    self.parts.vectors(matrix)?;
                }
            }
            Place::Ids(ids, left) => {
                if !ids.feed(piece) {
                    return Ok(false);
                }
                let (left, ids) = (*left, std::mem::take(&mut ids.ids));
                self.place = Place::Members(left);
                self.parts.ids(Ids::from(ids))?;
            }
            Place::Capture(capture, _) => {
                let name = capture.name();
                if !capture
                    .feed(&mut self.pieces, piece)
                    .map_err(|error| in_field(error, name))?
                {
                    return Ok(false);
                }
                self.end_capture()?;
            }
        }
        Ok(true)
    }

    /// What a head begins at this place.
    fn begin(&mut self, head: Head) -> Result<Place> {
        match (&self.place, head) {
            (Place::Start, Head::Map(members)) => Ok(Place::Members(members)),
            (Place::Start, _) => Err(Error::invalid(format!(
                "{} is not a MessagePack map",
                self.parts.verb()
            ))),
            (Place::Members(left), Head::Str(length)) => Ok(Place::Name(length, left - 1)),
            (Place::IdsHead(left), Head::Nil) => Ok(Place::Members(*left)),
            (Place::IdsHead(left), Head::Bin(length)) => {
                IdBytes::new(length).map(|ids| Place::Ids(Box::new(ids), *left))
            }
            (Place::IdsHead(left), Head::Array(count)) => {
                Ok(Place::Capture(Capture::array("ids", count), *left))
            }
            (Place::IdsHead(_), _) => Err(Error::invalid(
                "expected an array, or bytes of little-endian u64",
            )
            .in_field("ids")),
            _ => Err(Error::invalid("the name of a member is not a string")),
        }
    }

    /// Reads a value that is whole.
    fn end_capture(&mut self) -> Result<()> {
        let Place::Capture(capture, left) = std::mem::replace(&mut self.place, Place::Members(0))
        else {
            return Ok(());
        };
        self.place = Place::Members(left);
        let (name, bytes) = (capture.name(), capture.into_bytes());
        let mut value = Whole(&bytes);
        self.read(name, &mut value)
            .map_err(|error| in_field(error, name))
    }

    fn read(&mut self, name: &'static str, value: &mut Whole<'_>) -> Result<()> {
        match name {
            "ids" => match read_ids(value)? {
                Some(ids) => self.parts.ids(ids),
                None => Ok(()),
            },
            "metadata" => match read_column(value)? {
                Some(column) => self.parts.metadata(column),
                None => Ok(()),
            },
            // Text of JSON comes through as it is; a map's numbers have 64 bits.
            "patch" => match read_metadata(value)? {
                Some(patch) => self.parts.json(name, patch.as_str().to_owned()),
                None => self.parts.json(name, "null".to_owned()),
            },
            _ => {
                let mut json = String::new();
                to_json::append(value, to_json::DEPTH_MAX, &mut json)?;
                self.parts.json(name, json)
            }
        }
    }
}

impl IdBytes {
    fn new(length: usize) -> Result<Self> {
        if !length.is_multiple_of(8) {
            return Err(Error::invalid(format!(
                "{length} bytes do not make whole u64; each takes 8"
            ))
            .in_field("ids"));
        }
        if length > BATCH_BYTES_MAX {
            return Err(over_batch_bytes());
        }
        const EXPECTED_MAX: usize = 1 << 16;
        Ok(IdBytes {
            left: length,
            words: Words::default(),
            ids: Vec::with_capacity((length / 8).min(EXPECTED_MAX)),
        })
    }

    /// Takes bytes; true once all are there.
    fn feed(&mut self, piece: &mut &[u8]) -> bool {
        let (bytes, rest) = piece.split_at(self.left.min(piece.len()));
        self.words.feed(bytes, u64::from_le_bytes, &mut self.ids);
        *piece = rest;
        self.left -= bytes.len();
        self.left == 0
    }
}

fn in_field(error: Error, name: &'static str) -> Error {
    match error.field() {
        None if error.kind() != crate::ErrorKind::TooLarge => error.in_field(name),
        _ => error,
    }
}
