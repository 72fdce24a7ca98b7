//! Tables with bars for a terminal.

use std::fmt::Write;

use crate::ladder::row::{Climb, Row};
use crate::ladder::show::figures::{grouped, micros, percent, times};
use crate::ladder::show::page::title;

/// Columns where the terminal does not say.
const WIDTH: usize = 100;
/// The least and the most that a bar may take.
const BAR_MIN: usize = 8;
const BAR_MAX: usize = 40;
/// Columns of a row beside its bar.
const FIGURES: usize = 68;
/// What the headings of the tables stand for.
const LEGEND: &str = "\
  to emb   the rate as a share of the embedded door's
  tax us   microseconds of CPU that a door adds per vector or query
  p50 us   the median time of a request
  unexpl.  the share of a door's time that none of its stages explains";

impl Climb {
    /// The rates of the first op and batch with their bars, and nothing else.
    pub fn brief(&self) -> String {
        let Some((op, batch)) = self.groups().first().copied() else {
            return String::new();
        };
        let rows: Vec<&Row> = self.group(op, batch).collect();
        let most = rows.iter().map(|row| row.rate).fold(0.0, f64::max);
        let mut text = String::new();
        for row in rows {
            let length = (row.rate / most * BAR_MAX as f64).round() as usize;
            let (rate, bar) = (grouped(row.rate), "█".repeat(length.max(1)));
            let _ = writeln!(text, "  {:<17}{rate:>12}  {bar}", row.door);
        }
        text
    }

    /// The run as text, for a terminal of so many columns.
    pub fn text(&self, width: Option<usize>) -> String {
        let bar = width.unwrap_or(WIDTH).saturating_sub(FIGURES);
        let bar = bar.clamp(BAR_MIN, BAR_MAX);
        let mut text = String::new();
        for (op, batch) in self.groups() {
            let rows: Vec<&Row> = self.group(op, batch).collect();
            let most = rows.iter().map(|row| row.rate).fold(0.0, f64::max);
            let unit = rows.first().map_or("", |row| row.unit);
            // Writing to a string does not fail.
            let _ = writeln!(text, "\n{}", title(op, batch).0);
            let _ = writeln!(
                text,
                "  {:<17}{:>12}  {:bar$}{:>6}{:>8}{:>10}{:>9}",
                "", unit, "", "to emb", "tax us", "p50 us", "unexpl."
            );
            for row in rows {
                let length = (row.rate / most * bar as f64).round() as usize;
                let ratio = row
                    .ratio
                    .map_or(String::new(), |ratio| format!("{ratio:.2}"));
                let tax = row.tax_us.map_or(String::new(), micros);
                let unexplained = row.unexplained.map_or(String::new(), percent);
                let _ = writeln!(
                    text,
                    "  {:<17}{:>12}  {:bar$}{ratio:>6}{tax:>8}{:>10}{unexplained:>9}",
                    row.door,
                    grouped(row.rate),
                    "█".repeat(length.max(1)),
                    micros(row.p50_us),
                );
            }
        }
        let _ = writeln!(text, "\n{LEGEND}");
        self.story_text(&mut text);
        if !self.not_run.is_empty() {
            text.push('\n');
        }
        for not in &self.not_run {
            let _ = writeln!(text, "  {} not run: {}", not.door, not.reason);
        }
        for fault in &self.faults {
            let (door, op, batch) = (fault.door, fault.op, fault.batch);
            let _ = writeln!(text, "\n  WRONG {door}, {op}, {batch}: {}", fault.reason);
        }
        let _ = writeln!(
            text,
            "\n{} vectors of {} components, durability {}, rounds: {}, {:.0} s",
            self.workload["vectors"],
            self.workload["dim"],
            self.workload["durability"].as_str().unwrap_or_default(),
            self.workload["rounds"],
            self.seconds
        );
        text
    }

    fn story_text(&self, text: &mut String) {
        if self
            .story
            .figures
            .iter()
            .all(|figure| figure.ours_rate.is_none())
        {
            return;
        }
        let _ = writeln!(
            text,
            "\nThe story that it began with, vectors/s{:>14}{:>12}",
            "there", "here"
        );
        for figure in &self.story.figures {
            let Some(ours) = figure.ours_rate else {
                continue;
            };
            let what = match figure.is_hope {
                true => format!("{}, hoped for", figure.what),
                false => figure.what.to_owned(),
            };
            let _ = writeln!(
                text,
                "  {what:<34}{:>19}{:>12}{:>11}  {}",
                figure.theirs,
                grouped(ours),
                times(ours / figure.theirs_rate),
                figure.door
            );
        }
        if self
            .story
            .guesses
            .iter()
            .all(|guess| guess.measured.is_none())
        {
            return;
        }
        let _ = writeln!(
            text,
            "\nThe gap to JSON over HTTP{:>30}{:>12}",
            "guessed", "measured"
        );
        for guess in &self.story.guesses {
            let measured = guess.measured.map_or("not run".to_owned(), percent);
            let _ = writeln!(
                text,
                "  {:<34}{:>19}{measured:>12}  {}",
                guess.what, guess.guessed, guess.how
            );
        }
    }

    /// The ops and batches, in the order of the rows.
    pub(super) fn groups(&self) -> Vec<(&'static str, usize)> {
        let mut groups = Vec::new();
        for row in &self.rows {
            if !groups.contains(&(row.op, row.batch)) {
                groups.push((row.op, row.batch));
            }
        }
        groups
    }

    pub(super) fn group(&self, op: &str, batch: usize) -> impl Iterator<Item = &Row> {
        let is_in = move |row: &&Row| row.op == op && row.batch == batch;
        self.rows.iter().filter(is_in)
    }
}
