//! The head of a MessagePack value: its kind, and its length or number.

use crate::error::{Error, Result};

/// A value's head. What it announces comes after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Head {
    Nil,
    Bool(bool),
    U64(u64),
    /// Below zero.
    I64(i64),
    F32(f32),
    F64(f64),
    /// So many bytes of text.
    Str(usize),
    /// So many bytes.
    Bin(usize),
    /// So many values.
    Array(usize),
    /// So many pairs of values.
    Map(usize),
}

impl Head {
    /// Reads a head, and tells its bytes; `None` if there are too few.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let small = match first {
            0x00..=0x7f => Head::U64(first.into()),
            0x80..=0x8f => Head::Map((first & 0x0f).into()),
            0x90..=0x9f => Head::Array((first & 0x0f).into()),
            0xa0..=0xbf => Head::Str((first & 0x1f).into()),
            0xc0 => Head::Nil,
            0xc2 => Head::Bool(false),
            0xc3 => Head::Bool(true),
            0xe0..=0xff => Head::I64((first as i8).into()),
            _ => return wide(first, rest),
        };
        Ok(Some((small, 1)))
    }
}

/// Heads with a length or a number behind the first byte.
fn wide(first: u8, rest: &[u8]) -> Result<Option<(Head, usize)>> {
    let width = match first {
        0xc4 | 0xcc | 0xd0 | 0xd9 => 1,
        0xc5 | 0xcd | 0xd1 | 0xda | 0xdc | 0xde => 2,
        0xc6 | 0xca | 0xce | 0xd2 | 0xdb | 0xdd | 0xdf => 4,
        0xcb | 0xcf | 0xd3 => 8,
        0xc1 => return Err(Error::invalid("the byte 0xc1 begins no MessagePack value")),
        _ => {
            return Err(Error::invalid(
                "MessagePack extension types, such as timestamps, are not taken",
            ));
        }
    };
    let Some(bytes) = rest.get(..width) else {
        return Ok(None);
    };
    let number = bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    let head = match first {
        0xc4..=0xc6 => Head::Bin(length(number)),
        0xca => Head::F32(f32::from_bits(number as u32)),
        0xcb => Head::F64(f64::from_bits(number)),
        0xcc..=0xcf => Head::U64(number),
        0xd0..=0xd3 => {
            let unused = 64 - 8 * width;
            signed((number << unused) as i64 >> unused)
        }
        0xd9..=0xdb => Head::Str(length(number)),
        0xdc | 0xdd => Head::Array(length(number)),
        _ => Head::Map(length(number)),
    };
    Ok(Some((head, 1 + width)))
}

/// A length has at most 32 bits.
fn length(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn signed(number: i64) -> Head {
    u64::try_from(number).map_or(Head::I64(number), Head::U64)
}
