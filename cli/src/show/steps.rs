//! One line on stderr that says which step is under way.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Output, stderr_takes_colours};

/// Where stderr is no terminal, a line is written this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Steps of something long: a bar on a terminal, a line now and then elsewhere, nothing where a
/// program reads.
pub(crate) struct Steps {
    output: Output,
    bar: ProgressBar,
    terminal: bool,
    last_line: Mutex<Option<Instant>>,
}

impl Steps {
    pub(crate) fn new(output: Output) -> Self {
        let terminal = io::stderr().is_terminal() && !output.is_json();
        let target = match terminal {
            true => ProgressDrawTarget::stderr_with_hz(10),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let template = match stderr_takes_colours() {
            true => "{bar:24.cyan/dim} {percent:>3}%  {msg}",
            false => "[{bar:24}] {percent:>3}%  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        Steps {
            output,
            bar,
            terminal,
            last_line: Mutex::new(None),
        }
    }

    /// Says which step of how many is under way.
    pub(crate) fn show(&self, done: usize, total: usize, doing: &str) {
        if self.terminal {
            self.bar.set_length(total.max(1) as u64);
            self.bar.set_position(done as u64);
            self.bar.set_message(doing.to_owned());
            return;
        }
        let mut last = self
            .last_line
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
            *last = Some(Instant::now());
            self.output.note(&format!("{done:>4} of {total}  {doing}"));
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
