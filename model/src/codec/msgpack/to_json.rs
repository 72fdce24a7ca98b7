//! MessagePack to JSON text, without a tree of values between them.

use super::head::Head;
use super::whole::Whole;
use crate::error::{Error, Result};

/// Arrays and maps inside each other, at most: as many as the JSON that is made may have.
pub(super) const DEPTH_MAX: usize = 127;

/// Appends the next value as JSON. `depth` is how many arrays and maps it may nest.
pub(super) fn append(from: &mut Whole<'_>, depth: usize, to: &mut String) -> Result<()> {
    let head = from.head()?;
    if matches!(head, Head::Array(_) | Head::Map(_)) && depth == 0 {
        return Err(Error::invalid("it nests too deep"));
    }
    match head {
        Head::Nil => to.push_str("null"),
        Head::Bool(flag) => to.push_str(if flag { "true" } else { "false" }),
        Head::U64(number) => append_number(number, to),
        Head::I64(number) => append_number(number, to),
        Head::F32(number) => append_float(number.into(), to)?,
        Head::F64(number) => append_float(number, to)?,
        Head::Str(length) => append_text(from.text(length)?, to),
        Head::Bin(_) => {
            return Err(Error::invalid(
                "bytes are given; a string or number is taken",
            ));
        }
        Head::Array(count) => {
            to.push('[');
            for position in 0..count {
                if position > 0 {
                    to.push(',');
                }
                append(from, depth - 1, to)?;
            }
            to.push(']');
        }
        Head::Map(count) => {
            to.push('{');
            for position in 0..count {
                if position > 0 {
                    to.push(',');
                }
                append_text(from.name()?, to);
                to.push(':');
                append(from, depth - 1, to)?;
            }
            to.push('}');
        }
    }
    Ok(())
}

fn append_number(number: impl itoa::Integer, to: &mut String) {
    to.push_str(itoa::Buffer::new().format(number));
}

fn append_float(number: f64, to: &mut String) -> Result<()> {
    if !number.is_finite() {
        return Err(Error::invalid("a number is not finite"));
    }
    to.push_str(zmij::Buffer::new().format_finite(number));
    Ok(())
}

/// Appends a string with its quotes.
fn append_text(text: &str, to: &mut String) {
    to.push('"');
    let mut rest = text;
    while let Some(place) = rest
        .bytes()
        .position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        to.push_str(&rest[..place]);
        match rest.as_bytes()[place] {
            b'"' => to.push_str("\\\""),
            b'\\' => to.push_str("\\\\"),
            b'\n' => to.push_str("\\n"),
            b'\r' => to.push_str("\\r"),
            b'\t' => to.push_str("\\t"),
            control => to.push_str(&format!("\\u{control:04x}")),
        }
        rest = &rest[place + 1..];
    }
    to.push_str(rest);
    to.push('"');
}
