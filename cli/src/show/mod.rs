//! What a person or a program reads: text with colours and widths that fit, or JSON.

mod bar;
mod explanation;
mod steps;
mod table;
mod units;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

pub(crate) use bar::Bar;
pub(crate) use explanation::explanation;
pub(crate) use steps::Steps;
pub(crate) use table::{Align, Table};
pub(crate) use units::{bytes, duration, number, per_second, rate, whole_seconds};

use crate::failure::{Failure, Outcome};

/// Where and how a command answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
    width: Option<usize>,
}

impl Output {
    /// Output to stdout; coloured and cut to its width where it is a terminal.
    pub(crate) fn to_stdout(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Output {
            json,
            colour: terminal && colours_are_welcome(),
            width: terminal.then(columns),
        }
    }

    /// Whether a program reads.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Columns of the terminal; `None` where output goes elsewhere and nothing is cut.
    pub(crate) fn width(self) -> Option<usize> {
        self.width
    }

    /// Emphasises a heading or a name.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Takes back what is of second rank.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// Writes lines for a person, unless a program reads.
    pub(crate) fn text(self, text: &str) -> Outcome {
        match self.json {
            true => Ok(()),
            false => write(text),
        }
    }

    /// Writes the one JSON object that a program reads, if one does.
    pub(crate) fn json(self, value: &impl Serialize) -> Outcome {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::input(format!("the answer does not fit JSON: {error}")))?;
        write(&format!("{text}\n"))
    }

    /// Writes a remark to stderr, unless a program reads.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            // A remark that nobody can read is dropped.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// The width of the terminal, as far as it tells.
fn columns() -> usize {
    let size = console::Term::stdout().size_checked();
    size.map_or(80, |(_, columns)| usize::from(columns).max(40))
}

/// Writes to stdout. A reader that has gone is no failure of ours.
fn write(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| written(&error))
}

/// The failure of a write to stdout.
pub(crate) fn written(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::nobody_reads(),
        _ => Failure::file("stdout".as_ref(), "write to", error),
    }
}

/// Whether stderr takes colours.
pub(crate) fn stderr_takes_colours() -> bool {
    io::stderr().is_terminal() && colours_are_welcome()
}

fn colours_are_welcome() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The text without control characters, which could take over a terminal. Line ends stay.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' => '\n',
            '\t' => ' ',
            letter if letter.is_control() => '\u{fffd}',
            letter => letter,
        })
        .collect()
}

/// The text on one line, cut to `columns` of a terminal with an ellipsis.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let line = clean(text).replace('\n', " ");
    if console::measure_text_width(&line) <= columns {
        return line;
    }
    let mut kept = String::new();
    let mut width = 0;
    let mut buffer = [0; 4];
    for letter in line.chars() {
        width += console::measure_text_width(letter.encode_utf8(&mut buffer));
        if width >= columns {
            break;
        }
        kept.push(letter);
    }
    format!("{}…", kept.trim_end())
}

/// Whether `count` things are one thing or several: `1 point`, `2,000 points`.
pub(crate) fn plural(count: u64, one: &str, several: &str) -> String {
    format!(
        "{} {}",
        number(count),
        if count == 1 { one } else { several }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_columns_and_cleaned() {
        assert_eq!(cut("jazz", 4), "jazz");
        assert_eq!(cut("jazz band", 6), "jazz…");
        assert_eq!(cut("日本語日本語", 5), "日本…");
        assert_eq!(cut("a\x1b[31mb\nc", 80), "a\u{fffd}[31mb c");
        assert_eq!(cut("abc", 1), "…");
    }

    #[test]
    fn counts_take_the_right_noun() {
        assert_eq!(plural(1, "point", "points"), "1 point");
        assert_eq!(plural(2_000, "point", "points"), "2,000 points");
    }
}
