//! A column of ids: numbers as they are, other kinds packed behind a tag each.

use nearfield_model::{Error, Id, IdRef, Ids, Result, Uuid};

use super::gather::Gather;
use super::reader::not_utf8;
use super::source::{Fault, Raw, Source, cut_off};

const NUMBERS: u8 = 0;
const MIXED: u8 = 1;

const U64: u8 = 0;
const UUID: u8 = 1;
const STRING: u8 = 2;

/// Appends a column.
pub(super) fn encode<'a>(ids: &'a Ids<'_>, to: &mut Gather<'a>) -> Result<()> {
    match ids {
        Ids::U64(numbers) => {
            begin(NUMBERS, numbers.len(), to)?;
            to.lend(bytemuck::cast_slice(numbers));
            Ok(())
        }
        Ids::Mixed(ids) => encode_mixed(ids.iter().map(Id::as_ref), to),
    }
}

/// Appends the ids of points, as numbers if all are.
pub(super) fn encode_each<'i>(
    ids: impl Iterator<Item = IdRef<'i>> + Clone,
    to: &mut Gather<'_>,
) -> Result<()> {
    if ids.clone().any(|id| !matches!(id, IdRef::U64(_))) {
        return encode_mixed(ids, to);
    }
    begin(NUMBERS, ids.clone().count(), to)?;
    for id in ids {
        if let IdRef::U64(number) = id {
            to.u64(number);
        }
    }
    Ok(())
}

fn begin(kind: u8, count: usize, to: &mut Gather<'_>) -> Result<()> {
    to.byte(kind);
    to.u32(count32(count)?);
    Ok(())
}

fn encode_mixed<'i>(
    ids: impl Iterator<Item = IdRef<'i>> + Clone,
    to: &mut Gather<'_>,
) -> Result<()> {
    begin(MIXED, ids.clone().count(), to)?;
    let bytes = ids.clone().map(|id| match id {
        IdRef::U64(_) => 9,
        IdRef::Uuid(_) => 17,
        IdRef::String(text) => 3 + text.len(),
    });
    to.u32(count32(bytes.sum())?);
    for id in ids {
        match id {
            IdRef::U64(number) => {
                to.byte(U64);
                to.u64(number);
            }
            IdRef::Uuid(uuid) => {
                to.byte(UUID);
                to.put(uuid.as_bytes());
            }
            IdRef::String(text) => {
                let length = u16::try_from(text.len())
                    .map_err(|_| Error::too_large("an id has more than 65,535 bytes"))?;
                to.byte(STRING);
                to.put(&length.to_le_bytes());
                to.put(text.as_bytes());
            }
        }
    }
    Ok(())
}

/// Takes a column; numbers are borrowed.
pub(super) fn decode<'s>(
    source: &mut Source<impl Raw>,
    numbers: &'s mut Vec<u64>,
    packed: &mut Vec<u8>,
) -> Result<Ids<'s>, Fault> {
    let kind = source.byte()?;
    let count = source.u32()? as usize;
    match kind {
        NUMBERS => Ok(Ids::from(source.column(count, numbers)?)),
        MIXED => {
            let bytes = source.u32()? as usize;
            Ok(Ids::Mixed(
                unpack(count, source.column(bytes, packed)?)?.into(),
            ))
        }
        kind => Err(Fault::malformed(format!("{kind} is no kind of ids"))),
    }
}

/// Takes a column, id by id.
pub(super) fn decode_each(source: &mut Source<impl Raw>) -> Result<Vec<Id>, Fault> {
    let (mut numbers, mut packed) = (Vec::new(), Vec::new());
    match decode(source, &mut numbers, &mut packed)? {
        Ids::U64(numbers) => Ok(numbers.iter().copied().map(Id::U64).collect()),
        Ids::Mixed(ids) => Ok(ids.into_owned()),
    }
}

fn unpack(count: usize, mut bytes: &[u8]) -> Result<Vec<Id>, Fault> {
    // An id takes three bytes at least.
    let mut ids = Vec::with_capacity(count.min(bytes.len() / 3 + 1));
    for _ in 0..count {
        ids.push(match cut::<1>(&mut bytes)? {
            [U64] => Id::U64(u64::from_le_bytes(cut(&mut bytes)?)),
            [UUID] => Id::Uuid(Uuid::from_bytes(cut(&mut bytes)?)),
            [STRING] => {
                let length = usize::from(u16::from_le_bytes(cut(&mut bytes)?));
                let (text, rest) = bytes.split_at_checked(length).ok_or_else(cut_off)?;
                bytes = rest;
                Id::String(str::from_utf8(text).map_err(|_| not_utf8())?.into())
            }
            [tag] => return Err(Fault::malformed(format!("{tag} is no kind of id"))),
        });
    }
    match bytes {
        [] => Ok(ids),
        rest => Err(Fault::malformed(format!(
            "there are {} bytes behind the ids",
            rest.len()
        ))),
    }
}

fn cut<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Fault> {
    let (first, rest) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    *bytes = rest;
    Ok(*first)
}

pub(super) fn count32(count: usize) -> Result<u32> {
    u32::try_from(count).map_err(|_| Error::too_large("a column has more than 4 GiB"))
}
