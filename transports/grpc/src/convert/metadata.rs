//! Metadata as one text and the ends of its rows.

use bytes::Bytes;
use nearfield_model::{Error, Metadata, MetadataColumn, Result};

use crate::proto;

pub(super) fn to_message(column: &MetadataColumn<'_>) -> proto::MetadataColumn {
    proto::MetadataColumn {
        text: Bytes::copy_from_slice(column.text().as_bytes()),
        ends: column.ends().to_vec(),
    }
}

/// The column, which borrows from the message.
pub(super) fn from_message(message: &proto::MetadataColumn) -> Result<MetadataColumn<'_>> {
    let text = str::from_utf8(&message.text).map_err(|error| {
        Error::invalid(format!("the metadata is not UTF-8: {error}")).in_field("metadata")
    })?;
    MetadataColumn::from_parts(text, message.ends.as_slice())
}

/// The column of rows that may be absent; none if all are.
pub(super) fn column<'r>(
    rows: impl Iterator<Item = Option<&'r Metadata>>,
) -> Result<Option<proto::MetadataColumn>> {
    let mut column = MetadataColumn::default();
    let mut any = false;
    for row in rows {
        any |= row.is_some();
        column.push(row)?;
    }
    Ok(any.then(|| to_message(&column)))
}

/// The rows of a column that has to have `count`.
pub(super) fn rows(
    column: Option<proto::MetadataColumn>,
    count: usize,
) -> Result<Vec<Option<Metadata>>> {
    let Some(column) = column else {
        return Ok(vec![None; count]);
    };
    let column = from_message(&column)?;
    if column.len() != count {
        return Err(Error::invalid(
            "the column of metadata does not fit the ids",
        ));
    }
    let rows = column.iter();
    Ok(rows.map(|text| text.map(Metadata::from_checked)).collect())
}
