//! `vectors` of JSON, read straight into a matrix: lists of numbers, or base64.

use nearfield_model::codec::{
    ComponentFault, Matrix, MatrixBuilder, Shape, component_fault, matrix_member,
};
use nearfield_model::limits::MEMBER_BYTES_MAX;
use nearfield_model::{Error, Result};

use super::base64::Base64Reader;
use super::capture::Capture;
use super::number::{Number, read_number};
use super::object::{Event, ObjectReader};
use super::scan::{Stop, scan};
use super::skip_space;

const FIELD: &str = "vectors";

/// Reads one matrix.
#[derive(Debug, Default)]
pub(super) struct MatrixReader {
    place: Place,
    builder: MatrixBuilder,
    /// The beginning of a number that the last piece cut off.
    held: Vec<u8>,
}

/// What comes next.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Start,
    /// The first row, the first number of the only vector, or the end.
    First,
    /// A row.
    Row,
    /// A comma between rows, or the end.
    BehindRow,
    /// The first number of a row, or its end.
    FirstNumber,
    Number,
    /// A comma between numbers, or the end of them.
    BehindNumber,
    /// The same for a list that is the only vector.
    OneNumber,
    BehindOne,
    /// The object with base64.
    Object(Box<Base64Object>),
    /// What is neither a list nor an object.
    Other(Capture),
}

impl MatrixReader {
    /// Takes what belongs to the matrix; gives it once it is whole, or none for `null`.
    pub(super) fn feed(&mut self, piece: &mut &[u8]) -> Result<Option<Option<Matrix>>> {
        loop {
            match &mut self.place {
                Place::Object(object) => {
                    let matrix = object.feed(piece, &mut self.builder)?;
                    return Ok(matrix.map(Some));
                }
                Place::Other(capture) => {
                    if !capture.feed(piece)? {
                        return Ok(None);
                    }
                    return self.end_other().map(Some);
                }
                _ => {}
            }
            if !self.held.is_empty() && !self.end_held(piece)? {
                return Ok(None);
            }
            skip_space(piece);
            let Some((byte, rest)) = piece.split_first() else {
                return Ok(None);
            };
            let next = match (&self.place, byte) {
                (Place::Start, b'[') => Place::First,
                (Place::Start, b'{') => {
                    self.place = Place::Object(Box::default());
                    continue;
                }
                (Place::Start, _) => {
                    self.place = Place::Other(Capture::new(FIELD));
                    continue;
                }
                (Place::First | Place::Row, b'[') => Place::FirstNumber,
                (Place::First | Place::BehindRow, b']') => {
                    *piece = rest;
                    let builder = std::mem::take(&mut self.builder);
                    return Ok(Some(Some(builder.into_rows())));
                }
                (Place::FirstNumber | Place::BehindNumber, b']') => {
                    self.builder.end_row()?;
                    self.builder.check()?;
                    Place::BehindRow
                }
                (Place::BehindOne, b']') => {
                    *piece = rest;
                    let values = std::mem::take(&mut self.builder).into_values();
                    let shape = Shape::One;
                    return Ok(Some(Some(Matrix { values, shape })));
                }
                (Place::BehindRow, b',') => Place::Row,
                (Place::BehindNumber, b',') => Place::Number,
                (Place::BehindOne, b',') => Place::OneNumber,
                (Place::Row, _) => {
                    return Err(self
                        .expected("a list of numbers")
                        .at_row(self.builder.rows()));
                }
                (Place::BehindRow | Place::BehindOne, _) => return Err(self.expected(", or ]")),
                (Place::BehindNumber, _) => {
                    return Err(self.expected(", or ]").at_row(self.builder.rows()));
                }
                _ => {
                    self.numbers(piece)?;
                    continue;
                }
            };
            self.place = next;
            *piece = rest;
        }
    }

    /// Whether the numbers are those of a row.
    fn in_row(&self) -> bool {
        matches!(self.place, Place::FirstNumber | Place::Number)
    }

    /// Reads numbers from the place of one on.
    fn numbers(&mut self, piece: &mut &[u8]) -> Result<()> {
        let room = self.builder.room();
        let mut at = 0;
        let stop = scan(piece, &mut at, self.builder.values(), room);
        *piece = &piece[at..];
        match stop {
            Stop::Behind => self.place = self.behind(),
            Stop::Number if at > 0 => self.place = self.number(),
            Stop::Number => self.one_number(piece)?,
        }
        Ok(())
    }

    /// Reads the number at the start of the piece without the scanner.
    fn one_number(&mut self, piece: &mut &[u8]) -> Result<()> {
        match read_number(piece) {
            Number::Whole(value, length) => {
                let token = &piece[..length];
                *piece = &piece[length..];
                self.push(value, token)
            }
            Number::CutOff => {
                self.held.extend_from_slice(piece);
                *piece = &[];
                Ok(())
            }
            Number::Not => Err(self.fault(piece, ComponentFault::NotNumber)),
        }
    }

