//! The bar that shows how far a long command is.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::units::whole_seconds;
use super::{Output, number, rate, stderr_takes_colours};

/// Where stderr is no terminal, a plain line is written this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress on stderr: a bar on a terminal, a line now and then elsewhere, nothing where a
/// program reads.
pub(crate) struct Bar {
    output: Output,
    bar: ProgressBar,
    terminal: bool,
    verb: &'static str,
    noun: &'static str,
    start: Instant,
    start_place: u64,
    total: Option<u64>,
    last_line: Instant,
}

impl Bar {
    /// A bar for `verb`ing `noun`, such as "stored" and "vectors", that starts at
    /// `start_place` of `total`. Places may be rows or bytes.
    pub(crate) fn new(
        output: Output,
        verb: &'static str,
        noun: &'static str,
        start_place: u64,
        total: Option<u64>,
    ) -> Self {
        let terminal = io::stderr().is_terminal() && !output.is_json();
        let target = match terminal {
            true => ProgressDrawTarget::stderr_with_hz(10),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = match (total, stderr_takes_colours()) {
            (Some(_), true) => "{bar:24.cyan/dim} {percent:>3}%  {msg}",
            (Some(_), false) => "[{bar:24}] {percent:>3}%  {msg}",
            (None, _) => "{spinner}  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            let characters = if stderr_takes_colours() {
                "━━─"
            } else {
                "=> "
            };
            bar.set_style(style.progress_chars(characters));
        }
        bar.set_position(start_place);
        let now = Instant::now();
        Bar {
            output,
            bar,
            terminal,
            verb,
            noun,
            start: now,
            start_place,
            total,
            last_line: now,
        }
    }

    /// Says that `done` things are done since the start and `place` is reached.
    pub(crate) fn advance(&mut self, done: u64, place: u64) {
        let elapsed = self.start.elapsed();
        let mut message = format!(
            "{} {}, {} {}/s",
            number(done),
            self.verb,
            rate(done, elapsed),
            self.noun
        );
        if let Some(left) = self.time_left(place, elapsed) {
            message.push_str(&format!(", {} left", whole_seconds(left)));
        }
        if self.terminal {
            self.bar.set_message(message);
            self.bar.set_position(place);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let percent = self
                .total
                .filter(|total| *total > 0)
                .map(|total| format!("{:>3}%  ", place.saturating_mul(100) / total))
                .unwrap_or_default();
            self.output.note(&format!("{percent}{message}"));
        }
    }

    fn time_left(&self, place: u64, elapsed: Duration) -> Option<Duration> {
        let total = self.total?;
        let gone = place
            .checked_sub(self.start_place)
            .filter(|gone| *gone > 0)?;
        let left = total.saturating_sub(place);
        let seconds = elapsed.as_secs_f64() * left as f64 / gone as f64;
        Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|left| elapsed > Duration::from_secs(1) && *left > Duration::from_secs(1))
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
