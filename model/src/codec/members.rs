//! The members of a JSON object, taken one by one with errors that name them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// What is said of a member that is given twice.
pub(super) const TWICE: &str = "a member is given twice";

/// The members of an object, by name; each name once.
pub(super) struct Members<'t>(BTreeMap<String, &'t RawValue>);

impl<'t> Members<'t> {
    /// Reads an object. `what` names it in errors.
    pub(super) fn read(text: &'t str, what: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::invalid(format!("{what} is not a JSON object: {error}")))
    }

    /// Members that were read one by one.
    pub(super) fn of(members: impl IntoIterator<Item = (&'t str, &'t RawValue)>) -> Self {
        let named = members
            .into_iter()
            .map(|(name, json)| (name.to_owned(), json));
        Members(named.collect())
    }

    /// Refuses members other than these.
    pub(super) fn allow(&self, what: &str, names: &[&str]) -> Result<()> {
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(unknown(what, name, names)),
        }
    }

    /// The only member.
    pub(super) fn single(self) -> Option<(String, &'t RawValue)> {
        let mut members = self.0.into_iter();
        members.next().filter(|_| members.next().is_none())
    }

    /// The JSON of a member, unless it is absent or `null`.
    pub(super) fn json(&self, name: &str) -> Option<&'t RawValue> {
        self.0
            .get(name)
            .copied()
            .filter(|json| json.get() != "null")
    }

    /// The JSON of a member that has to be there.
    pub(super) fn required_json(&self, name: &str) -> Result<&'t RawValue> {
        self.json(name).ok_or_else(|| missing(name))
    }

    /// A member, unless it is absent or `null`.
    pub(super) fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        self.json(name).map(|json| typed(json, name)).transpose()
    }

    /// A member that has to be there.
    pub(super) fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        typed(self.required_json(name)?, name)
    }
}

/// The refusal of a member that is not there in `what`.
pub(super) fn unknown(what: &str, name: &str, names: &[&str]) -> Error {
    let name: String = name.chars().take(40).collect();
    let takes = match names {
        [] => "it takes none".to_owned(),
        names => format!("it takes {}", names.join(", ")),
    };
    Error::invalid(format!("{what} has no field {name:?}; {takes}")).in_field(name)
}

/// The refusal of a request without a member that has to be there.
pub(super) fn missing(name: &str) -> Error {
    Error::invalid(format!("{name} is missing")).in_field(name)
}

/// Reads a member's JSON; its place inside the member says little, so it is left out.
pub(super) fn typed<'t, T: Deserialize<'t>>(json: &'t RawValue, name: &str) -> Result<T> {
    serde_json::from_str(json.get()).map_err(|error| {
        let message = error.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(reason, _)| reason);
        Error::invalid(message).in_field(name)
    })
}

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'t> Visitor<'t> for MembersVisitor {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut entries: A) -> Result<Members<'t>, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, json)) = entries.next_entry::<String, &RawValue>()? {
            if members.insert(name, json).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Members(members))
    }
}
