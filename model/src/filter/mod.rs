//! Which points a request is about, said by their metadata.
//!
//! A filter is a tree, and has two written forms: text, for people, and JSON, for programs.
//! ```
//! use nearfield_model::Filter;
//! let text = Filter::parse(r#"genre = "jazz" and year >= 1960"#)?;
//! let json = Filter::from_json(
//!     r#"{"must": [{"field": "genre", "eq": "jazz"}, {"field": "year", "range": {"gte": 1960}}]}"#,
//! )?;
//! assert_eq!(text, json);
//! assert_eq!(text.to_string(), r#"genre = "jazz" and year >= 1960"#);
//! # Ok::<(), nearfield_model::Error>(())
//! ```
//! Both forms are read into the normal form (see [`Filter::normalized`]), and a filter in
//! normal form that passes [`Filter::check`] is read back from either form as it was.

mod build;
mod check;
mod display;
mod json;
mod lexer;
mod matcher;
mod normal;
mod parse;

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod tests;

use crate::value::{Number, Time, Value};

pub use matcher::Matcher;

/// A condition on metadata, or several joined.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these hold. None at all means that every point matches.
    All(Vec<Filter>),
    /// At least one of these holds. None at all means that no point matches.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// A test on one field.
    Condition(Condition),
}

/// A test on the values at one dotted path. Where the path leads to several values
/// (arrays), one that passes is enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The dotted path, such as `author.name`.
    pub field: String,
    /// What is asked of the values there.
    pub test: Test,
}

/// What a [`Condition`] asks of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The value equals this one; `1` equals `1.0`.
    Eq(Value),
    /// The value equals one of these.
    In(Vec<Value>),
    /// The value lies within bounds of its own kind: numbers, or times.
    Range(Range),
    /// There is a boolean, number or string at the path, or below it.
    Exists,
    /// The value is a string that starts with this.
    Prefix(String),
}

/// Bounds of a [`Test::Range`]: a lower one, an upper one, or both, all of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Range {
    /// The value is greater.
    pub gt: Option<Bound>,
    /// The value is greater or equal.
    pub gte: Option<Bound>,
    /// The value is less.
    pub lt: Option<Bound>,
    /// The value is less or equal.
    pub lte: Option<Bound>,
}

/// One end of a [`Range`].
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// A number; only numbers are compared with it.
    Number(Number),
    /// A time as RFC 3339 text; only strings that are times are compared with it.
    Time {
        /// The time.
        time: Time,
        /// The text that it was read from.
        text: Box<str>,
    },
}
