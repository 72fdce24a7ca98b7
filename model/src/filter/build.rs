//! Filters made in code.

use super::{Bound, Condition, Filter, Range, Test};
use crate::error::{Error, Result};
use crate::value::{Number, Time, Value};

/// Filters made in code; each is in normal form if its parts are.
///
/// ```
/// use nearfield_model::Filter;
/// use nearfield_model::filter::Range;
/// let filter = Filter::eq("genre", "jazz").and(!Filter::range("year", Range::default().lt(1960)));
/// assert_eq!(filter, Filter::parse("genre = 'jazz' and not year < 1960")?);
/// # Ok::<(), nearfield_model::Error>(())
/// ```
impl Filter {
    /// The value at `field` equals `value`.
    pub fn eq(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Filter::condition(field, Test::Eq(value.into()))
    }

    /// The value at `field` equals one of `values`.
    pub fn one_of<V: Into<Value>>(
        field: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        Filter::condition(field, Test::In(values))
    }

    /// The value at `field` lies within `range`.
    pub fn range(field: impl Into<String>, range: Range) -> Self {
        Filter::condition(field, Test::Range(range))
    }

    /// There is a value at `field`, or below it.
    pub fn exists(field: impl Into<String>) -> Self {
        Filter::condition(field, Test::Exists)
    }

    /// The value at `field` is a string that starts with `text`.
    pub fn prefix(field: impl Into<String>, text: impl Into<String>) -> Self {
        Filter::condition(field, Test::Prefix(text.into()))
    }

    fn condition(field: impl Into<String>, test: Test) -> Self {
        Filter::Condition(Condition {
            field: field.into(),
            test,
        })
    }

    /// Both hold.
    pub fn and(self, other: Filter) -> Self {
        Filter::all([self, other])
    }

    /// At least one of the two holds.
    pub fn or(self, other: Filter) -> Self {
        Filter::any([self, other])
    }
}

/// Sets bounds one by one: `Range::default().gte(1960).lt(1970)`.
impl Range {
    /// The value is greater than `bound`.
    pub fn gt(mut self, bound: impl Into<Bound>) -> Self {
        self.gt = Some(bound.into());
        self
    }

    /// The value is greater than `bound`, or equal to it.
    pub fn gte(mut self, bound: impl Into<Bound>) -> Self {
        self.gte = Some(bound.into());
        self
    }

    /// The value is less than `bound`.
    pub fn lt(mut self, bound: impl Into<Bound>) -> Self {
        self.lt = Some(bound.into());
        self
    }

    /// The value is less than `bound`, or equal to it.
    pub fn lte(mut self, bound: impl Into<Bound>) -> Self {
        self.lte = Some(bound.into());
        self
    }
}

impl Bound {
    /// A time, as RFC 3339 text.
    ///
    /// # Errors
    /// `InvalidArgument` if [`Time::parse`] cannot read it.
    pub fn time(text: &str) -> Result<Self> {
        match Time::parse(text) {
            Some(time) => Ok(Bound::Time {
                time,
                text: text.into(),
            }),
            None => Err(Error::invalid(format!(
                "{:?} is not a time; write one as \"2024-05-01T12:30:00Z\" or \"2024-05-01\"",
                text.chars().take(40).collect::<String>()
            ))
            .in_field("filter")),
        }
    }
}

impl From<Number> for Bound {
    fn from(number: Number) -> Self {
        Bound::Number(number)
    }
}

impl From<u64> for Bound {
    fn from(number: u64) -> Self {
        Bound::Number(number.into())
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Bound::Number(number.into())
    }
}

impl From<i32> for Bound {
    fn from(number: i32) -> Self {
        Bound::Number(i64::from(number).into())
    }
}
