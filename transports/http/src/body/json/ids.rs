//! `ids` of JSON.

use nearfield_model::codec::ids_from_json;
use nearfield_model::{Ids, Result};

use super::skip_space;

/// Reads ids; `None` if they are `null`.
pub(super) fn read_ids(text: &str) -> Result<Option<Ids<'static>>> {
    match read_numbers(text.as_bytes()) {
        Some(numbers) => Ok(Some(Ids::from(numbers))),
        None => ids_from_json(text),
    }
}

/// Reads a list of plain whole numbers; `None` if it is anything else.
fn read_numbers(mut text: &[u8]) -> Option<Vec<u64>> {
    text = text.strip_prefix(b"[")?;
    // A number and its comma take two bytes at least.
    let mut numbers = Vec::with_capacity((text.len() / 4).min(1 << 16));
    loop {
        skip_space(&mut text);
        let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = text.split_at(length);
        // Nineteen digits are below 2^64.
        if !(1..=19).contains(&length) || length > 1 && digits[0] == b'0' {
            return None;
        }
        numbers.push(
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + u64::from(digit - b'0')),
        );
        text = rest;
        skip_space(&mut text);
        match text.split_first()? {
            (b',', rest) => text = rest,
            (b']', []) => return Some(numbers),
            _ => return None,
        }
    }
}
