//! Cuts a filter's text into tokens, and points at faults in it.

use crate::error::Error;
use crate::value::Number;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// A keyword or a field.
    Word(&'t str),
    /// A field in backticks.
    Field(String),
    /// A string in quotes.
    Text(String),
    Number(Number),
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `(` or `[`, with its counterpart.
    Open(char),
    /// `)` or `]`.
    Close(char),
    Comma,
    End,
}

pub(super) struct Lexer<'t> {
    text: &'t str,
    /// Where the next token starts, or blanks before it.
    at: usize,
}

/// Whether a bare field can begin with this.
pub(super) fn begins_word(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

/// Whether a bare field can go on with this.
pub(super) fn continues_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.')
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Lexer { text, at: 0 }
    }

    /// The next token and where it starts.
    pub(super) fn next(&mut self) -> Result<(Token<'t>, usize), Error> {
        let rest = self.text[self.at..].trim_start();
        let start = self.text.len() - rest.len();
        self.at = start;
        let mut characters = rest.chars();
        let Some(first) = characters.next() else {
            return Ok((Token::End, start));
        };
        let then_equal = characters.next() == Some('=');
        let (token, length) = match first {
            '(' => (Token::Open(')'), 1),
            '[' => (Token::Open(']'), 1),
            ')' | ']' => (Token::Close(first), 1),
            ',' => (Token::Comma, 1),
            '=' => (Token::Equal, 1 + usize::from(then_equal)),
            '!' if then_equal => (Token::NotEqual, 2),
            '<' if then_equal => (Token::LessOrEqual, 2),
            '<' => (Token::Less, 1),
            '>' if then_equal => (Token::GreaterOrEqual, 2),
            '>' => (Token::Greater, 1),
            '\'' | '"' | '`' => self.quoted(first, start)?,
            '-' | '0'..='9' => self.number(rest, start)?,
            _ if begins_word(first) => {
                let end = rest
                    .find(|character| !continues_word(character))
                    .unwrap_or(rest.len());
                (Token::Word(&rest[..end]), end)
            }
            _ => {
                return Err(self.fault(
                    start,
                    &format!("{first:?} has no meaning here; put strings in quotes and odd fields in backticks"),
                ));
            }
        };
        self.at = start + length;
        Ok((token, start))
    }

    /// A string or field in quotes, with its length in the text.
    fn quoted(&self, quote: char, start: usize) -> Result<(Token<'t>, usize), Error> {
        let mut content = String::new();
        let mut characters = self.text[start..].char_indices().skip(1);
        while let Some((offset, character)) = characters.next() {
            if character == quote {
                let token = match quote {
                    '`' => Token::Field(content),
                    _ => Token::Text(content),
                };
                return Ok((token, offset + 1));
            }
            if character != '\\' {
                content.push(character);
                continue;
            }
            content.push(match characters.next().map(|(_, escaped)| escaped) {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(escaped @ ('\\' | '"' | '\'' | '`')) => escaped,
                _ => {
                    return Err(self.fault(
                        start + offset,
                        r"expected \\, \n, \r, \t or an escaped quote; write a backslash as \\",
                    ));
                }
            });
        }
        Err(self.fault(start, &format!("the {quote} is not closed")))
    }

    /// A number, with its length in the text.
    fn number(&self, rest: &'t str, start: usize) -> Result<(Token<'t>, usize), Error> {
        let mut before = ' ';
        let end = rest
            .find(|character: char| {
                let goes_on = character.is_alphanumeric()
                    || matches!(character, '.' | '_')
                    || (matches!(character, '-' | '+') && matches!(before, ' ' | 'e' | 'E'));
                before = character;
                !goes_on
            })
            .unwrap_or(rest.len());
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let number = digits
            .starts_with(|first: char| first.is_ascii_digit())
            .then(|| Number::parse(&rest[..end]))
            .flatten();
        match number {
            Some(number) => Ok((Token::Number(number), end)),
            None => Err(self.fault(start, "expected a number within the range of f64")),
        }
    }

    /// An error at a place in the text: `at column 9 (genre = ^and year): …`.
    pub(super) fn fault(&self, at: usize, message: &str) -> Error {
        const SHOWN: usize = 20;
        let (before, after) = self.text.split_at(at);
        let column = before.chars().count() + 1;
        let mut excerpt = String::new();
        if column > SHOWN + 1 {
            excerpt.push('…');
        }
        excerpt.extend(before.chars().skip(column.saturating_sub(SHOWN + 1)));
        excerpt.push('^');
        excerpt.extend(after.chars().take(SHOWN));
        if after.chars().nth(SHOWN).is_some() {
            excerpt.push('…');
        }
        let line: String = excerpt
            .chars()
            .map(|character| match character.is_control() {
                true => ' ',
                false => character,
            })
            .collect();
        Error::invalid(format!("at column {column} ({line}): {message}")).in_field("filter")
    }
}
