//! `nearfield doctor`

use clap::Args;
use nearfield::{ErrorKind, Options, Report};
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::show::{Output, bytes, clean, plural};
use crate::store::{folder_or_fail, quoted};

/// Check the files of a store and say what to do about damage
#[derive(Args, Debug)]
#[command(after_help = "\
Every byte is read and nothing is changed. No other program may have the store
open meanwhile, not even to share it. Exits with 1 if something is damaged.

Examples:
  nearfield doctor ./data
  nearfield doctor ./data --json")]
pub(crate) struct Doctor {
    /// The folder of the store, such as ./data
    path: String,
}

impl Doctor {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let target = &self.path;
        let folder = folder_or_fail(target, "doctor")?;
        let mut options = Options::default();
        options.program = "nearfield doctor".to_owned();
        options.create = false;
        let report = nearfield::doctor(folder, &options)
            .map_err(|error| {
                let failure = Failure::of_file(&error, target);
                match error.kind() {
                    ErrorKind::Locked => failure.hint(format!(
                        "doctor reads files that nobody writes: end that program first, or check a copy: `nearfield snapshot {}`",
                        quoted(target)
                    )),
                    _ => failure,
                }
            })?;
        let faults = report
            .findings
            .iter()
            .filter(|finding| finding.is_fault)
            .count();
        output.json(&json!({
            "path": target,
            "healthy": faults == 0,
            "collections": report.collections.iter().map(|collection| json!({
                "collection": collection.name,
                "count": collection.points,
                "files": collection.files,
                "records": collection.records,
                "bytes": collection.bytes,
            })).collect::<Vec<_>>(),
            "findings": report.findings.iter().map(|finding| json!({
                "fault": finding.is_fault,
                "message": finding.message,
            })).collect::<Vec<_>>(),
        }))?;
        output.text(&text(&report, output))?;
        if faults == 0 {
            return output.text("nothing is damaged\n");
        }
        Err(Failure::damage(format!(
            "{target}: {}",
            plural(faults as u64, "fault", "faults")
        ))
        .hint("restore a snapshot with `nearfield restore`; copy the folder before you try anything else"))
    }
}

fn text(report: &Report, output: Output) -> String {
    let mut text = String::new();
    for collection in &report.collections {
        text += &format!(
            "{}: {}, {} and {} of log read\n",
            output.bold(&collection.name),
            plural(collection.points, "point", "points"),
            plural(collection.records, "record", "records"),
            bytes(collection.bytes),
        );
    }
    for finding in &report.findings {
        let kind = if finding.is_fault { "fault" } else { "note" };
        text += &format!("{kind}: {}\n", clean(&finding.message));
    }
    text
}
