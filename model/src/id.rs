//! What names a point: a number, a UUID or a string.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use uuid::Uuid;

use crate::error::{Error, Result};
use crate::limits::ID_BYTES_MAX;

/// The id of a point. Ids order `u64 < UUID < string`; each kind orders within itself.
///
/// A string in the canonical form of a UUID (lower case, with hyphens) *is* that UUID,
/// whichever way it came in:
/// ```
/// use nearfield_model::Id;
/// assert!(matches!(Id::from("67e55044-10b1-426f-9247-bb680e5fe0c8"), Id::Uuid(_)));
/// assert!(matches!(Id::from("67E55044-10B1-426F-9247-BB680E5FE0C8"), Id::String(_)));
/// assert!(Id::from(7) < Id::from("a"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// A number.
    U64(u64),
    /// A UUID; 16 bytes.
    Uuid(Uuid),
    /// Any other text, of 1 to [`ID_BYTES_MAX`] bytes.
    String(Box<str>),
}

/// An [`Id`] whose text is borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdRef<'a> {
    /// A number.
    U64(u64),
    /// A UUID; 16 bytes.
    Uuid(Uuid),
    /// Any other text.
    String(&'a str),
}

impl Id {
    /// The same id, borrowed.
    pub fn as_ref(&self) -> IdRef<'_> {
        match self {
            Id::U64(number) => IdRef::U64(*number),
            Id::Uuid(uuid) => IdRef::Uuid(*uuid),
            Id::String(text) => IdRef::String(text),
        }
    }
}

impl<'a> IdRef<'a> {
    /// The id that a text stands for: a UUID in canonical lower case, else the text itself.
    pub fn from_text(text: &'a str) -> Self {
        canonical_uuid(text).map_or(IdRef::String(text), IdRef::Uuid)
    }

    /// The same id, owned.
    pub fn to_id(self) -> Id {
        match self {
            IdRef::U64(number) => Id::U64(number),
            IdRef::Uuid(uuid) => Id::Uuid(uuid),
            IdRef::String(text) => Id::String(text.into()),
        }
    }

    /// Refuses empty and overlong strings, and strings that are another id's text.
    pub fn check(self) -> Result<()> {
        match self {
            IdRef::String("") => Err(Error::invalid("an id is empty; give it at least one byte")),
            IdRef::String(text) if text.len() > ID_BYTES_MAX => Err(Error::too_large(format!(
                "an id has {} bytes; at most {ID_BYTES_MAX} are allowed",
                text.len()
            ))),
            IdRef::String(text) if canonical_uuid(text).is_some() => Err(Error::invalid(
                "an id in the form of a UUID was given as a plain string; make it with Id::from",
            )),
            _ => Ok(()),
        }
    }
}

fn canonical_uuid(text: &str) -> Option<Uuid> {
    let canonical = text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(position, byte)| match position {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            });
    canonical.then(|| Uuid::try_parse(text).ok()).flatten()
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Id::U64(number)
    }
}

impl From<Uuid> for Id {
    fn from(uuid: Uuid) -> Self {
        Id::Uuid(uuid)
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        IdRef::from_text(text).to_id()
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        Id::from(text.as_str())
    }
}

impl fmt::Display for IdRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdRef::U64(number) => fmt::Display::fmt(number, f),
            IdRef::Uuid(uuid) => fmt::Display::fmt(uuid, f),
            IdRef::String(text) => fmt::Display::fmt(text, f),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Id::U64(number) => serializer.serialize_u64(*number),
            Id::Uuid(uuid) => serializer.collect_str(uuid),
            Id::String(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Id;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a whole number from 0 to 2^64 - 1, or a string")
            }
            fn visit_u64<E>(self, number: u64) -> Result<Id, E> {
                Ok(Id::U64(number))
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Id, E> {
                u64::try_from(number).map(Id::U64).map_err(|_| {
                    E::custom("a numeric id is negative; use 0 to 2^64 - 1, or a string")
                })
            }
            fn visit_str<E>(self, text: &str) -> Result<Id, E> {
                Ok(Id::from(text))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A column of ids. Numbers alone are kept as one array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids<'a> {
    /// Numbers only.
    U64(Cow<'a, [u64]>),
    /// Any kinds.
    Mixed(Cow<'a, [Id]>),
}

impl<'a> Ids<'a> {
    /// How many ids there are.
    pub fn len(&self) -> usize {
        match self {
            Ids::U64(numbers) => numbers.len(),
            Ids::Mixed(ids) => ids.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id at `row`, if `row < len()`.
    pub fn get(&self, row: usize) -> Option<IdRef<'_>> {
        match self {
            Ids::U64(numbers) => numbers.get(row).copied().map(IdRef::U64),
            Ids::Mixed(ids) => ids.get(row).map(Id::as_ref),
        }
    }

    /// The ids in order.
    pub fn iter(&self) -> impl Iterator<Item = IdRef<'_>> {
        (0..self.len()).filter_map(|row| self.get(row))
    }

    /// The same ids, borrowed.
    pub fn borrowed(&self) -> Ids<'_> {
        match self {
            Ids::U64(numbers) => Ids::U64(Cow::Borrowed(numbers)),
            Ids::Mixed(ids) => Ids::Mixed(Cow::Borrowed(ids)),
        }
    }

    /// The same ids, owned.
    pub fn into_owned(self) -> Ids<'static> {
        match self {
            Ids::U64(numbers) => Ids::U64(Cow::Owned(numbers.into_owned())),
            Ids::Mixed(ids) => Ids::Mixed(Cow::Owned(ids.into_owned())),
        }
    }

    /// Refuses ids that break a rule, with the row.
    pub fn check(&self) -> Result<()> {
        if let Ids::Mixed(ids) = self {
            for (row, id) in ids.iter().enumerate() {
                id.as_ref()
                    .check()
                    .map_err(|error| error.at_row(row).in_field("ids"))?;
            }
        }
        Ok(())
    }

    /// Bytes that the ids count for in a batch.
    pub fn byte_len(&self) -> usize {
        match self {
            Ids::U64(numbers) => numbers.len() * 8,
            Ids::Mixed(ids) => ids
                .iter()
                .map(|id| match id {
                    Id::U64(_) => 8,
                    Id::Uuid(_) => 16,
                    Id::String(text) => text.len(),
                })
                .sum(),
        }
    }
}

impl From<Vec<u64>> for Ids<'_> {
    fn from(numbers: Vec<u64>) -> Self {
        Ids::U64(Cow::Owned(numbers))
    }
}

