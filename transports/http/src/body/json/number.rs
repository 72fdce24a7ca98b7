//! One number of JSON, byte by byte: for the ends of pieces, for what the scanner leaves, and for
//! machines that it does not know.

use super::decimal::{CUT_MIN, DIGITS_MAX, nearest};

/// What stands at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// A number, infinite if it is beyond the range of `f32`, and its bytes.
    Whole(f32, usize),
    /// The bytes end before it is known where the number ends.
    CutOff,
    /// No number of JSON.
    Not,
}

/// Reads the number at the start of `bytes`; it ends before some other byte.
pub(super) fn read_number(bytes: &[u8]) -> Number {
    let mut digits = Digits::default();
    let negative = bytes.first() == Some(&b'-');
    let whole_start = usize::from(negative);
    let mut at = digits.take(bytes, whole_start);
    let whole = at - whole_start;
    if at == bytes.len() {
        return Number::CutOff;
    }
    if whole == 0 || whole > 1 && bytes[whole_start] == b'0' {
        return Number::Not;
    }
    let mut exponent = 0;
    if bytes[at] == b'.' {
        let start = at + 1;
        digits.in_fraction = true;
        at = digits.take(bytes, start);
        if at == bytes.len() {
            return Number::CutOff;
        }
        if at == start {
            return Number::Not;
        }
    }
    if bytes[at] | 0x20 == b'e' {
        let sign = bytes.get(at + 1).copied();
        let start = at + 1 + usize::from(matches!(sign, Some(b'+' | b'-')));
        let length = bytes.get(start..).map_or(0, digit_count);
        if start + length >= bytes.len() {
            return Number::CutOff;
        }
        if length == 0 {
            return Number::Not;
        }
        at = start + length;
        let size = bytes[start..at].iter().fold(0_i32, |size, digit| {
            size.saturating_mul(10)
                .saturating_add((digit - b'0').into())
        });
        exponent = if sign == Some(b'-') { -size } else { size };
    }
    match value(&bytes[..at], negative, &digits, exponent) {
        Some(value) => Number::Whole(value, at),
        None => Number::Not,
    }
}

fn value(token: &[u8], negative: bool, digits: &Digits, exponent: i32) -> Option<f32> {
    let exact = !digits.cut || digits.number >= CUT_MIN;
    let near = exact
        .then(|| nearest(digits.number, exponent.saturating_add(digits.scale)))
        .flatten();
    match near {
        Some(value) if negative => Some(-value),
        Some(value) => Some(value),
        None => str::from_utf8(token).ok()?.parse().ok(),
    }
}

fn digit_count(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// The digits of a number as a whole number, times ten to the power of `scale`.
#[derive(Default)]
struct Digits {
    number: u64,
    count: usize,
    scale: i32,
    in_fraction: bool,
    /// Digits behind the last that counts were dropped.
    cut: bool,
}

impl Digits {
    /// Takes the digits from `at` on, and tells where they end.
    fn take(&mut self, bytes: &[u8], mut at: usize) -> usize {
        while let Some(byte) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            at += 1;
            if self.count == DIGITS_MAX {
                self.cut = true;
                self.scale += i32::from(!self.in_fraction);
                continue;
            }
            self.number = self.number * 10 + u64::from(byte - b'0');
            self.count += usize::from(self.number > 0);
            self.scale -= i32::from(self.in_fraction);
        }
        at
    }
}
