//! `nearfield compact`

use clap::Args;
use serde_json::json;

use crate::failure::Outcome;
use crate::show::{Output, bytes, plural};
use crate::store::{Store, StorePath};

/// Give back the disk space of removed and replaced points
#[derive(Args, Debug)]
#[command(after_help = "\
Without --collection, all collections are compacted, one after the other.

Examples:
  nearfield compact ./data
  nearfield compact ./data --collection docs")]
pub(crate) struct Compact {
    #[command(flatten)]
    store: StorePath,

    /// The collection [default: all of them]
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "NEARFIELD_COLLECTION",
        hide_env_values = true
    )]
    collection: Option<String>,
}

impl Compact {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let store = Store::open(&self.store, "compact")?;
        let names = match self.collection {
            Some(name) => vec![name],
            None => store.collections()?,
        };
        let mut text = String::new();
        let mut compacted = Vec::new();
        for name in &names {
            let done = store.call(nearfield::Compact::new(name))?;
            text += &match done.files {
                0 => format!(
                    "{name}: nothing to give back, {} of log\n",
                    bytes(done.bytes_after)
                ),
                files => format!(
                    "{name}: {} of log before, {} after, {} rewritten\n",
                    bytes(done.bytes_before),
                    bytes(done.bytes_after),
                    plural(files, "file", "files")
                ),
            };
            compacted.push(json!({
                "collection": name,
                "files": done.files,
                "bytes_before": done.bytes_before,
                "bytes_after": done.bytes_after,
            }));
        }
        output.json(&json!({"collections": compacted}))?;
        match names.is_empty() {
            true => output.text(&format!("{} has no collection yet\n", store.target())),
            false => output.text(&text),
        }
    }
}
