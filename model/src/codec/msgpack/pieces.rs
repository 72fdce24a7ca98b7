//! Heads and short texts out of bytes that come in pieces.

use super::head::Head;
use crate::error::{Error, Result};
use crate::limits::FIELD_BYTES_MAX;

/// Keeps the beginning of what a piece cut off.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    held: Vec<u8>,
}

impl Pieces {
    /// Takes the next head off the piece; `None` once the piece is used up in the middle of it.
    #[inline]
    pub(super) fn head(&mut self, piece: &mut &[u8]) -> Result<Option<Head>> {
        if self.held.is_empty()
            && let Some((head, used)) = Head::read(piece)?
        {
            *piece = &piece[used..];
            return Ok(Some(head));
        }
        while let Some((byte, rest)) = piece.split_first() {
            self.held.push(*byte);
            *piece = rest;
            if let Some((head, _)) = Head::read(&self.held)? {
                self.held.clear();
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// As [`head`](Self::head), and appends the head's bytes.
    pub(super) fn copied_head(
        &mut self,
        piece: &mut &[u8],
        to: &mut Vec<u8>,
    ) -> Result<Option<Head>> {
        let (held, before) = (self.held.len(), *piece);
        to.extend_from_slice(&self.held);
        let head = self.head(piece)?;
        if head.is_some() {
            to.extend_from_slice(&before[..before.len() - piece.len()]);
        } else {
            to.truncate(to.len() - held);
        }
        Ok(head)
    }

    /// Takes the name of a member, which has `length` bytes; `None` as above.
    pub(super) fn name(&mut self, length: usize, piece: &mut &[u8]) -> Result<Option<String>> {
        if length > FIELD_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the name of a member has {length} bytes; none has so many"
            )));
        }
        let taken = piece.len().min(length - self.held.len());
        let (bytes, rest) = piece.split_at(taken);
        self.held.extend_from_slice(bytes);
        *piece = rest;
        if self.held.len() < length {
            return Ok(None);
        }
        let name = super::whole::utf8(&self.held)?.to_owned();
        self.held.clear();
        Ok(Some(name))
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
