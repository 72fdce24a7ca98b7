//! MessagePack values out of bytes that are all there.

use super::head::Head;
use crate::error::{Error, Result};

/// The bytes that are left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<'b>(pub(super) &'b [u8]);

impl<'b> Whole<'b> {
    /// Takes the next head.
    pub(super) fn head(&mut self) -> Result<Head> {
        let (head, used) = Head::read(self.0)?.ok_or_else(cut_off)?;
        self.0 = &self.0[used..];
        Ok(head)
    }

    /// Takes what a head announced.
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Takes the text that a head announced.
    pub(super) fn text(&mut self, length: usize) -> Result<&'b str> {
        utf8(self.bytes(length)?)
    }

    /// Takes a text, such as the name of a member.
    pub(super) fn name(&mut self) -> Result<&'b str> {
        match self.head()? {
            Head::Str(length) => self.text(length),
            _ => Err(Error::invalid("the name of a member is not a string")),
        }
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Result<()> {
        let mut values: u64 = 1;
        while values > 0 {
            values -= 1;
            match self.head()? {
                Head::Str(length) | Head::Bin(length) => drop(self.bytes(length)?),
                head => values = values.saturating_add(inside(head)),
            }
        }
        Ok(())
    }

    /// How many values to make room for, of those that a head announced: each takes a byte.
    pub(super) fn credible(&self, count: usize) -> usize {
        count.min(self.0.len())
    }

    /// Refuses bytes that are left.
    pub(super) fn end(self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(trailing())
        }
    }
}

/// Values inside of the value with this head.
pub(super) fn inside(head: Head) -> u64 {
    match head {
        Head::Array(count) => count as u64,
        Head::Map(count) => count as u64 * 2,
        _ => 0,
    }
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str> {
    str::from_utf8(bytes).map_err(|_| Error::invalid("a string is not UTF-8"))
}

pub(super) fn cut_off() -> Error {
    Error::invalid("the MessagePack ends in the middle of a value")
}

pub(super) fn trailing() -> Error {
    Error::invalid("there are bytes after the MessagePack value")
}
