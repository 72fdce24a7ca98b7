//! One value, kept as it is until it is whole.

use super::super::parts::Parts;
use super::head::Head;
use super::pieces::Pieces;
use super::whole::inside;
use super::write;
use crate::error::Result;

/// Gathers the bytes of one value.
#[derive(Debug)]
pub(super) struct Capture {
    name: &'static str,
    bytes: Vec<u8>,
    /// Values whose heads are to come.
    values: u64,
    /// Bytes to come before the next head.
    plain: usize,
}

impl Capture {
    /// Of the member of this name.
    pub(super) fn new(name: &'static str) -> Self {
        Capture {
            name,
            bytes: Vec::new(),
            values: 1,
            plain: 0,
        }
    }

    /// Of an array whose head was read.
    pub(super) fn array(name: &'static str, count: usize) -> Self {
        let mut capture = Capture::new(name);
        write::array(count, &mut capture.bytes);
        capture.values = count as u64;
        capture
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Takes what belongs to the value; true once it is whole.
    pub(super) fn feed(&mut self, pieces: &mut Pieces, piece: &mut &[u8]) -> Result<bool> {
        loop {
            let (bytes, rest) = piece.split_at(self.plain.min(piece.len()));
            self.bytes.extend_from_slice(bytes);
            *piece = rest;
            self.plain -= bytes.len();
            if self.plain > 0 {
                return Ok(false);
            }
            if self.values == 0 {
                return Ok(true);
            }
            let Some(head) = pieces.copied_head(piece, &mut self.bytes)? else {
                return Ok(false);
            };
            self.values = (self.values - 1).saturating_add(inside(head));
            if let Head::Str(length) | Head::Bin(length) = head {
                self.plain = length;
            }
            self.check()?;
        }
    }

    /// Refuses a value that is too large, or will be: each value inside takes a byte.
    fn check(&self) -> Result<()> {
        let least = (self.bytes.len() as u64)
            .saturating_add(self.plain as u64)
            .saturating_add(self.values);
        Parts::check_bytes(self.name, least)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
