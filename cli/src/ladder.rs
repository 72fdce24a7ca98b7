//! `nearfield ladder`

use std::path::{Path, PathBuf};

use clap::Args;
use nearfield_bench::{Climb, Progress};
use serde_json::Value;

use crate::arguments::JsonTo;
use crate::failure::{Failure, Outcome};
use crate::show::{Output, Steps};

/// Measure every door on this machine, and see where the time goes
#[derive(Args, Debug)]
#[command(after_help = "\
Each door writes the same vectors and asks the same queries, in turns with all others; then its
store is checked. `engine` is the engine without a client, `embedded` the Rust client with the
engine in its process; all else is compared with these two.

Examples:
  nearfield ladder --quick
  nearfield ladder --html ladder.html
  nearfield ladder --batch 1000 --op ingest --door embedded,http-json,grpc --json ladder.json")]
pub(crate) struct Ladder {
    #[command(flatten)]
    ladder: nearfield_bench::Ladder,

    /// Write what was measured to this file, for programs
    #[arg(id = "json", long = "json", value_name = "FILE", value_parser = |text: &str| {
        Ok::<_, String>(JsonTo::File(PathBuf::from(text)))
    })]
    json: Option<JsonTo>,

    /// Write it to this file as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write it to this file as Markdown, with the method
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write a picture of it to this file, as SVG
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,

    /// Keep its taxes and ratios in this file, for --against
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,

    /// Fail if taxes or ratios are worse than those that were kept in this file
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

impl Ladder {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let program = std::env::current_exe()
            .map_err(|error| Failure::system("find this program", &error))?;
        let steps = Steps::new(output);
        let tell = |progress: Progress| {
            steps.show(progress.done, progress.total, &progress.doing);
        };
        let climb = self.ladder.climb(&program, &tell).map_err(failed)?;
        steps.finish();
        output.text(&climb.text(output.width()))?;
        if let Some(JsonTo::File(file)) = &self.json {
            let value: Value =
                serde_json::to_value(&climb).map_err(|error| failed(error.into()))?;
            write(file, &format!("{value:#}\n"))?;
        }
        if let Some(file) = &self.html {
            write(file, &climb.page())?;
        }
        if let Some(file) = &self.markdown {
            let chart = self.chart.as_deref().and_then(Path::file_name);
            write(file, &climb.markdown(chart.and_then(|name| name.to_str())))?;
        }
        if let Some(file) = &self.chart {
            write(file, &climb.chart())?;
        }
        if let Some(file) = &self.keep {
            write(file, &climb.baseline().map_err(failed)?)?;
        }
        output.json(&climb)?;
        faults(&climb)?;
        self.against
            .as_deref()
            .map_or(Ok(()), |file| compare(&climb, file))
    }
}

/// A run in which a store was not as it should be proves nothing.
fn faults(climb: &Climb) -> Outcome {
    match climb.faults.first() {
        None => Ok(()),
        Some(first) => Err(Failure::damage(format!(
            "{} at {}: {}",
            first.door, first.batch, first.reason
        ))
        .hint("do not trust the figures above; say what was run at the project's issues")),
    }
}

fn compare(climb: &Climb, file: &Path) -> Outcome {
    let baseline =
        std::fs::read_to_string(file).map_err(|error| Failure::file(file, "read", &error))?;
    let worse = climb.worse_than(&baseline).map_err(failed)?;
    match worse.is_empty() {
        true => Ok(()),
        false => Err(Failure::new("slower", worse.join("\n"))
            .hint("run it again on a quiet machine; if it stays, find what made the door slower")),
    }
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Failure {
    Failure::new("ladder", error.to_string()).hint("`nearfield help ladder` explains the options")
}

fn write(file: &Path, text: &str) -> Outcome {
    std::fs::write(file, text).map_err(|error| Failure::file(file, "write", &error))
}
