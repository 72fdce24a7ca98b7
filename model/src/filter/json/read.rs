//! JSON to filter.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::super::check::too_deep;
use super::super::{Bound, Condition, Filter, Range, Test};
use crate::error::{Error, Result};
use crate::limits::{FILTER_DEPTH_MAX, FILTER_VALUES_MAX};
use crate::value::{Number, Value};

impl Filter {
    /// Reads the JSON form: groups of `must`, `should` and `must_not`, nested in each other,
    /// over conditions. A string is read as the text form. The filter is in
    /// [normal form](Self::normalized).
    ///
    /// # Errors
    /// `InvalidArgument` with what was expected; `TooLarge` over the limits.
    pub fn from_json(text: &str) -> Result<Filter> {
        let fault = Cell::new(None);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let filter = Seed {
            depth: 1,
            fault: &fault,
        }
        .deserialize(&mut deserializer)
        .and_then(|filter| deserializer.end().map(|()| filter))
        .map_err(|error| {
            fault
                .take()
                .unwrap_or_else(|| Error::invalid(error.to_string()).in_field("filter"))
        })?;
        filter.check()?;
        Ok(filter)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fault = Cell::new(None);
        let filter = Seed {
            depth: 1,
            fault: &fault,
        }
        .deserialize(deserializer)?;
        match filter.check() {
            Ok(()) => Ok(filter),
            Err(error) => Err(D::Error::custom(error.message())),
        }
    }
}

/// Reads one filter. Errors of the model pass through serde by their message; `fault` keeps
/// the whole.
#[derive(Clone, Copy)]
struct Seed<'s> {
    depth: usize,
    fault: &'s Cell<Option<Error>>,
}

impl Seed<'_> {
    fn fail<E: serde::de::Error>(self, error: Error) -> E {
        let message = E::custom(error.message());
        self.fault.set(Some(error.in_field("filter")));
        message
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Filter;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Filter, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Filter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a filter: a text, a condition such as {\"field\": \"genre\", \"eq\": \"jazz\"}, or a group of must, should and must_not")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Filter, E> {
        Filter::parse(text).map_err(|error| self.fail(error))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Filter, A::Error> {
        if self.depth > FILTER_DEPTH_MAX {
            return Err(self.fail(too_deep()));
        }
        let mut parts = Parts::default();
        while let Some(key) = members.next_key::<String>()? {
            parts.read(self, &key, &mut members)?;
        }
        parts.into_filter()
    }
}

/// What one object was found to hold.
#[derive(Default)]
struct Parts {
    must: Option<Vec<Filter>>,
    should: Option<Vec<Filter>>,
    must_not: Option<Vec<Filter>>,
    field: Option<String>,
    test: Option<(String, Test)>,
    /// The condition is `"exists": false`.
    negated: bool,
}

impl Parts {
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        seed: Seed<'_>,
        key: &str,
        members: &mut A,
    ) -> Result<(), A::Error> {
        let list = List(Seed {
            depth: seed.depth + 1,
            ..seed
        });
        let test = match key {
            "must" => return once(&mut self.must, key, members.next_value_seed(list)?),
            "should" => return once(&mut self.should, key, members.next_value_seed(list)?),
            "must_not" => return once(&mut self.must_not, key, members.next_value_seed(list)?),
            "field" => return once(&mut self.field, key, members.next_value()?),
            "eq" => Test::Eq(members.next_value::<Scalar>()?.0),
            "in" => Test::In(members.next_value::<Scalars>()?.0),
            "range" => Test::Range(members.next_value_seed(RangeSeed(seed))?),
            "exists" => {
                self.negated = !members.next_value::<bool>()?;
                Test::Exists
            }
            "prefix" => Test::Prefix(members.next_value()?),
            _ => {
                members.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom(format!(
                    "{:?} is not part of a filter; use must, should and must_not, or field with \
                     one of eq, in, range, exists, prefix",
                    key.chars().take(40).collect::<String>()
                )));
            }
        };
        if let Some((other, _)) = &self.test {
            return Err(A::Error::custom(format!(
                "a condition has two tests, {other} and {key}; make it two conditions in must"
            )));
        }
        self.test = Some((key.to_owned(), test));
        Ok(())
    }

    fn into_filter<E: serde::de::Error>(self) -> Result<Filter, E> {
        let group = self.must.is_some() || self.should.is_some() || self.must_not.is_some();
        match (self.field, self.test) {
            (Some(_), _) | (_, Some(_)) if group => Err(E::custom(
                "a filter is a group and a condition at once; put the condition into must",
            )),
            (Some(field), Some((_, test))) => {
                let condition = Filter::Condition(Condition { field, test });
                Ok(if self.negated { !condition } else { condition })
            }
            (Some(field), None) => Err(E::custom(format!(
                "the condition on {field:?} has no test; give one of eq, in, range, exists, prefix"
            ))),
            (None, Some((test, _))) => Err(E::custom(format!(
                "a condition with {test} has no field; give one"
            ))),
            (None, None) => {
                let mut members = self.must.unwrap_or_default();
                match self.should {
                    Some(should) if !should.is_empty() => members.push(Filter::any(should)),
                    _ => {}
                }
                members.extend(self.must_not.into_iter().flatten().map(|filter| !filter));
                Ok(Filter::all(members))
            }
        }
    }
}

