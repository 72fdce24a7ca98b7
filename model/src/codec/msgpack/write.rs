//! MessagePack values, appended in their shortest form.

use super::super::words;

/// Appends a map's head.
pub(super) fn map(length: usize, to: &mut Vec<u8>) {
    match length {
        0..=15 => to.push(0x80 | length as u8),
        _ => sized(0xde, length, to),
    }
}

/// Appends an array's head.
pub(super) fn array(length: usize, to: &mut Vec<u8>) {
    match length {
        0..=15 => to.push(0x90 | length as u8),
        _ => sized(0xdc, length, to),
    }
}

/// Appends a head that has forms of 16 and 32 bits.
fn sized(first: u8, length: usize, to: &mut Vec<u8>) {
    if let Ok(length) = u16::try_from(length) {
        to.push(first);
        to.extend_from_slice(&length.to_be_bytes());
    } else {
        to.push(first + 1);
        to.extend_from_slice(&(length as u32).to_be_bytes());
    }
}

/// Appends a text.
pub(super) fn text(text: &str, to: &mut Vec<u8>) {
    match text.len() {
        length @ 0..=31 => to.push(0xa0 | length as u8),
        length @ 32..=255 => to.extend_from_slice(&[0xd9, length as u8]),
        length => sized(0xda, length, to),
    }
    to.extend_from_slice(text.as_bytes());
}

/// Appends the head of bytes.
pub(super) fn bin(length: usize, to: &mut Vec<u8>) {
    match length {
        0..=255 => to.extend_from_slice(&[0xc4, length as u8]),
        length => sized(0xc5, length, to),
    }
}

/// Appends components as bytes.
pub(super) fn components(values: &[f32], to: &mut Vec<u8>) {
    bin(values.len() * 4, to);
    words::append(values, f32::to_le_bytes, to);
}

pub(super) fn u64(number: u64, to: &mut Vec<u8>) {
    if number < 0x80 {
        to.push(number as u8);
    } else if let Ok(number) = u8::try_from(number) {
        to.extend_from_slice(&[0xcc, number]);
    } else if let Ok(number) = u16::try_from(number) {
        to.push(0xcd);
        to.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        to.push(0xce);
        to.extend_from_slice(&number.to_be_bytes());
    } else {
        to.push(0xcf);
        to.extend_from_slice(&number.to_be_bytes());
    }
}

pub(super) fn i64(number: i64, to: &mut Vec<u8>) {
    match u64::try_from(number) {
        Ok(number) => u64(number, to),
        Err(_) => {
            to.push(0xd3);
            to.extend_from_slice(&number.to_be_bytes());
        }
    }
}

pub(super) fn f32(number: f32, to: &mut Vec<u8>) {
    to.push(0xca);
    to.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn f64(number: f64, to: &mut Vec<u8>) {
    to.push(0xcb);
    to.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn bool(flag: bool, to: &mut Vec<u8>) {
    to.push(0xc2 | u8::from(flag));
}

pub(super) fn nil(to: &mut Vec<u8>) {
    to.push(0xc0);
}
