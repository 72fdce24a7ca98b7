//! Values of JSON, appended.

use nearfield_model::{Error, IdRef, Ids, Result};

/// Letters that a component takes, about: room is made for so many.
const COMPONENT_LETTERS: usize = 13;

/// Appends a name and its colon, behind a comma unless it is the first.
pub(super) fn name(first: bool, name: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(if first { b"\"" } else { b",\"" });
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(b"\":");
}

/// Appends a list, whose elements `one` appends.
pub(super) fn list<T>(
    elements: impl IntoIterator<Item = T>,
    to: &mut Vec<u8>,
    mut one: impl FnMut(T, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    to.push(b'[');
    for (position, element) in elements.into_iter().enumerate() {
        if position > 0 {
            to.push(b',');
        }
        one(element, to)?;
    }
    to.push(b']');
    Ok(())
}

/// Appends a list of components, each with the fewest digits that are read as the same `f32`.
pub(super) fn components(values: &[f32], to: &mut Vec<u8>) {
    to.reserve(values.len() * COMPONENT_LETTERS + 2);
    let mut buffer = zmij::Buffer::new();
    let mut comma = b'[';
    for value in values {
        to.push(comma);
        comma = b',';
        append(*value, &mut buffer, to);
    }
    if values.is_empty() {
        to.push(b'[');
    }
    to.push(b']');
}

/// Appends a number. An infinite one becomes `1e999` or `-1e999`, NaN `null`.
pub(super) fn number(value: f32, to: &mut Vec<u8>) {
    append(value, &mut zmij::Buffer::new(), to);
}

#[inline]
fn append(value: f32, buffer: &mut zmij::Buffer, to: &mut Vec<u8>) {
    let text = if value.is_finite() {
        buffer.format_finite(value)
    } else if value.is_nan() {
        "null"
    } else if value > 0.0 {
        "1e999"
    } else {
        "-1e999"
    };
    to.extend_from_slice(text.as_bytes());
}

pub(super) fn whole(number: u64, to: &mut Vec<u8>) {
    to.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

pub(super) fn flag(flag: bool, to: &mut Vec<u8>) {
    to.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// Appends what serde knows how to write.
pub(super) fn value(value: &impl serde::Serialize, to: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(to, value)
        .map_err(|error| Error::internal(format!("this does not become JSON: {error}")))
}

pub(super) fn id(id: IdRef<'_>, to: &mut Vec<u8>) -> Result<()> {
    match id {
        IdRef::U64(number) => whole(number, to),
        IdRef::Uuid(uuid) => {
            to.push(b'"');
            let mut text = [0; 36];
            to.extend_from_slice(uuid.hyphenated().encode_lower(&mut text).as_bytes());
            to.push(b'"');
        }
        IdRef::String(text) => value(&text, to)?,
    }
    Ok(())
}

pub(super) fn ids(ids: &Ids<'_>, to: &mut Vec<u8>) -> Result<()> {
    list(ids.iter(), to, id)
}
