//! Filters as text, in one way each.

use std::fmt::{self, Write};

use super::lexer::{begins_word, continues_word};
use super::parse::is_reserved;
use super::{Bound, Condition, Filter, Range, Test};
use crate::value::Value;

/// The canonical text: [`Filter::parse`] reads it back as an equal filter, if the filter is
/// in normal form and passes [`Filter::check`].
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Around::Nothing)
    }
}

/// What surrounds a part of a filter, from loosest to closest.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Around {
    Nothing,
    Or,
    And,
}

impl Filter {
    fn write(&self, f: &mut fmt::Formatter<'_>, around: Around) -> fmt::Result {
        match self {
            Filter::All(members) => match members.as_slice() {
                [] => f.write_str("true"),
                [member] => member.write(f, around),
                members => join(f, members, " and ", Around::And, around == Around::And),
            },
            Filter::Any(members) => match members.as_slice() {
                [] => f.write_str("false"),
                [member] => member.write(f, around),
                members => join(f, members, " or ", Around::Or, around != Around::Nothing),
            },
            Filter::Not(inner) => match &**inner {
                Filter::Condition(Condition {
                    field,
                    test: Test::Eq(value),
                }) => write!(f, "{} != {}", Field(field), Literal(value)),
                Filter::Condition(Condition {
                    field,
                    test: Test::In(values),
                }) => write!(f, "{} not in {}", Field(field), List(values)),
                inner => {
                    f.write_str("not ")?;
                    inner.write(f, Around::And)
                }
            },
            Filter::Condition(condition) => condition.write(f),
        }
    }
}

fn join(
    f: &mut fmt::Formatter<'_>,
    members: &[Filter],
    word: &str,
    around: Around,
    in_parentheses: bool,
) -> fmt::Result {
    if in_parentheses {
        f.write_char('(')?;
    }
    for (position, member) in members.iter().enumerate() {
        if position > 0 {
            f.write_str(word)?;
        }
        member.write(f, around)?;
    }
    if in_parentheses {
        f.write_char(')')?;
    }
    Ok(())
}

impl Condition {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = Field(&self.field);
        match &self.test {
            Test::Eq(value) => write!(f, "{field} = {}", Literal(value)),
            Test::In(values) => write!(f, "{field} in {}", List(values)),
            Test::Range(range) => range.write(f, field),
            Test::Exists => write!(f, "exists {field}"),
            Test::Prefix(text) => write!(f, "{field} starts with {}", Quoted('"', text)),
        }
    }
}

impl Range {
    fn write(&self, f: &mut fmt::Formatter<'_>, field: Field<'_>) -> fmt::Result {
        let lower = (self.gt.as_ref().map(|bound| (bound, "<", ">")))
            .or(self.gte.as_ref().map(|bound| (bound, "<=", ">=")));
        let upper = (self.lt.as_ref().map(|bound| (bound, "<")))
            .or(self.lte.as_ref().map(|bound| (bound, "<=")));
        match (lower, upper) {
            (Some((lower, before, _)), Some((upper, after))) => {
                write!(f, "{lower} {before} {field} {after} {upper}")
            }
            (Some((lower, _, after)), None) => write!(f, "{field} {after} {lower}"),
            (None, Some((upper, after))) => write!(f, "{field} {after} {upper}"),
            (None, None) => write!(f, "{field} without bounds"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Number(number) => write!(f, "{number}"),
            Bound::Time { text, .. } => write!(f, "{}", Quoted('"', text)),
        }
    }
}

/// A path, in backticks where it needs them.
#[derive(Clone, Copy)]
struct Field<'a>(&'a str);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.0.starts_with(begins_word)
            && self.0.chars().all(continues_word)
            && !is_reserved(self.0);
        match bare {
            true => f.write_str(self.0),
            false => write!(f, "{}", Quoted('`', self.0)),
        }
    }
}

struct Literal<'a>(&'a Value);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::String(text) => write!(f, "{}", Quoted('"', text)),
        }
    }
}

struct List<'a>(&'a [Value]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        for (position, value) in self.0.iter().enumerate() {
            let comma = if position > 0 { ", " } else { "" };
            write!(f, "{comma}{}", Literal(value))?;
        }
        f.write_char(')')
    }
}

/// A text in quotes of this kind, with escapes.
struct Quoted<'a>(char, &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(self.0)?;
        for character in self.1.chars() {
            match character {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\\' => f.write_str("\\\\")?,
                quote if quote == self.0 => write!(f, "\\{quote}")?,
                other => f.write_char(other)?,
            }
        }
        f.write_char(self.0)
    }
}
