//! gRPC's framing: each message stands behind a byte that tells of compression and its length.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use nearfield_model::{Error, ErrorKind, Result};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::convert::vectors;

/// Bytes before a message.
const PREFIX_BYTES: usize = 5;

/// One framed message: `head`, and behind it a matrix as its field of that number.
pub(crate) fn frame(head: &impl Message, matrix: Option<(u32, &[f32])>) -> Result<Bytes> {
    let matrix = matrix
        .filter(|(_, values)| !values.is_empty())
        .map(|(field, values)| (field, vectors::to_bytes(values)));
    let matrix_len = matrix.as_ref().map_or(0, |(field, bytes)| {
        key_len(*field) + encoded_len_varint(bytes.len() as u64) + bytes.len()
    });
    let len = head.encoded_len() + matrix_len;
    let prefix = u32::try_from(len).map_err(|_| {
        Error::too_large(format!(
            "the message has {len} bytes and gRPC carries at most 4 GiB; send or ask for less"
        ))
    })?;
    let mut to = BytesMut::with_capacity(PREFIX_BYTES + len);
    to.put_u8(0);
    to.put_u32(prefix);
    head.encode(&mut to)
        .map_err(|error| Error::internal(error.to_string()))?;
    if let Some((field, bytes)) = matrix {
        encode_key(field, WireType::LengthDelimited, &mut to);
        encode_varint(bytes.len() as u64, &mut to);
        to.put_slice(&bytes);
    }
    Ok(to.freeze())
}

/// Cuts what arrives into messages.
#[derive(Debug)]
pub(crate) struct Deframer {
    pieces: Pieces,
    /// The length of the message that is arriving.
    due: Option<usize>,
    bytes_max: usize,
}

impl Deframer {
    /// Refuses messages of more than `bytes_max`.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Deframer {
            pieces: Pieces::default(),
            due: None,
            bytes_max,
        }
    }

    /// Takes what arrived.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.pieces.push(piece);
    }

    /// The next message, once it is there.
    ///
    /// # Errors
    /// `TooLarge` as soon as the length is known; `Unsupported` if it is compressed.
    pub(crate) fn next(&mut self) -> Result<Option<Pieces>> {
        let due = match self.due {
            Some(due) => due,
            None if self.pieces.len < PREFIX_BYTES => return Ok(None),
            None => {
                let due = self.read_prefix()?;
                self.due = Some(due);
                due
            }
        };
        if self.pieces.len < due {
            return Ok(None);
        }
        self.due = None;
        Ok(Some(self.pieces.split(due)))
    }

    fn read_prefix(&mut self) -> Result<usize> {
        let compressed = self.pieces.get_u8();
        let len = self.pieces.get_u32() as usize;
        if compressed != 0 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the message is compressed; send it as it is",
            ));
        }
        if len > self.bytes_max {
            return Err(Error::too_large(format!(
                "the message has {len} bytes; at most {} are allowed",
                self.bytes_max
            )));
        }
        Ok(len)
    }

    /// The bytes that arrived and are no message yet.
    pub(crate) fn len(&self) -> usize {
        self.pieces.len
    }

    /// Whether nothing is left over.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.len == 0 && self.due.is_none()
    }
}

/// Bytes in the pieces in which they arrived.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.len += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Takes the first `len` bytes, of at least so many.
    fn split(&mut self, len: usize) -> Pieces {
        let mut taken = Pieces::default();
        while taken.len < len {
            let Some(mut piece) = self.pieces.pop_front() else {
                break;
            };
            self.len -= piece.len();
            if piece.len() > len - taken.len {
                let rest = piece.split_off(len - taken.len);
                self.len += rest.len();
                self.pieces.push_front(rest);
            }
            taken.push(piece);
        }
        taken
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, count: usize) {
        let _passed_over = self.split(count);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let mut taken = self.split(len);
        match taken.pieces.pop_front() {
            None => Bytes::new(),
            Some(only) if taken.pieces.is_empty() => only,
            Some(first) => {
                let mut joined = BytesMut::with_capacity(len);
                joined.put_slice(&first);
                for piece in &taken.pieces {
                    joined.put_slice(piece);
                }
                joined.freeze()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_out_wherever_the_pieces_end() {
        let wire: Vec<u8> = [&b"\0\0\0\0\x03abc"[..], b"\0\0\0\0\0", b"\0\0\0\0\x01d"].concat();
        for size in 1..=wire.len() {
            let mut deframer = Deframer::new(3);
            let mut found = Vec::new();
            for piece in wire.chunks(size) {
                deframer.push(Bytes::copy_from_slice(piece));
                while let Some(mut message) = deframer.next().unwrap() {
                    let len = message.remaining();
                    found.push(message.copy_to_bytes(len));
                }
            }
            assert_eq!(found, [&b"abc"[..], b"", b"d"], "pieces of {size}");
            assert!(deframer.is_empty());
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_by_its_prefix_alone() {
        let mut deframer = Deframer::new(3);
        deframer.push(Bytes::from_static(b"\0\0\0\0\x04"));
        assert_eq!(deframer.next().unwrap_err().kind(), ErrorKind::TooLarge);
        let mut deframer = Deframer::new(3);
        deframer.push(Bytes::from_static(b"\x01\0\0\0\x02"));
        assert_eq!(deframer.next().unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