impl<'a> From<&'a [u64]> for Ids<'a> {
    fn from(numbers: &'a [u64]) -> Self {
        Ids::U64(Cow::Borrowed(numbers))
    }
}

impl<'a> From<&'a Vec<u64>> for Ids<'a> {
    fn from(numbers: &'a Vec<u64>) -> Self {
        Ids::U64(Cow::Borrowed(numbers))
    }
}

impl<'a, const N: usize> From<&'a [u64; N]> for Ids<'a> {
    fn from(numbers: &'a [u64; N]) -> Self {
        Ids::U64(Cow::Borrowed(numbers))
    }
}

impl<const N: usize> From<[u64; N]> for Ids<'_> {
    fn from(numbers: [u64; N]) -> Self {
        Ids::U64(Cow::Owned(numbers.to_vec()))
    }
}

impl From<Vec<Id>> for Ids<'_> {
    fn from(ids: Vec<Id>) -> Self {
        ids.into_iter().collect()
    }
}

impl<'a> From<&'a [Id]> for Ids<'a> {
    fn from(ids: &'a [Id]) -> Self {
        Ids::Mixed(Cow::Borrowed(ids))
    }
}

impl<'a> From<&'a Vec<Id>> for Ids<'a> {
    fn from(ids: &'a Vec<Id>) -> Self {
        Ids::Mixed(Cow::Borrowed(ids))
    }
}

impl<const N: usize> From<[Id; N]> for Ids<'_> {
    fn from(ids: [Id; N]) -> Self {
        ids.into_iter().collect()
    }
}

impl From<u64> for Ids<'_> {
    fn from(number: u64) -> Self {
        Ids::from(vec![number])
    }
}

impl From<Id> for Ids<'_> {
    fn from(id: Id) -> Self {
        Ids::from(vec![id])
    }
}

impl From<&str> for Ids<'_> {
    fn from(text: &str) -> Self {
        Ids::from(vec![Id::from(text)])
    }
}

impl From<&[&str]> for Ids<'_> {
    fn from(texts: &[&str]) -> Self {
        texts.iter().map(|text| Id::from(*text)).collect()
    }
}

impl<const N: usize> From<[&str; N]> for Ids<'_> {
    fn from(texts: [&str; N]) -> Self {
        Ids::from(&texts[..])
    }
}

impl<const N: usize> From<&[&str; N]> for Ids<'_> {
    fn from(texts: &[&str; N]) -> Self {
        Ids::from(&texts[..])
    }
}

impl From<Vec<String>> for Ids<'_> {
    fn from(texts: Vec<String>) -> Self {
        texts.into_iter().map(Id::from).collect()
    }
}

impl From<&[String]> for Ids<'_> {
    fn from(texts: &[String]) -> Self {
        texts.iter().map(|text| Id::from(text.as_str())).collect()
    }
}

impl From<&Vec<String>> for Ids<'_> {
    fn from(texts: &Vec<String>) -> Self {
        Ids::from(texts.as_slice())
    }
}

impl From<Vec<&str>> for Ids<'_> {
    fn from(texts: Vec<&str>) -> Self {
        Ids::from(texts.as_slice())
    }
}

impl FromIterator<Id> for Ids<'_> {
    fn from_iter<I: IntoIterator<Item = Id>>(ids: I) -> Self {
        let ids: Vec<Id> = ids.into_iter().collect();
        let numbers: Option<Vec<u64>> = ids
            .iter()
            .map(|id| match id {
                Id::U64(number) => Some(*number),
                _ => None,
            })
            .collect();
        match numbers {
            Some(numbers) => Ids::U64(Cow::Owned(numbers)),
            None => Ids::Mixed(Cow::Owned(ids)),
        }
    }
}