    /// Goes on with a number that was cut off; false if it goes on in yet another piece.
    fn end_held(&mut self, piece: &mut &[u8]) -> Result<bool> {
        let part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = piece.iter().take_while(part).count();
        let (more, rest) = piece.split_at(length);
        self.held.extend_from_slice(more);
        *piece = rest;
        if self.held.len() > MEMBER_BYTES_MAX {
            let message = format!("a number has more than {MEMBER_BYTES_MAX} bytes");
            return Err(Error::too_large(message).in_field(FIELD));
        }
        if rest.is_empty() {
            return Ok(false);
        }
        let mut token = std::mem::take(&mut self.held);
        token.push(b' ');
        match read_number(&token) {
            Number::Whole(value, length) if length + 1 == token.len() => {
                self.push(value, &token[..length])?;
                Ok(true)
            }
            _ => Err(self.fault(&token, ComponentFault::NotNumber)),
        }
    }

    fn push(&mut self, value: f32, token: &[u8]) -> Result<()> {
        if value.is_infinite() {
            return Err(self.fault(token, ComponentFault::BeyondRange));
        }
        self.builder.values().push(value);
        self.builder.check()?;
        self.place = self.behind();
        Ok(())
    }

    fn behind(&self) -> Place {
        if self.in_row() {
            Place::BehindNumber
        } else {
            Place::BehindOne
        }
    }

    fn number(&self) -> Place {
        if self.in_row() {
            Place::Number
        } else {
            Place::OneNumber
        }
    }

    fn expected(&self, what: &str) -> Error {
        Error::invalid(format!("expected {what}")).in_field(FIELD)
    }

    #[cold]
    fn fault(&self, token: &[u8], fault: ComponentFault) -> Error {
        let end = token
            .iter()
            .position(|byte| matches!(byte, b',' | b']' | b' '));
        let shown = String::from_utf8_lossy(&token[..end.unwrap_or(token.len())]);
        let error = component_fault(self.builder.position(), &shown, fault);
        if self.in_row() {
            error.at_row(self.builder.rows())
        } else {
            error
        }
    }

    /// Ends what is neither a list nor an object.
    fn end_other(&mut self) -> Result<Option<Matrix>> {
        let Place::Other(capture) = std::mem::take(&mut self.place) else {
            return Ok(None);
        };
        if capture.into_text()? == "null" {
            return Ok(None);
        }
        Err(self.expected("a list, or an object of f32"))
    }
}

/// Reads `{"f32": "…", "dimension": 384}`.
#[derive(Debug)]
struct Base64Object {
    object: ObjectReader,
    named: Vec<&'static str>,
    value: Value,
    has_bytes: bool,
    dimension: Option<usize>,
}

/// The value that is read.
#[derive(Debug)]
enum Value {
    None,
    /// Of `f32`, before its first letter.
    Start,
    Base64(Base64Reader),
    /// Of `dimension`, and of an `f32` that is no string.
    Capture(Capture),
}

impl Default for Base64Object {
    fn default() -> Self {
        Base64Object {
            object: ObjectReader::new(FIELD),
            named: Vec::new(),
            value: Value::None,
            has_bytes: false,
            dimension: None,
        }
    }
}

impl Base64Object {
    fn feed(&mut self, piece: &mut &[u8], to: &mut MatrixBuilder) -> Result<Option<Matrix>> {
        loop {
            match &mut self.value {
                Value::Start => {
                    skip_space(piece);
                    match piece.split_first() {
                        None => return Ok(None),
                        Some((b'"', rest)) => {
                            *piece = rest;
                            self.has_bytes = true;
                            self.value = Value::Base64(Base64Reader::default());
                        }
                        Some(_) => self.value = Value::Capture(Capture::new("f32")),
                    }
                }
                Value::Base64(reader) => {
                    if !reader.feed(piece, to)? {
                        return Ok(None);
                    }
                    self.value = Value::None;
                }
                Value::Capture(capture) => {
                    if !capture.feed(piece)? {
                        return Ok(None);
                    }
                    self.end_capture()?;
                }
                Value::None => {
                    let event = self.object.feed(piece);
                    match event.map_err(|error| error.in_field(FIELD))? {
                        Event::Piece => return Ok(None),
                        Event::Name(name) => self.name(&name)?,
                        Event::End if self.has_bytes => {
                            let values = std::mem::take(to).into_values();
                            return Matrix::of_bytes(values, self.dimension).map(Some);
                        }
                        Event::End => {
                            return Err(Error::invalid("f32 is missing").in_field("f32"));
                        }
                    }
                }
            }
        }
    }

    fn name(&mut self, name: &str) -> Result<()> {
        let name = matrix_member(name)?;
        if self.named.contains(&name) {
            return Err(Error::invalid("a member is given twice").in_field(FIELD));
        }
        self.named.push(name);
        self.value = match name {
            "f32" => Value::Start,
            name => Value::Capture(Capture::new(name)),
        };
        Ok(())
    }

    fn end_capture(&mut self) -> Result<()> {
        let Value::Capture(capture) = std::mem::replace(&mut self.value, Value::None) else {
            return Ok(());
        };
        let name = capture.name();
        let text = capture.into_text()?;
        if text == "null" {
            return Ok(());
        }
        let not = |what: &str| Error::invalid(format!("expected {what}")).in_field(name);
        if name == "f32" {
            return Err(not("a string of base64"));
        }
        let dimension = serde_json::from_str(&text).map_err(|_| not("a whole number"))?;
        self.dimension = Some(dimension);
        Ok(())
    }
}