fn once<T, E: serde::de::Error>(slot: &mut Option<T>, key: &str, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom(format!("{key} is given twice"))),
    }
}

/// Reads the filters of a group.
struct List<'s>(Seed<'s>);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Vec<Filter>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Filter>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Vec<Filter>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of filters")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<Filter>, A::Error> {
        let mut filters = Vec::new();
        while let Some(filter) = elements.next_element_seed(self.0)? {
            filters.push(filter);
        }
        Ok(filters)
    }
}

/// A value that a condition compares with.
struct Scalar(Value);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true or false")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar(Value::Bool(flag)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar(Value::from(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar(Value::from(number)))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Scalar, E> {
        finite(number).map(|number| Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(Value::from(text)))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Scalar, E> {
        Err(E::custom(
            "null cannot be compared with; for points without a value use \
             {\"must_not\": [{\"field\": …, \"exists\": true}]}",
        ))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Scalar, A::Error> {
        Err(A::Error::custom(
            "a list cannot be compared with; use `in` for several values",
        ))
    }
}

fn finite<E: serde::de::Error>(number: f64) -> Result<Number, E> {
    Number::from_f64(number).ok_or_else(|| E::custom("a number is not finite"))
}

/// The values of an `in`.
struct Scalars(Vec<Value>);

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ScalarsVisitor)
    }
}

struct ScalarsVisitor;

impl<'de> Visitor<'de> for ScalarsVisitor {
    type Value = Scalars;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of strings, numbers, true or false")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Scalars, A::Error> {
        let mut values = Vec::new();
        // One above the limit is kept, for the filter's check to refuse.
        while let Some(Scalar(value)) = elements.next_element()? {
            if values.len() <= FILTER_VALUES_MAX {
                values.push(value);
            }
        }
        Ok(Scalars(values))
    }
}

/// Reads the bounds of a range.
struct RangeSeed<'s>(Seed<'s>);

impl<'de> DeserializeSeed<'de> for RangeSeed<'_> {
    type Value = Range;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Range, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RangeSeed<'_> {
    type Value = Range;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a range, such as {\"gte\": 1960, \"lt\": 1970}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Range, A::Error> {
        let mut range = Range::default();
        while let Some(key) = members.next_key::<String>()? {
            let slot = match key.as_str() {
                "gt" => &mut range.gt,
                "gte" => &mut range.gte,
                "lt" => &mut range.lt,
                "lte" => &mut range.lte,
                _ => {
                    return Err(A::Error::custom(format!(
                        "{:?} is not part of a range; use gt, gte, lt, lte",
                        key.chars().take(40).collect::<String>()
                    )));
                }
            };
            once(slot, &key, members.next_value_seed(BoundSeed(self.0))?)?;
        }
        Ok(range)
    }
}

/// Reads one bound.
struct BoundSeed<'s>(Seed<'s>);

impl<'de> DeserializeSeed<'de> for BoundSeed<'_> {
    type Value = Bound;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bound, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for BoundSeed<'_> {
    type Value = Bound;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a time such as \"2024-05-01T12:30:00Z\"")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Bound, E> {
        Ok(Bound::from(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Bound, E> {
        Ok(Bound::from(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Bound, E> {
        finite(number).map(Bound::Number)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bound, E> {
        Bound::time(text).map_err(|error| self.0.fail(error))
    }
}
