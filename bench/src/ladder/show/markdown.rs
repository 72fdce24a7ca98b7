//! The run as Markdown: `docs/performance.md`.

use std::fmt::Write;

use super::figures::{grouped, micros, percent, times};
use super::page::title;
use crate::ladder::row::Climb;

const METHOD: &str = include_str!("method.md");

impl Climb {
    /// The run as a document, the method included. `chart` is the file beside it with the picture.
    pub fn markdown(&self, chart: Option<&str>) -> String {
        let mut text = String::from("# Performance\n\n");
        let _ = writeln!(
            text,
            "Measured by `nearfield ladder`, which also wrote this page. {}\n",
            self.headline()
        );
        if let Some(chart) = chart {
            let _ = writeln!(text, "![Vectors per second through each door]({chart})\n");
        }
        let _ = writeln!(text, "```sh\n{}\n```\n", self.command);
        text += "## The machine\n\n| | |\n|---|---|\n";
        for (name, value) in self.machine.lines() {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        self.story_markdown(&mut text);
        text += "\n## Results\n";
        for (op, batch) in self.groups() {
            self.group_markdown(&mut text, op, batch);
        }
        if !self.not_run.is_empty() {
            text += "\nNot run:\n\n";
            for not in &self.not_run {
                let _ = writeln!(text, "- {}: {}", not.door, not.reason);
            }
        }
        for fault in &self.faults {
            let (door, op, batch) = (fault.door, fault.op, fault.batch);
            let _ = writeln!(text, "\n**Wrong: {door}, {op}, {batch}: {}**", fault.reason);
        }
        text.push('\n');
        text + METHOD
    }

    fn story_markdown(&self, text: &mut String) {
        *text += "\n## The story that it began with\n\nA project before this one measured a gap of 4.4 \
                  times between its embedded store and its server, and guessed at the causes.\n\n\
                  | vectors per second | there | here | | door |\n|---|--:|--:|--:|---|\n";
        for figure in &self.story.figures {
            let hope = if figure.is_hope { ", hoped for" } else { "" };
            let ours = figure.ours_rate.map_or("not run".to_owned(), grouped);
            let ratio = figure
                .ours_rate
                .map_or(String::new(), |ours| times(ours / figure.theirs_rate));
            let _ = writeln!(
                text,
                "| {}{hope} | {} | {ours} | {ratio} | `{}`, {} per call |",
                figure.what,
                figure.theirs,
                figure.door,
                grouped(figure.batch as f64)
            );
        }
        *text += "\n| share of the gap to JSON over HTTP | guessed | measured | by the stages |\n\
                  |---|--:|--:|---|\n";
        for guess in &self.story.guesses {
            let measured = guess.measured.map_or("not run".to_owned(), percent);
            let _ = writeln!(
                text,
                "| {} | {} | {measured} | {} |",
                guess.what, guess.guessed, guess.how
            );
        }
    }

    fn group_markdown(&self, text: &mut String, op: &str, batch: usize) {
        let (title, each) = title(op, batch);
        let _ = writeln!(
            text,
            "\n### {title}\n\n| door | {each}/s | spread | to embedded | tax, us | p50 us | p99 us | \
             largest stages, us per {} | unexplained |\n|---|--:|--:|--:|--:|--:|--:|---|--:|",
            each.trim_end_matches('s').replace("querie", "query")
        );
        for row in self.group(op, batch) {
            let mut stages: Vec<(&&str, &f64)> = row.stages_us.iter().collect();
            stages.sort_by(|a, b| b.1.total_cmp(a.1));
            let stages = stages.into_iter().take(3);
            let stages: Vec<String> = stages
                .map(|(name, us)| format!("{name} {}", micros(*us)))
                .collect();
            let _ = writeln!(
                text,
                "| `{}` | {} | ±{} | {} | {} | {} | {} | {} | {} |",
                row.door,
                grouped(row.rate),
                percent(row.spread),
                row.ratio
                    .map_or(String::new(), |ratio| format!("{ratio:.2}")),
                row.tax_us.map_or(String::new(), micros),
                micros(row.p50_us),
                micros(row.p99_us),
                stages.join(", "),
                row.unexplained.map_or(String::new(), percent),
            );
        }
    }
}
