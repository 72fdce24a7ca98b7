//! The text form of filters, by recursive descent:
//!
//! ```text
//! any       = all ("or" all)*
//! all       = negation ("and" negation)*
//! negation  = "not"* primary
//! primary   = "(" any ")" | "true" | "false" | "exists" field | condition
//! condition = field ("=" | "!=") value
//!           | field order bound | bound order field (order bound)?
//!           | field "not"? "in" list
//!           | field "starts" "with" string
//! order     = "<" | "<=" | ">" | ">="
//! list      = "(" values? ")" | "[" values? "]"
//! ```

use super::check::too_deep;
use super::lexer::{Lexer, Token};
use super::{Bound, Condition, Filter, Range, Test};
use crate::error::{Error, Result};
use crate::limits::{FILTER_DEPTH_MAX, FILTER_TEXT_BYTES_MAX, FILTER_VALUES_MAX};
use crate::value::Value;

/// Words that a bare field cannot be, in any case of letters.
pub(super) const RESERVED: [&str; 8] =
    ["and", "or", "not", "in", "exists", "true", "false", "null"];

impl Filter {
    /// Reads the text form, `genre = "jazz" and year >= 1960`:
    ///
    /// | text | holds if |
    /// |---|---|
    /// | `genre = "jazz"`, `genre != 'jazz'` | a value is, or none is, this string, number, `true` or `false` |
    /// | `year >= 1960`, `1960 <= year < 1970` | a value is a number within these bounds |
    /// | `added < "2024-05-01T12:30:00Z"` | a value is a time (RFC 3339) within these bounds |
    /// | `genre in ("jazz", "folk")`, `genre not in ["jazz"]` | a value is, or none is, in the list |
    /// | `exists author.name` | there is a value |
    /// | `title starts with "Kind"` | a value is a string that starts so |
    /// | `not …`, `… and …`, `… or …`, `( … )` | as read; `not` binds closest, then `and` |
    /// | `true`, `false` | always, never |
    ///
    /// Keywords may be in any case. Fields are dotted paths; those that are keywords, or have
    /// characters other than letters, digits, `_`, `-` and `.`, stand in backticks. Inside
    /// quotes a backslash stands before quotes, backslashes, and the n, r and t of line
    /// break, carriage return and tab. The filter is in [normal form](Self::normalized).
    ///
    /// # Errors
    /// `InvalidArgument` with the column of the fault and what was expected there; `TooLarge`
    /// over the limits.
    pub fn parse(text: &str) -> Result<Filter> {
        if text.len() > FILTER_TEXT_BYTES_MAX {
            return Err(Error::too_large(format!(
                "the filter has {} bytes; at most {FILTER_TEXT_BYTES_MAX} are allowed",
                text.len()
            ))
            .in_field("filter"));
        }
        let mut parser = Parser {
            lexer: Lexer::new(text),
            token: Token::End,
            at: 0,
        };
        parser.advance()?;
        let filter = parser.any(1)?;
        if parser.token != Token::End {
            return Err(parser.expected("`and`, `or` or the end"));
        }
        filter.check()?;
        Ok(filter)
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The token that is looked at.
    token: Token<'t>,
    /// Where it starts.
    at: usize,
}

impl<'t> Parser<'t> {
    /// Goes to the next token and returns the one before.
    fn advance(&mut self) -> Result<Token<'t>> {
        let (token, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn expected(&self, what: &str) -> Error {
        let found = match &self.token {
            Token::End => ", found the end",
            _ => "",
        };
        self.lexer
            .fault(self.at, &format!("expected {what}{found}"))
    }

    fn sees(&self, keyword: &str) -> bool {
        matches!(self.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Takes the keyword if it is next.
    fn take(&mut self, keyword: &str) -> Result<bool> {
        let there = self.sees(keyword);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn any(&mut self, depth: usize) -> Result<Filter> {
        let mut members = vec![self.all(depth)?];
        while self.take("or")? {
            members.push(self.all(depth)?);
        }
        Ok(Filter::any(members))
    }

    fn all(&mut self, depth: usize) -> Result<Filter> {
        let mut members = vec![self.negation(depth)?];
        while self.take("and")? {
            members.push(self.negation(depth)?);
        }
        Ok(Filter::all(members))
    }

    fn negation(&mut self, depth: usize) -> Result<Filter> {
        let mut negated = false;
        while self.take("not")? {
            negated = !negated;
        }
        let filter = self.primary(depth)?;
        Ok(if negated { !filter } else { filter })
    }

    fn primary(&mut self, depth: usize) -> Result<Filter> {
        if self.token == Token::Open(')') {
            if depth == FILTER_DEPTH_MAX {
                return Err(too_deep().in_field("filter"));
            }
            self.advance()?;
            let filter = self.any(depth + 1)?;
            if self.token != Token::Close(')') {
                return Err(self.expected("`and`, `or` or `)`"));
            }
            self.advance()?;
            return Ok(filter);
        }
        if matches!(self.token, Token::Number(_) | Token::Text(_)) {
            return self.bound_first();
        }
        if self.take("true")? {
            Ok(Filter::All(Vec::new()))
        } else if self.take("false")? {
            Ok(Filter::Any(Vec::new()))
        } else if self.take("exists")? {
            Ok(Filter::exists(self.field("a field")?))
        } else {
            let field = self.field("a condition, such as genre = \"jazz\"")?;
            self.condition(field)
        }
    }

    fn field(&mut self, expected: &str) -> Result<String> {
        let field = match &mut self.token {
            Token::Word(word) if is_reserved(word) => {
                return Err(self.expected(&format!(
                    "{expected}; put a field that is called so in backticks"
                )));
            }
            Token::Word(word) => (*word).to_owned(),
            Token::Field(field) if !field.is_empty() => std::mem::take(field),
            _ => return Err(self.expected(expected)),
        };
        self.advance()?;
        Ok(field)
    }

    fn condition(&mut self, field: String) -> Result<Filter> {
        let mut negated = false;
        let test = if is_order(&self.token) {
            let order = self.advance()?;
            let mut range = Range::default();
            *end_of(&mut range, &order) = Some(self.bound()?);
            Test::Range(range)
        } else if matches!(self.token, Token::Equal | Token::NotEqual) {
            negated = self.advance()? == Token::NotEqual;
            Test::Eq(self.value(&field)?)
        } else if self.take("in")? {
            Test::In(self.list(&field)?)
        } else if self.take("not")? {
            if !self.take("in")? {
                return Err(self.expected("`in`"));
            }
            negated = true;
            Test::In(self.list(&field)?)
        } else if self.take("starts")? {
            if !self.take("with")? {
                return Err(self.expected("`with`"));
            }
            match self.scalar()? {
                Some(Value::String(prefix)) => Test::Prefix(prefix.into()),
                _ => return Err(self.expected("a string in quotes")),
            }
        } else {
            return Err(self.expected("one of = != < <= > >=, `in`, `not in`, `starts with`"));
        };
        let condition = Filter::Condition(Condition { field, test });
        Ok(if negated { !condition } else { condition })
    }

    /// `1960 <= year`, or `1960 <= year < 1970`.
    fn bound_first(&mut self) -> Result<Filter> {
        let first = self.bound()?;
        let Some(first_order) = turned(&self.token) else {
            return Err(self.expected("one of < <= > >=; other conditions begin with the field"));
        };
        self.advance()?;
        let mut range = Range::default();
        *end_of(&mut range, &first_order) = Some(first);
        let field = self.field("a field")?;
        if is_order(&self.token) {
            if upward(&self.token) == upward(&first_order) {
                return Err(self.expected("the same direction as before, as in 1 <= a < 2"));
            }
            let order = self.advance()?;
            *end_of(&mut range, &order) = Some(self.bound()?);
        }
        Ok(Filter::range(field, range))
    }

    fn bound(&mut self) -> Result<Bound> {
        let at = self.at;
        match self.scalar()? {
            Some(Value::Number(number)) => Ok(Bound::Number(number)),
            Some(Value::String(text)) => {
                Bound::time(&text).map_err(|error| self.lexer.fault(at, error.message()))
            }
            _ => Err(self.expected("a number, or a time in quotes")),
        }
    }

    fn list(&mut self, field: &str) -> Result<Vec<Value>> {
        let Token::Open(close) = self.token else {
            return Err(self.expected("a list of values, such as (1, 2)"));
        };
        self.advance()?;
        let mut values = Vec::new();
        while self.token != Token::Close(close) {
            values.push(self.value(field)?);
            if values.len() > FILTER_VALUES_MAX {
                return Err(Error::too_large(format!(
                    "an `in` list has more than {FILTER_VALUES_MAX} values"
                ))
                .in_field("filter"));
            }
            match &self.token {
                Token::Comma => _ = self.advance()?,
                Token::Close(found) if *found == close => {}
                _ => return Err(self.expected(&format!("`,` or `{close}`"))),
            }
        }
        self.advance()?;
        Ok(values)
    }

    fn value(&mut self, field: &str) -> Result<Value> {
        if self.take("true")? {
            return Ok(Value::Bool(true));
        }
        if self.take("false")? {
            return Ok(Value::Bool(false));
        }
        if self.sees("null") {
            return Err(self.expected(&format!(
                "a value; to find points without one, write: not exists {field}"
            )));
        }
        match self.scalar()? {
            Some(value) => Ok(value),
            None => Err(self.expected("a string in quotes, a number, `true` or `false`")),
        }
    }

    /// Takes the number or string if one is next.
    fn scalar(&mut self) -> Result<Option<Value>> {
        let value = match &mut self.token {
            Token::Number(number) => Value::Number(*number),
            Token::Text(text) => Value::from(std::mem::take(text)),
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(value))
    }
}

pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED
        .iter()
        .any(|reserved| word.eq_ignore_ascii_case(reserved))
}

fn is_order(token: &Token<'_>) -> bool {
    turned(token).is_some()
}

/// Whether values above the bound behind the order pass.
fn upward(order: &Token<'_>) -> bool {
    matches!(order, Token::Greater | Token::GreaterOrEqual)
}

/// The order as it reads from the other side: `1 <= a` is `a >= 1`.
fn turned(order: &Token<'_>) -> Option<Token<'static>> {
    match order {
        Token::Less => Some(Token::Greater),
        Token::LessOrEqual => Some(Token::GreaterOrEqual),
        Token::Greater => Some(Token::Less),
        Token::GreaterOrEqual => Some(Token::LessOrEqual),
        _ => None,
    }
}

/// The end of `range` that an order behind the field sets.
fn end_of<'r>(range: &'r mut Range, order: &Token<'_>) -> &'r mut Option<Bound> {
    match order {
        Token::Less => &mut range.lt,
        Token::LessOrEqual => &mut range.lte,
        Token::Greater => &mut range.gt,
        _ => &mut range.gte,
    }
}
