//! Vectors as one run of little-endian `f32`.

use std::borrow::Cow;

use bytes::Bytes;
use nearfield_model::{Error, Result};

use crate::proto;

const COMPONENT: usize = size_of::<f32>();

/// The components as bytes; they are the machine's own where it is little-endian.
pub(crate) fn to_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        Cow::Owned(bytes.collect())
    }
}

/// The components in bytes: borrowed where they lie as the machine needs them, else copied.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<Cow<'_, [f32]>> {
    if !bytes.len().is_multiple_of(COMPONENT) {
        return Err(Error::invalid(format!(
            "{} bytes are no run of f32; each takes {COMPONENT}",
            bytes.len()
        ))
        .in_field("vectors"));
    }
    if cfg!(target_endian = "little")
        && let Ok(values) = bytemuck::try_cast_slice(bytes)
    {
        return Ok(Cow::Borrowed(values));
    }
    let (components, _) = bytes.as_chunks::<COMPONENT>();
    let values = components.iter().map(|bytes| f32::from_le_bytes(*bytes));
    Ok(Cow::Owned(values.collect()))
}

/// The column of rows that may be absent; none if all are.
pub(super) fn column<'r>(
    rows: impl Iterator<Item = Option<&'r [f32]>>,
) -> Result<Option<proto::VectorColumn>> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut absent = Vec::new();
    let mut dimension = None;
    for (row, vector) in rows.enumerate() {
        match vector {
            Some(vector) if *dimension.get_or_insert(vector.len()) == vector.len() => {
                bytes.extend_from_slice(&to_bytes(vector));
            }
            Some(_) => return Err(Error::internal("the vectors of an answer differ in length")),
            None => absent.push(row as u32),
        }
    }
    Ok(dimension.map(|dimension| proto::VectorColumn {
        f32: Bytes::from(bytes),
        dimension: dimension as u64,
        absent,
    }))
}

/// The rows of a column that has to have `count`.
pub(super) fn rows(
    column: Option<proto::VectorColumn>,
    count: usize,
) -> Result<Vec<Option<Vec<f32>>>> {
    let Some(column) = column else {
        return Ok(vec![None; count]);
    };
    let values = from_bytes(&column.f32)?;
    let dimension = super::size(column.dimension);
    let present = count.checked_sub(column.absent.len());
    if dimension == 0 || present.and_then(|rows| rows.checked_mul(dimension)) != Some(values.len())
    {
        return Err(Error::invalid("the column of vectors does not fit the ids"));
    }
    let mut vectors = values.chunks_exact(dimension);
    let mut absent = column.absent.iter().peekable();
    let rows = (0..count).map(|row| {
        if absent.next_if(|absent| **absent as usize == row).is_some() {
            None
        } else {
            vectors.next().map(<[f32]>::to_vec)
        }
    });
    Ok(rows.collect())
}
