//! The body of a request, read as it arrives.

use nearfield_model::codec::{Parts, metadata_from_json};
use nearfield_model::{Error, Request, Result};

use super::capture::Capture;
use super::ids::read_ids;
use super::matrix::MatrixReader;
use super::object::{Event, ObjectReader};

/// Reads the body of a request piece by piece, straight into its columns.
#[derive(Debug)]
pub(in super::super) struct JsonReader {
    parts: Parts,
    object: ObjectReader,
    value: Value,
}

/// The value that is read.
#[derive(Debug)]
enum Value {
    None,
    Matrix(Box<MatrixReader>),
    Capture(Capture),
}

impl JsonReader {
    /// Will read the body of a `verb` on `collection`.
    pub(in super::super) fn new(verb: &'static str, collection: String) -> Self {
        JsonReader {
            parts: Parts::new(verb, collection),
            object: ObjectReader::new(verb),
            value: Value::None,
        }
    }

    /// Takes the next piece.
    pub(in super::super) fn feed(&mut self, mut piece: &[u8]) -> Result<()> {
        loop {
            match &mut self.value {
                Value::None => match self.object.feed(&mut piece)? {
                    Event::Piece => return Ok(()),
                    Event::Name(name) => {
                        self.value = match self.parts.name(&name)? {
                            "vectors" => Value::Matrix(Box::default()),
                            name => Value::Capture(Capture::new(name)),
                        };
                    }
                    Event::End => {}
                },
                Value::Matrix(reader) => {
                    let Some(matrix) = reader.feed(&mut piece)? else {
                        return Ok(());
                    };
                    self.value = Value::None;
                    if let Some(matrix) = matrix {
                        self.parts.vectors(matrix)?;
                    }
                }
                Value::Capture(capture) => {
                    if !capture.feed(&mut piece)? {
                        return Ok(());
                    }
                    self.end_capture()?;
                }
            }
        }
    }

    /// Ends the body. White space alone is an empty body.
    pub(in super::super) fn finish(self) -> Result<Request<'static>> {
        if self.object.is_untouched() || self.object.has_ended() {
            return self.parts.finish();
        }
        Err(Error::invalid(format!(
            "{} is not a JSON object: it ends in the middle",
            self.parts.verb()
        )))
    }

    /// Reads a value that is whole.
    fn end_capture(&mut self) -> Result<()> {
        let Value::Capture(capture) = std::mem::replace(&mut self.value, Value::None) else {
            return Ok(());
        };
        let name = capture.name();
        let text = capture.into_text()?;
        match name {
            "ids" => match read_ids(&text)? {
                Some(ids) => self.parts.ids(ids),
                None => Ok(()),
            },
            "metadata" => match metadata_from_json(&text)? {
                Some(column) => self.parts.metadata(column),
                None => Ok(()),
            },
            name => self.parts.json(name, text),
        }
    }
}
