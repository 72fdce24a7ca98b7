//! Bodies of JSON: read as they arrive, written without values in between.

mod base64;
mod capture;
mod decimal;
mod ids;
mod matrix;
mod number;
mod object;
mod reader;
mod request;
mod response;
mod scan;
mod write;

#[cfg(test)]
mod tests;

pub(super) use reader::JsonReader;
pub(super) use request::write_request;
pub(super) use response::write_response;

/// Whether this is white space of JSON.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Passes over white space.
#[inline]
fn skip_space(piece: &mut &[u8]) {
    while let [byte, rest @ ..] = piece
        && is_space(*byte)
    {
        *piece = rest;
    }
}
