//! Filter to JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::super::{Bound, Condition, Filter, Range, Test};

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Filter::All(members) => write_all(members, serializer),
            Filter::Any(members) if members.is_empty() => {
                write_group(serializer, "must_not", &[Filter::All(Vec::new())])
            }
            Filter::Any(members) => write_group(serializer, "should", members),
            Filter::Not(inner) => write_group(serializer, "must_not", &[&**inner]),
            Filter::Condition(condition) => condition.serialize(serializer),
        }
    }
}

fn write_group<S: Serializer, F: Serialize>(
    serializer: S,
    key: &str,
    members: &[F],
) -> Result<S::Ok, S::Error> {
    let mut group = serializer.serialize_map(Some(1))?;
    group.serialize_entry(key, members)?;
    group.end()
}

/// Reading a group gives its `must`, then its `should`, then its `must_not`; so the longest
/// end of the members that has this order is written so, and what is before it as `must`.
fn write_all<S: Serializer>(members: &[Filter], serializer: S) -> Result<S::Ok, S::Error> {
    let negated = |member: &&Filter| matches!(member, Filter::Not(_));
    let refused: Vec<&Filter> = members
        .iter()
        .rev()
        .take_while(negated)
        .filter_map(|member| match member {
            Filter::Not(inner) => Some(&**inner),
            _ => None,
        })
        .collect();
    let refused: Vec<&Filter> = refused.into_iter().rev().collect();
    let held = &members[..members.len() - refused.len()];
    let (must, should) = match held {
        [must @ .., Filter::Any(should)] if !should.is_empty() => (must, should.as_slice()),
        must => (must, &[][..]),
    };
    let mut group = serializer.serialize_map(None)?;
    if !must.is_empty() {
        group.serialize_entry("must", must)?;
    }
    if !should.is_empty() {
        group.serialize_entry("should", should)?;
    }
    if !refused.is_empty() {
        group.serialize_entry("must_not", &refused)?;
    }
    group.end()
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut condition = serializer.serialize_map(Some(2))?;
        condition.serialize_entry("field", &self.field)?;
        match &self.test {
            Test::Eq(value) => condition.serialize_entry("eq", value)?,
            Test::In(values) => condition.serialize_entry("in", values)?,
            Test::Range(range) => condition.serialize_entry("range", range)?,
            Test::Exists => condition.serialize_entry("exists", &true)?,
            Test::Prefix(text) => condition.serialize_entry("prefix", text)?,
        }
        condition.end()
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut range = serializer.serialize_map(None)?;
        for (key, bound) in [
            ("gt", &self.gt),
            ("gte", &self.gte),
            ("lt", &self.lt),
            ("lte", &self.lte),
        ] {
            if let Some(bound) = bound {
                range.serialize_entry(key, bound)?;
            }
        }
        range.end()
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Bound::Number(number) => number.serialize(serializer),
            Bound::Time { text, .. } => serializer.serialize_str(text),
        }
    }
}
