//! Ids as MessagePack: bytes of little-endian `u64`, or an array of numbers and strings.

use super::super::words;
use super::head::Head;
use super::to_json;
use super::whole::Whole;
use super::write;
use crate::error::{Error, Result};
use crate::id::{Id, IdRef, Ids};

pub(super) fn append_ids(ids: &Ids<'_>, to: &mut Vec<u8>) {
    match ids {
        Ids::U64(numbers) => {
            write::bin(numbers.len() * 8, to);
            words::append(numbers, u64::to_le_bytes, to);
        }
        Ids::Mixed(ids) => {
            write::array(ids.len(), to);
            ids.iter().for_each(|id| append_id(id.as_ref(), to));
        }
    }
}

pub(super) fn append_id(id: IdRef<'_>, to: &mut Vec<u8>) {
    match id {
        IdRef::U64(number) => write::u64(number, to),
        IdRef::Uuid(uuid) => {
            write::text(uuid.hyphenated().encode_lower(&mut [0; 36]), to);
        }
        IdRef::String(text) => write::text(text, to),
    }
}

/// Reads an array of ids; `None` if it is nil.
pub(super) fn read_ids(from: &mut Whole<'_>) -> Result<Option<Ids<'static>>> {
    let count = match from.head()? {
        Head::Nil => return Ok(None),
        Head::Array(count) => count,
        _ => {
            return Err(Error::invalid(
                "expected an array, or bytes of little-endian u64",
            ));
        }
    };
    let mut numbers: Vec<u64> = Vec::with_capacity(from.credible(count));
    for row in 0..count {
        match read_id(from).map_err(|error| error.at_row(row))? {
            Id::U64(number) => numbers.push(number),
            id => return read_mixed(from, numbers, id, count).map(Some),
        }
    }
    Ok(Some(Ids::from(numbers)))
}

/// Goes on with the first id that is no number.
fn read_mixed(
    from: &mut Whole<'_>,
    numbers: Vec<u64>,
    first: Id,
    count: usize,
) -> Result<Ids<'static>> {
    let mut ids: Vec<Id> = numbers.into_iter().map(Id::U64).collect();
    ids.push(first);
    for row in ids.len()..count {
        ids.push(read_id(from).map_err(|error| error.at_row(row))?);
    }
    Ok(Ids::Mixed(ids.into()))
}

/// Reads one id. What is none is refused with the words of JSON.
pub(super) fn read_id(from: &mut Whole<'_>) -> Result<Id> {
    let mut value = *from;
    match from.head()? {
        Head::U64(number) => Ok(Id::U64(number)),
        Head::Str(length) => from.text(length).map(Id::from),
        _ => {
            let mut json = String::new();
            to_json::append(&mut value, to_json::DEPTH_MAX, &mut json)?;
            serde_json::from_str(&json).map_err(|error| Error::invalid(error.to_string()))
        }
    }
}
