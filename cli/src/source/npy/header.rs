//! The header of a `.npy` file: a Python dictionary, read and written.

use super::element::Element;
use crate::failure::{Failure, Outcome};

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    /// The type of the elements.
    pub(super) element: Element,
    /// The lengths of the array.
    pub(super) shape: Vec<u64>,
}

impl Header {
    /// Reads the dictionary that NumPy writes with Python's `repr`.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let damaged =
            || Failure::input("its header is not what NumPy writes, so the file is damaged");
        let mut rest = text.trim_start().strip_prefix('{').ok_or_else(damaged)?;
        let (mut element, mut fortran, mut shape) = (None, None, None);
        loop {
            rest = rest.trim_start_matches([' ', ',']);
            if rest.starts_with('}') {
                break;
            }
            let key;
            (key, rest) = quoted(rest).ok_or_else(damaged)?;
            rest = rest
                .trim_start()
                .strip_prefix(':')
                .ok_or_else(damaged)?
                .trim_start();
            match key {
                "descr" if rest.starts_with('[') => {
                    return Err(
                        Failure::input("it is a structured array, with named fields")
                            .hint("save the field that holds the vectors as an array of its own"),
                    );
                }
                "descr" => {
                    let name;
                    (name, rest) = quoted(rest).ok_or_else(damaged)?;
                    element = Some(Element::parse(name)?);
                }
                "fortran_order" => {
                    let (flag, length) = match rest {
                        rest if rest.starts_with("True") => (true, 4),
                        rest if rest.starts_with("False") => (false, 5),
                        _ => return Err(damaged()),
                    };
                    fortran = Some(flag);
                    rest = &rest[length..];
                }
                "shape" => {
                    let (inside, after) = rest
                        .strip_prefix('(')
                        .and_then(|rest| rest.split_once(')'))
                        .ok_or_else(damaged)?;
                    let lengths: Option<Vec<u64>> = inside
                        .split(',')
                        .map(|length| length.trim().trim_end_matches('L'))
                        .filter(|length| !length.is_empty())
                        .map(|length| length.parse().ok())
                        .collect();
                    shape = Some(lengths.ok_or_else(damaged)?);
                    rest = after;
                }
                _ => return Err(damaged()),
            }
        }
        match (element, fortran, shape) {
            (Some(_), Some(true), Some(shape)) if shape.len() > 1 => Err(Failure::input(
                "it is stored column by column (fortran_order)",
            )
            .hint(
                "save it row by row: numpy.save(\"vectors.npy\", numpy.ascontiguousarray(array))",
            )),
            (Some(element), Some(_), Some(shape)) => Ok(Header { element, shape }),
            _ => Err(damaged()),
        }
    }
}

/// The text between quotes that `text` starts with, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text
        .chars()
        .next()
        .filter(|mark| matches!(mark, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// The start of a file of format 1.0: 128 bytes, whatever the number of rows, so that it can
/// be written over once that is known.
pub(crate) fn header(descr: &str, rows: u64, row_len: Option<usize>) -> Vec<u8> {
    let shape = match row_len {
        Some(length) => format!("({rows}, {length})"),
        None => format!("({rows},)"),
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while header.len() < 117 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&118_u16.to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes
}
