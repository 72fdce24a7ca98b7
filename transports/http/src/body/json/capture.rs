//! One JSON value, kept as its text until it is whole. Whether it is JSON is told afterwards.

use nearfield_model::codec::Parts;
use nearfield_model::{Error, Result};

use super::{is_space, skip_space};

/// Gathers the text of one value.
#[derive(Debug)]
pub(super) struct Capture {
    name: &'static str,
    text: Vec<u8>,
    /// Objects and arrays that are open.
    depth: usize,
    in_string: bool,
    /// The byte before was a backslash inside of a string.
    escaped: bool,
}

impl Capture {
    /// Of the member of this name.
    pub(super) fn new(name: &'static str) -> Self {
        Capture {
            name,
            text: Vec::new(),
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Takes what belongs to the value, and white space before it; true once it is whole.
    pub(super) fn feed(&mut self, piece: &mut &[u8]) -> Result<bool> {
        if self.text.is_empty() {
            skip_space(piece);
        }
        let end = self.end(piece);
        let (bytes, rest) = piece.split_at(end.unwrap_or(piece.len()));
        self.text.extend_from_slice(bytes);
        *piece = rest;
        Parts::check_bytes(self.name, self.text.len() as u64)?;
        Ok(end.is_some())
    }

    /// Where in the piece the value ends.
    fn end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < piece.len() {
            if self.in_string {
                at = self.skip_string(piece, at);
                if !self.in_string && self.depth == 0 {
                    return Some(at);
                }
                continue;
            }
            match piece[at] {
                b'"' if self.depth == 0 && self.begun(at) => return Some(at),
                b'"' => self.in_string = true,
                b'{' | b'[' if self.depth == 0 && self.begun(at) => return Some(at),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return Some(at),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                b',' | b':' if self.depth == 0 => return Some(at),
                byte if self.depth == 0 && is_space(byte) => return Some(at),
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// Whether the value has begun before this place of the piece.
    fn begun(&self, at: usize) -> bool {
        at > 0 || !self.text.is_empty()
    }

    /// Passes over a string's inside, up to behind its quote or the end of the piece.
    fn skip_string(&mut self, piece: &[u8], mut at: usize) -> usize {
        while at < piece.len() {
            if self.escaped {
                self.escaped = false;
                at += 1;
                continue;
            }
            let Some(place) = memchr::memchr2(b'"', b'\\', &piece[at..]) else {
                return piece.len();
            };
            at += place + 1;
            if piece[at - 1] == b'"' {
                self.in_string = false;
                return at;
            }
            self.escaped = true;
        }
        at
    }

    /// The text.
    pub(super) fn into_text(self) -> Result<String> {
        String::from_utf8(self.text)
            .map_err(|_| Error::invalid(format!("{} is not UTF-8", self.name)).in_field(self.name))
    }
}
