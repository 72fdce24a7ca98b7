//! What a command found out: as tables for people, as JSON for programs.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::machine::Machine;
use crate::statistics::Spread;

/// All that one run of a command tells.
#[derive(Debug)]
pub(crate) struct Report {
    command: &'static str,
    machine: Machine,
    workload: Value,
    tables: Vec<Table>,
    notes: Vec<String>,
}

impl Report {
    pub(crate) fn new(command: &'static str, machine: Machine, workload: Value) -> Self {
        Report {
            command,
            machine,
            workload,
            tables: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, table: Table) {
        self.tables.push(table);
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn to_json(&self) -> Value {
        let tables: Map<String, Value> = self
            .tables
            .iter()
            .map(|table| (table.title.clone(), table.to_json()))
            .collect();
        json!({
            "command": self.command,
            "machine": self.machine,
            "load_after": crate::machine::load(),
            "workload": self.workload,
            "tables": tables,
            "notes": self.notes,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}\n\n{}", self.command, self.machine)?;
        writeln!(f, "load after   {}", crate::machine::load())?;
        writeln!(f, "workload     {}", self.workload)?;
        for table in &self.tables {
            writeln!(f, "\n{table}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

/// Rows of figures under named columns.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One figure.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(String),
    Number(f64),
    Spread(Spread),
    /// There is no such figure.
    Nothing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Cell {
        Cell::Number(number)
    }
}

impl From<Spread> for Cell {
    fn from(spread: Spread) -> Cell {
        Cell::Spread(spread)
    }
}

impl Cell {
    /// A spread over rounds; nothing if no round had the figure.
    pub(crate) fn spread(values: impl IntoIterator<Item = f64>) -> Cell {
        let values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() {
            Cell::Nothing
        } else {
            Spread::of(values).into()
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Cell::Text(text) => json!(text),
            Cell::Number(number) => json!(number),
            Cell::Spread(s) => json!({"median": s.median, "min": s.low, "max": s.high}),
            Cell::Nothing => Value::Null,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Text(text) => f.write_str(text),
            Cell::Number(number) => f.write_str(&figure(*number)),
            Cell::Spread(s) if s.low == s.high => f.write_str(&figure(s.median)),
            Cell::Spread(s) => {
                let (median, low, high) = (figure(s.median), figure(s.low), figure(s.high));
                write!(f, "{median} ({low}..{high})")
            }
            Cell::Nothing => f.write_str("-"),
        }
    }
}

/// A number with about four digits that count, and thousands set apart.
pub(crate) fn figure(number: f64) -> String {
    let decimals = match number.abs() {
        0.0 | 1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        0.1.. => 3,
        _ => 4,
    };
    let text = format!("{number:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = whole.trim_start_matches('-').len();
    let mut out = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if left.is_multiple_of(3) && left < digits {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Table {
            title: title.into(),
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell per column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let cells = row.iter().map(Cell::to_json);
            let names = self.columns.iter().map(|name| (*name).to_owned());
            Value::Object(names.zip(cells).collect())
        });
        Value::Array(rows.collect())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n", self.title)?;
        let head = self.columns.iter().map(|name| (*name).to_owned());
        let mut lines: Vec<Vec<String>> = vec![head.collect()];
        for row in &self.rows {
            lines.push(row.iter().map(Cell::to_string).collect());
        }
        let width = |column: usize| {
            let widths = lines.iter().map(|line| line[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for (number, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                for width in &widths {
                    write!(f, "|{}", "-".repeat(width + 2))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_that_count() {
        for (number, text) in [
            (1_234_567.8, "1,234,568"),
            (-1_000.0, "-1,000"),
            (123.45, "123.5"),
            (12.345, "12.35"),
            (0.98765, "0.988"),
            (0.01234, "0.0123"),
            (0.0, "0"),
        ] {
            assert_eq!(figure(number), text);
        }
    }
}
