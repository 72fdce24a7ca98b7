//! The members of an object that comes in pieces.

use nearfield_model::{Error, Result};

use super::capture::Capture;
use super::skip_space;

/// Reads names; what they hold is read by someone else in between.
#[derive(Debug)]
pub(super) struct ObjectReader {
    what: &'static str,
    place: Place,
}

/// What comes next.
#[derive(Debug)]
enum Place {
    Start,
    FirstName,
    Name,
    InName(Capture),
    Colon(String),
    /// A value that somebody else reads, then a comma or the end.
    Value,
    End,
}

/// What was met.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// The end of the piece.
    Piece,
    /// A member, up to its value.
    Name(String),
    /// The end of the object.
    End,
}

impl ObjectReader {
    /// `what` names the object in errors.
    pub(super) fn new(what: &'static str) -> Self {
        ObjectReader {
            what,
            place: Place::Start,
        }
    }

    /// Goes on to the next event.
    pub(super) fn feed(&mut self, piece: &mut &[u8]) -> Result<Event> {
        loop {
            if let Place::InName(name) = &mut self.place {
                if !name.feed(piece)? {
                    return Ok(Event::Piece);
                }
                self.end_name()?;
            }
            skip_space(piece);
            let Some((byte, rest)) = piece.split_first() else {
                return Ok(Event::Piece);
            };
            self.place = match (&mut self.place, byte) {
                (Place::Start, b'{') => Place::FirstName,
                (Place::FirstName | Place::Name, b'"') => {
                    // The quote is the name's own.
                    self.place = Place::InName(Capture::new("name"));
                    continue;
                }
                (Place::FirstName | Place::Value, b'}') => {
                    self.place = Place::End;
                    *piece = rest;
                    return Ok(Event::End);
                }
                (Place::Colon(name), b':') => {
                    let name = std::mem::take(name);
                    *piece = rest;
                    self.place = Place::Value;
                    return Ok(Event::Name(name));
                }
                (Place::Value, b',') => Place::Name,
                (Place::End, _) => {
                    return Err(Error::invalid("there is something after the JSON object"));
                }
                (Place::Start, _) => return Err(self.fault("it does not begin with {")),
                (Place::Colon(_), _) => return Err(self.fault("expected :")),
                (Place::Value, _) => return Err(self.fault("expected , or }")),
                (_, _) => return Err(self.fault("expected the name of a member")),
            };
            *piece = rest;
        }
    }

    fn end_name(&mut self) -> Result<()> {
        let place = std::mem::replace(&mut self.place, Place::Name);
        let Place::InName(name) = place else {
            return Ok(());
        };
        let text = name
            .into_text()
            .map_err(|_| self.fault("a name is not UTF-8"))?;
        let name = serde_json::from_str(&text)
            .map_err(|_| self.fault("a name is not a string of JSON"))?;
        self.place = Place::Colon(name);
        Ok(())
    }

    fn fault(&self, reason: &str) -> Error {
        Error::invalid(format!("{} is not a JSON object: {reason}", self.what))
    }

    /// Whether nothing but white space came.
    pub(super) fn is_untouched(&self) -> bool {
        matches!(self.place, Place::Start)
    }

    /// Whether the end came.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.place, Place::End)
    }
}
