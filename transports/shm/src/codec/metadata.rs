//! A column of metadata: all rows' text joined, and where each row ends.

use std::borrow::Cow;

use nearfield_model::{Error, Metadata, MetadataColumn, Result};

use super::gather::Gather;
use super::ids::count32;
use super::reader::not_utf8;
use super::source::{Fault, Raw, Source};

/// Appends a column, or that there is none.
pub(super) fn encode<'a>(
    column: Option<&'a MetadataColumn<'_>>,
    to: &mut Gather<'a>,
) -> Result<()> {
    let Some(column) = column else {
        to.byte(0);
        return Ok(());
    };
    to.byte(1);
    to.u32(count32(column.len())?);
    to.u32(count32(column.text().len())?);
    to.lend(bytemuck::cast_slice(column.ends()));
    to.lend(column.text().as_bytes());
    Ok(())
}

/// Appends the metadata of points, or that none has any.
pub(super) fn encode_each<'m>(
    rows: impl Iterator<Item = Option<&'m Metadata>> + Clone,
    to: &mut Gather<'_>,
) -> Result<()> {
    if rows.clone().all(|row| row.is_none()) {
        to.byte(0);
        return Ok(());
    }
    let texts = rows.map(|row| row.map_or("", Metadata::as_str));
    to.byte(1);
    to.u32(count32(texts.clone().count())?);
    to.u32(count32(texts.clone().map(str::len).sum())?);
    let mut end = 0;
    for text in texts.clone() {
        end += text.len();
        to.u32(count32(end)?);
    }
    texts.for_each(|text| to.put(text.as_bytes()));
    Ok(())
}

/// Takes a column, if there is one.
pub(super) fn decode<'s>(
    source: &mut Source<impl Raw>,
    text: &'s mut Vec<u8>,
    ends: &'s mut Vec<u32>,
) -> Result<Option<MetadataColumn<'s>>, Fault> {
    if !source.flag()? {
        return Ok(None);
    }
    let rows = source.u32()? as usize;
    let bytes = source.u32()? as usize;
    let ends = source.column(rows, ends)?;
    let text = str::from_utf8(source.column(bytes, text)?).map_err(|_| not_utf8())?;
    let column = MetadataColumn::from_parts(Cow::Borrowed(text), Cow::Borrowed(ends))?;
    Ok(Some(column))
}

/// Takes a column for `rows` points, row by row.
pub(super) fn decode_each(
    source: &mut Source<impl Raw>,
    rows: usize,
) -> Result<Vec<Option<Metadata>>, Fault> {
    let (mut text, mut ends) = (Vec::new(), Vec::new());
    match decode(source, &mut text, &mut ends)? {
        None => Ok(vec![None; rows]),
        Some(column) if column.len() == rows => Ok(column
            .iter()
            .map(|row| row.map(Metadata::from_checked))
            .collect()),
        Some(column) => Err(Fault::Malformed(Error::invalid(format!(
            "{} rows of metadata come with {rows} points",
            column.len()
        )))),
    }
}
