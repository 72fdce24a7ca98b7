//! What a point carries besides its vector: a JSON object, kept as the text that was given.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::limits::{METADATA_BYTES_MAX, METADATA_DEPTH_MAX};
use crate::value::{Number, ValueRef};

/// The metadata of one point: a valid JSON object as text, byte for byte as it was given.
///
/// ```
/// use nearfield_model::Metadata;
/// let metadata = Metadata::parse(r#"{"genre": "jazz", "band": {"size": 4}}"#)?;
/// assert_eq!(metadata.get("band.size"), Some(serde_json::json!(4)));
/// assert!(Metadata::parse("[1]").is_err());
/// # Ok::<(), nearfield_model::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(Box<str>);

impl Metadata {
    /// Takes a JSON object's text.
    ///
    /// # Errors
    /// `InvalidArgument` if it is not a JSON object or nests deeper than
    /// [`METADATA_DEPTH_MAX`]; `TooLarge` over [`METADATA_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Self> {
        visit_leaves(text, &mut |_, _| {})?;
        Ok(Metadata(text.trim().into()))
    }

    /// Takes text that this program checked before it stored it.
    pub fn from_checked(text: &str) -> Self {
        Metadata(text.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The metadata as a JSON value.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The value at a dotted path, if there is one.
    pub fn get(&self, path: &str) -> Option<serde_json::Value> {
        let mut value = self.to_value();
        for key in path.split('.') {
            value = value.get_mut(key)?.take();
        }
        Some(value)
    }

    /// Applies a merge patch (RFC 7396): members of `patch` replace members of the
    /// same name, objects merge, and `null` removes.
    pub fn merged(&self, patch: &Metadata) -> Result<Metadata> {
        let mut value = self.to_value();
        merge(&mut value, patch.to_value());
        Metadata::try_from(value)
    }
}

fn merge(target: &mut serde_json::Value, patch: serde_json::Value) {
    let serde_json::Value::Object(members) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = serde_json::Value::Object(serde_json::Map::new());
    }
    if let serde_json::Value::Object(target) = target {
        for (name, value) in members {
            if value.is_null() {
                target.remove(&name);
            } else {
                merge(target.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
    }
}

impl TryFrom<serde_json::Value> for Metadata {
    type Error = Error;

    fn try_from(value: serde_json::Value) -> Result<Self> {
        Metadata::parse(&value.to_string())
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match <&RawValue>::deserialize(&mut serde_json::Deserializer::from_str(&self.0)) {
            Ok(raw) => raw.serialize(serializer),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Metadata::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

/// Walks over the scalars of a JSON object and checks it on the way: each boolean,
/// number and string with the dotted path that leads to it. Elements of an array stand at
/// the array's own path; nulls are passed over.
///
/// # Errors
/// As [`Metadata::parse`]. Leaves before the fault may have been visited.
pub fn visit_leaves(text: &str, visit: &mut dyn FnMut(&str, ValueRef<'_>)) -> Result<()> {
    if text.len() > METADATA_BYTES_MAX {
        return Err(Error::too_large(format!(
            "metadata has {} bytes; at most {METADATA_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    let mut walk = Walk {
        path: String::new(),
        visit,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Node {
        walk: &mut walk,
        depth: 0,
    }
    .deserialize(&mut deserializer)
    .and_then(|()| deserializer.end())
    .map_err(|error| Error::invalid(format!("metadata is not a valid JSON object: {error}")))
}

struct Walk<'v> {
    path: String,
    visit: &'v mut dyn FnMut(&str, ValueRef<'_>),
}

/// One JSON value on the walk; depth 0 is the whole text, which has to be an object.
struct Node<'w, 'v> {
    walk: &'w mut Walk<'v>,
    depth: usize,
}

impl Node<'_, '_> {
    fn leaf<E: serde::de::Error>(self, value: ValueRef<'_>) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::custom(
                "it has to be an object, such as {\"genre\": \"jazz\"}",
            ));
        }
        (self.walk.visit)(&self.walk.path, value);
        Ok(())
    }

    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth == METADATA_DEPTH_MAX {
            return Err(E::custom(format!(
                "it nests deeper than {METADATA_DEPTH_MAX}"
            )));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<(), E> {
        self.leaf(ValueRef::Bool(flag))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.leaf(ValueRef::Number(number.into()))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.leaf(ValueRef::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        let number = Number::from_f64(number)
            .ok_or_else(|| E::custom("a number is beyond the range of f64"))?;
        self.leaf(ValueRef::Number(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.leaf(ValueRef::String(text))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        if self.depth == 0 {
            return self.leaf(ValueRef::Bool(false));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if self.depth == 0 {
            return self.leaf(ValueRef::Bool(false));
        }
        let depth = self.deeper()?;
        while elements
            .next_element_seed(Node {
                walk: self.walk,
                depth,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let parent = self.walk.path.len();
        while members
            .next_key_seed(Name {
                path: &mut self.walk.path,
                nested: depth > 1,
            })?
            .is_some()
        {
            members.next_value_seed(Node {
                walk: self.walk,
                depth,
            })?;
            self.walk.path.truncate(parent);
        }
        Ok(())
    }
}

/// The name of a member, which lengthens the path.
struct Name<'w> {
    path: &'w mut String,
    nested: bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        if self.nested {
            self.path.push('.');
        }
        self.path.push_str(name);
        Ok(())
    }
}

/// The metadata of a batch: one JSON object, or nothing, per row; all in one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataColumn<'a> {
    text: Cow<'a, str>,
    ends: Cow<'a, [u32]>,
}

impl<'a> MetadataColumn<'a> {
    /// A column over joined texts: row `i` is `text[ends[i - 1]..ends[i]]`, and an empty
    /// row means none. The rows' JSON is checked when the batch is.
    ///
    /// # Errors
    /// `InvalidArgument` if the ends do not cut the text into rows.
    pub fn from_parts(
        text: impl Into<Cow<'a, str>>,
        ends: impl Into<Cow<'a, [u32]>>,
    ) -> Result<Self> {
        let (text, ends) = (text.into(), ends.into());
        let cut = ends.is_sorted()
            && ends.last().copied().unwrap_or(0) as usize == text.len()
            && ends.iter().all(|end| text.is_char_boundary(*end as usize));
        if !cut {
            return Err(
                Error::invalid("the ends do not cut the text into rows").in_field("metadata")
            );
        }
        Ok(MetadataColumn { text, ends })
    }

    /// A column of JSON objects, given as texts; an empty text means none.
    ///
    /// # Errors
    /// As [`Metadata::parse`], with the row.
    pub fn from_texts<T: AsRef<str>>(texts: &[T]) -> Result<MetadataColumn<'static>> {
        let mut column = MetadataColumn::default();
        for (row, text) in texts.iter().enumerate() {
            let metadata = match text.as_ref() {
                "" => None,
                text => Some(
                    Metadata::parse(text)
                        .map_err(|error| error.at_row(row).in_field("metadata"))?,
                ),
            };
            column.push(metadata.as_ref())?;
        }
        Ok(column)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The JSON text of a row; `None` if the row has none or is not there.
    pub fn get(&self, row: usize) -> Option<&str> {
        let end = *self.ends.get(row)? as usize;
        let start = row
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end).filter(|text| !text.is_empty())
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// All rows' text, joined.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where each row ends in [`text`](Self::text).
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The same column, borrowed.
    pub fn borrowed(&self) -> MetadataColumn<'_> {
        MetadataColumn {
            text: Cow::Borrowed(&self.text),
            ends: Cow::Borrowed(&self.ends),
        }
    }

    /// The same column, owned.
    pub fn into_owned(self) -> MetadataColumn<'static> {
        MetadataColumn {
            text: Cow::Owned(self.text.into_owned()),
            ends: Cow::Owned(self.ends.into_owned()),
        }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// `TooLarge` if the column's text would pass 4 GiB.
    pub fn push(&mut self, row: Option<&Metadata>) -> Result<()> {
        let text = row.map_or("", Metadata::as_str);
        let end = u32::try_from(self.text.len() + text.len())
            .map_err(|_| Error::too_large("the metadata of one batch is over 4 GiB"))?;
        self.text.to_mut().push_str(text);
        self.ends.to_mut().push(end);
        Ok(())
    }
}

impl<'m> FromIterator<Option<&'m Metadata>> for MetadataColumn<'static> {
    /// Rows past 4 GiB of text are cut off; the batch's check then finds the column short.
    fn from_iter<I: IntoIterator<Item = Option<&'m Metadata>>>(rows: I) -> Self {
        let mut column = MetadataColumn::default();
        for row in rows {
            if column.push(row).is_err() {
                break;
            }
        }
        column
    }
}

impl TryFrom<&[serde_json::Value]> for MetadataColumn<'static> {
    type Error = Error;

    /// Objects become rows, `null` an empty row; anything else is refused.
    fn try_from(values: &[serde_json::Value]) -> Result<Self> {
        let mut column = MetadataColumn::default();
        for (row, value) in values.iter().enumerate() {
            let metadata = match value {
                serde_json::Value::Null => None,
                value => Some(
                    Metadata::try_from(value.clone())
                        .map_err(|error| error.at_row(row).in_field("metadata"))?,
                ),
            };
            column.push(metadata.as_ref())?;
        }
        Ok(column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        visit_leaves(text, &mut |path, value| {
            found.push(format!("{path}={value:?}"))
        })
        .unwrap();
        found
    }

    #[test]
    fn leaves_stand_at_dotted_paths_and_arrays_at_their_own() {
        let found = leaves(r#"{"a": {"b": [1, {"c": "x"}, [true]]}, "n": null, "é": 1.5}"#);
        assert_eq!(found.len(), 4);
        assert!(found[0].starts_with("a.b=Number"));
        assert_eq!(found[1], "a.b.c=String(\"x\")");
        assert_eq!(found[2], "a.b=Bool(true)");
        assert!(found[3].starts_with("é=Number"));
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "1",
            "\"x\"",
            "{",
            "{} {}",
            "{\"a\":1e999}",
            "nonsense",
        ] {
            assert!(Metadata::parse(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        assert!(Metadata::parse(&deep).is_err());
        let wide = format!("{{\"a\":\"{}\"}}", "x".repeat(METADATA_BYTES_MAX));
        assert_eq!(
            Metadata::parse(&wide).unwrap_err().kind(),
            crate::ErrorKind::TooLarge
        );
    }

    #[test]
    fn merge_patch_follows_rfc_7396() {
        for (target, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            (
                r#"{}"#,
                r#"{"a":{"bb":{"ccc":null}}}"#,
                r#"{"a":{"bb":{}}}"#,
            ),
        ] {
            let merged = Metadata::parse(target)
                .unwrap()
                .merged(&Metadata::parse(patch).unwrap());
            assert_eq!(
                merged.unwrap().to_value(),
                Metadata::parse(result).unwrap().to_value()
            );
        }
    }
}
