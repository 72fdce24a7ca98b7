//! Metadata as MessagePack: maps, or in requests the JSON text itself.

use super::super::parts::ColumnBuilder;
use super::super::read::trimmed;
use super::head::Head;
use super::whole::Whole;
use super::{to_json, write};
use crate::error::{Error, Result};
use crate::limits::{METADATA_BYTES_MAX, METADATA_DEPTH_MAX};
use crate::metadata::{Metadata, MetadataColumn};

const FIELD: &str = "metadata";

/// Appends a column, each row as its JSON text.
pub(super) fn append_column(column: &MetadataColumn<'_>, to: &mut Vec<u8>) {
    write::array(column.len(), to);
    for row in column.iter() {
        match row {
            Some(text) => write::text(text, to),
            None => write::nil(to),
        }
    }
}

/// Reads a column of maps, texts and nils; `None` if it is nil itself.
pub(super) fn read_column(from: &mut Whole<'_>) -> Result<Option<MetadataColumn<'static>>> {
    let count = match from.head()? {
        Head::Nil => return Ok(None),
        Head::Array(count) => count,
        _ => return Err(Error::invalid("expected an array").in_field(FIELD)),
    };
    let mut column = ColumnBuilder::default();
    for row in 0..count {
        let mut value = *from;
        match from.head()? {
            Head::Nil => column.push("")?,
            Head::Str(length) => match trimmed(from.text(length)?) {
                "" => return Err(column.fault("metadata is an empty text; use nil for none")),
                text => column.push(text)?,
            },
            Head::Map(_) => {
                *from = value;
                to_json::append(from, METADATA_DEPTH_MAX, column.text())
                    .map_err(|error| not_metadata(&error).at_row(row).in_field(FIELD))?;
                column.end_row()?;
            }
            _ => {
                let mut json = String::new();
                to_json::append(&mut value, METADATA_DEPTH_MAX, &mut json)
                    .map_err(|error| not_metadata(&error).at_row(row).in_field(FIELD))?;
                column.push(&json)?;
            }
        }
    }
    column.finish().map(Some)
}

/// Reads the metadata of one point; `None` if it is nil.
pub(super) fn read_metadata(from: &mut Whole<'_>) -> Result<Option<Metadata>> {
    let value = *from;
    match from.head()? {
        Head::Nil => Ok(None),
        Head::Str(length) => Metadata::parse(from.text(length)?).map(Some),
        Head::Map(_) => {
            *from = value;
            let mut json = String::new();
            to_json::append(from, METADATA_DEPTH_MAX, &mut json)
                .map_err(|error| not_metadata(&error))?;
            if json.len() > METADATA_BYTES_MAX {
                return Metadata::parse(&json).map(Some);
            }
            // A map within the depth has become a valid object.
            Ok(Some(Metadata::from_checked(&json)))
        }
        _ => Err(Error::invalid("metadata is not a map")),
    }
}

fn not_metadata(error: &Error) -> Error {
    Error::invalid(format!(
        "metadata is not a valid JSON object: {}",
        error.message()
    ))
}
