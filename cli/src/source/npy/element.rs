//! The elements of an array: their types, and what they stand for.

use half::f16;
use nearfield::Id;

use crate::failure::{Failure, Outcome};

/// One element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    kind: Kind,
    /// How many it takes.
    pub(super) bytes: u64,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Float,
    Signed,
    Unsigned,
    Bool,
    /// `U`: UTF-32, filled up with zeros.
    Text,
    /// `S`: bytes, filled up with zeros.
    Bytes,
}

impl Element {
    /// Whether it is a number.
    pub(super) fn is_numeric(self) -> bool {
        !matches!(self.kind, Kind::Text | Kind::Bytes)
    }

    /// Reads a type string such as `<f4`.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let mut letters = text.chars();
        let big_endian = match letters.next() {
            Some('<' | '|') => false,
            Some('=') => cfg!(target_endian = "big"),
            Some('>') => true,
            _ => return Err(unknown_type(text)),
        };
        let code = letters.next().ok_or_else(|| unknown_type(text))?;
        if code == 'O' {
            return Err(
                Failure::input("it holds Python objects, which only Python can read").hint(
                    "save numbers: numpy.save(\"vectors.npy\", numpy.stack(list(array)).astype(\"float32\"))",
                ),
            );
        }
        let size: u64 = letters.as_str().parse().map_err(|_| unknown_type(text))?;
        let (kind, bytes) = match (code, size) {
            ('f', 2 | 4 | 8) => (Kind::Float, size),
            ('i', 1 | 2 | 4 | 8) => (Kind::Signed, size),
            ('u', 1 | 2 | 4 | 8) => (Kind::Unsigned, size),
            ('b', 1) => (Kind::Bool, size),
            ('U', 1..=65_536) => (Kind::Text, size * 4),
            ('S', 1..=65_536) => (Kind::Bytes, size),
            _ => return Err(unknown_type(text)),
        };
        Ok(Element {
            kind,
            bytes,
            big_endian,
        })
    }

    /// Appends the numbers of whole elements.
    pub(super) fn append_values(self, bytes: &[u8], values: &mut Vec<f32>) {
        macro_rules! each {
            ($type:ty, $convert:expr) => {{
                const SIZE: usize = size_of::<$type>();
                let number = bytes.as_chunks::<SIZE>().0.iter();
                match self.big_endian {
                    true => values.extend(number.map(|b| $convert(<$type>::from_be_bytes(*b)))),
                    false => values.extend(number.map(|b| $convert(<$type>::from_le_bytes(*b)))),
                }
            }};
        }
        match (self.kind, self.bytes) {
            (Kind::Float, 2) => each!(u16, |bits| f16::from_bits(bits).to_f32()),
            (Kind::Float, 4) => each!(f32, |number| number),
            (Kind::Float, _) => each!(f64, |number| number as f32),
            (Kind::Signed, 1) => each!(i8, f32::from),
            (Kind::Signed, 2) => each!(i16, f32::from),
            (Kind::Signed, 4) => each!(i32, |number| number as f32),
            (Kind::Signed, _) => each!(i64, |number| number as f32),
            (Kind::Unsigned, 1) => each!(u8, f32::from),
            (Kind::Unsigned, 2) => each!(u16, f32::from),
            (Kind::Unsigned, 4) => each!(u32, |number| number as f32),
            (Kind::Unsigned, _) => each!(u64, |number| number as f32),
            (Kind::Bool, _) => {
                values.extend(bytes.iter().map(|byte| f32::from(u8::from(*byte != 0))))
            }
            (Kind::Text | Kind::Bytes, _) => {}
        }
    }

    /// The id that one element stands for.
    pub(super) fn id(self, bytes: &[u8]) -> Result<Id, String> {
        let mut wide = [0; 8];
        match self.kind {
            Kind::Signed | Kind::Unsigned => {
                let negative = match self.big_endian {
                    true => bytes.first(),
                    false => bytes.last(),
                }
                .is_some_and(|byte| byte & 0x80 != 0);
                if self.kind == Kind::Signed && negative {
                    return Err("an id is negative; use 0 to 2^64 - 1, or text".to_owned());
                }
                for (to, from) in wide.iter_mut().zip(bytes) {
                    *to = *from;
                }
                if self.big_endian {
                    wide[..bytes.len().min(8)].reverse();
                }
                Ok(Id::U64(u64::from_le_bytes(wide)))
            }
            Kind::Text => {
                let letters = bytes
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|letter| match self.big_endian {
                        true => u32::from_be_bytes(*letter),
                        false => u32::from_le_bytes(*letter),
                    });
                let text: Option<String> = letters.map(char::from_u32).collect();
                let text = text.ok_or("an id is not valid text")?;
                text_id(text.trim_end_matches('\0'))
            }
            Kind::Bytes => {
                let text = std::str::from_utf8(bytes).map_err(|_| "an id is not UTF-8 text")?;
                text_id(text.trim_end_matches('\0'))
            }
            Kind::Float | Kind::Bool => {
                Err("ids are whole numbers or text, and these are neither".to_owned())
            }
        }
    }
}

fn text_id(text: &str) -> Result<Id, String> {
    match text {
        "" => Err("an id is empty".to_owned()),
        text => Ok(Id::from(text)),
    }
}

fn unknown_type(name: &str) -> Failure {
    let shown: String = name.chars().take(20).collect();
    Failure::input(format!(
        "its elements have the type {shown:?}, which holds no vectors"
    ))
    .hint("save numbers: numpy.save(\"vectors.npy\", array.astype(\"float32\"))")
}
