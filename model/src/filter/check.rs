//! What a filter may not be.

use super::{Bound, Condition, Filter, Range, Test};
use crate::error::{Error, Result};
use crate::limits::{FIELD_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_VALUES_MAX};

impl Filter {
    /// Refuses a filter over the limits, and conditions that say nothing: without a field,
    /// or with a range whose bounds are missing, doubled or of two kinds.
    ///
    /// # Errors
    /// `TooLarge` over a limit, otherwise `InvalidArgument`; both in the field `filter`.
    pub fn check(&self) -> Result<()> {
        Sums::default()
            .add(self, 1)
            .map_err(|error| error.in_field("filter"))
    }
}

/// What was counted so far.
#[derive(Default)]
struct Sums {
    nodes: usize,
    values: usize,
}

impl Sums {
    fn add(&mut self, filter: &Filter, depth: usize) -> Result<()> {
        self.nodes += 1;
        if depth > FILTER_DEPTH_MAX {
            return Err(too_deep());
        }
        if self.nodes > FILTER_NODES_MAX {
            return Err(Error::too_large(format!(
                "the filter has more than {FILTER_NODES_MAX} conditions and groups; \
                 use `in` for many values of one field"
            )));
        }
        match filter {
            Filter::All(members) | Filter::Any(members) => members
                .iter()
                .try_for_each(|member| self.add(member, depth + 1)),
            Filter::Not(inner) => self.add(inner, depth + 1),
            Filter::Condition(condition) => self.add_condition(condition),
        }
    }

    fn add_condition(&mut self, condition: &Condition) -> Result<()> {
        if condition.field.is_empty() {
            return Err(Error::invalid("a condition's field is empty; name one"));
        }
        if condition.field.len() > FIELD_BYTES_MAX {
            return Err(Error::too_large(format!(
                "a condition's field has {} bytes; at most {FIELD_BYTES_MAX} are allowed",
                condition.field.len()
            )));
        }
        match &condition.test {
            Test::In(values) => {
                self.values += values.len();
                if self.values > FILTER_VALUES_MAX {
                    return Err(Error::too_large(format!(
                        "the filter's `in` lists have more than {FILTER_VALUES_MAX} values together"
                    )));
                }
                Ok(())
            }
            Test::Range(range) => range.check(&condition.field),
            Test::Eq(_) | Test::Exists | Test::Prefix(_) => Ok(()),
        }
    }
}

pub(super) fn too_deep() -> Error {
    Error::too_large(format!(
        "the filter nests deeper than {FILTER_DEPTH_MAX}; write it with fewer groups inside each other"
    ))
}

impl Range {
    fn check(&self, field: &str) -> Result<()> {
        let bounds = [&self.gt, &self.gte, &self.lt, &self.lte];
        let times = bounds
            .iter()
            .filter(|bound| matches!(bound, Some(Bound::Time { .. })))
            .count();
        let given = bounds.iter().filter(|bound| bound.is_some()).count();
        let fault = if given == 0 {
            "has no bounds; give one of gt, gte, lt, lte"
        } else if self.gt.is_some() && self.gte.is_some() {
            "has two lower bounds; give gt or gte"
        } else if self.lt.is_some() && self.lte.is_some() {
            "has two upper bounds; give lt or lte"
        } else if times != 0 && times != given {
            "has a number and a time as bounds; give two of one kind"
        } else {
            return Ok(());
        };
        Err(Error::invalid(format!("the range of {field:?} {fault}")))
    }
}
