//! The scalars inside metadata and filters: booleans, numbers, strings, times.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A number of JSON. Whole numbers and fractions compare by exact value: `1` equals `1.0`,
/// and 2^53 + 1 is larger than 2^53.
#[derive(Clone, Copy, Debug)]
pub struct Number(Repr);

#[derive(Clone, Copy, Debug)]
enum Repr {
    /// Every whole number in -2^63 .. 2^64.
    Whole(i128),
    /// Every other finite number.
    Fraction(f64),
}

const WHOLE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0;

impl Number {
    /// The number of a finite `f64`; `None` for NaN and infinities.
    pub fn from_f64(number: f64) -> Option<Self> {
        if !number.is_finite() {
            None
        } else if number.trunc() == number && WHOLE.contains(&number) {
            Some(Number(Repr::Whole(number as i128)))
        } else {
            Some(Number(Repr::Fraction(number)))
        }
    }

    /// Reads a decimal number, such as `1960`, `-0.5` or `1e-9`: exact if it is whole and
    /// within -2^63 .. 2^64, otherwise the nearest `f64`.
    pub fn parse(text: &str) -> Option<Self> {
        let decimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        if !text.bytes().all(decimal) {
            return None;
        }
        if let Ok(number) = text.parse::<u64>() {
            return Some(number.into());
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(number.into());
        }
        text.parse().ok().and_then(Number::from_f64)
    }

    /// The nearest `f64`. The conversion keeps the order, though distinct numbers may meet.
    pub fn to_f64(self) -> f64 {
        match self.0 {
            Repr::Whole(number) => number as f64,
            Repr::Fraction(number) => number,
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Number(Repr::Whole(number.into()))
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Number(Repr::Whole(number.into()))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (Repr::Whole(a), Repr::Whole(b)) => a.cmp(&b),
            (Repr::Fraction(a), Repr::Fraction(b)) => a.total_cmp(&b),
            (Repr::Whole(a), Repr::Fraction(b)) => compare_whole(a, b),
            (Repr::Fraction(a), Repr::Whole(b)) => compare_whole(b, a).reverse(),
        }
    }
}

/// Compares a whole number with a fraction, or with a number beyond the range of whole ones.
fn compare_whole(whole: i128, fraction: f64) -> Ordering {
    if fraction >= WHOLE.end {
        Ordering::Less
    } else if fraction < WHOLE.start {
        Ordering::Greater
    } else if whole <= fraction.floor() as i128 {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Whole(number) => write!(f, "{number}"),
            Repr::Fraction(number) => write!(f, "{number:?}"),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Repr::Fraction(number) => serializer.serialize_f64(number),
            Repr::Whole(number) => match (u64::try_from(number), i64::try_from(number)) {
                (Ok(number), _) => serializer.serialize_u64(number),
                (_, Ok(number)) => serializer.serialize_i64(number),
                _ => serializer.serialize_f64(number as f64),
            },
        }
    }
}

/// A point in time, in microseconds since 1970-01-01T00:00:00Z; finer digits are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Reads an RFC 3339 date and time (`2024-05-01T12:30:00Z`), or a date alone
    /// (`2024-05-01`, its midnight in UTC). Years 0000 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let dated = bytes.len() >= 10
            && bytes[..10]
                .iter()
                .enumerate()
                .all(|(position, byte)| match position {
                    4 | 7 => *byte == b'-',
                    _ => byte.is_ascii_digit(),
                });
        if !dated {
            return None;
        }
        let time = if bytes.len() == 10 {
            OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339)
        } else {
            OffsetDateTime::parse(text, &Rfc3339)
        };
        let nanoseconds = time.ok()?.unix_timestamp_nanos();
        i64::try_from(nanoseconds.div_euclid(1_000)).ok().map(Time)
    }
}

/// A scalar that a condition compares with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// Any JSON number.
    Number(Number),
    /// Any string. Strings are equal byte by byte, also where they are times.
    String(Box<str>),
}

/// A [`Value`] whose text is borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueRef<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// Any JSON number.
    Number(Number),
    /// Any string.
    String(&'a str),
}

impl Value {
    /// The same value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Bool(flag) => ValueRef::Bool(*flag),
            Value::Number(number) => ValueRef::Number(*number),
            Value::String(text) => ValueRef::String(text),
        }
    }
}

impl ValueRef<'_> {
    /// The same value, owned.
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Bool(flag) => Value::Bool(flag),
            ValueRef::Number(number) => Value::Number(number),
            ValueRef::String(text) => Value::String(text.into()),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Number(number) => number.serialize(serializer),
            Value::String(text) => serializer.serialize_str(text),
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Number(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Value::Number(i64::from(number).into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fraction(number: f64) -> Number {
        Number::from_f64(number).unwrap()
    }

    #[test]
    fn numbers_compare_by_exact_value() {
        let above = Number::from((1_u64 << 53) + 1);
        assert!(above > fraction(9_007_199_254_740_992.0));
        assert_eq!(Number::from(1_u64), fraction(1.0));
        assert_eq!(fraction(-0.0), Number::from(0_u64));
        assert!(Number::from(-1_i64) < fraction(-0.5));
        assert!(Number::from(u64::MAX) < fraction(1e300));
        assert!(Number::from(i64::MIN) > fraction(-1e300));
        assert!(fraction(1.5) > Number::from(1_u64) && fraction(1.5) < Number::from(2_u64));
        assert!(Number::from_f64(f64::NAN).is_none());
    }

    #[test]
    fn times_are_read_with_offset_fraction_and_as_dates() {
        assert_eq!(Time::parse("1970-01-01T00:00:00Z"), Some(Time(0)));
        assert_eq!(
            Time::parse("1970-01-01T01:00:00.000001+01:00"),
            Some(Time(1))
        );
        assert_eq!(Time::parse("1970-01-02"), Some(Time(86_400_000_000)));
        for wrong in ["1970-1-1", "jazz", "1970-13-01", "1970-01-01T25:00:00Z", ""] {
            assert_eq!(Time::parse(wrong), None, "{wrong}");
        }
    }
}
