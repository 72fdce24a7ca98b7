//! `nearfield drop`

use clap::Args;
use nearfield::DropCollection;
use serde_json::json;

use crate::failure::Outcome;
use crate::show::{Output, plural};
use crate::store::{Store, StorePath};

/// Remove a collection and all its points, for good
#[derive(Args, Debug)]
#[command(after_help = "\
Nothing asks back, and nothing brings the points back but a snapshot taken before.

Example:
  nearfield drop ./data docs")]
pub(crate) struct Drop {
    #[command(flatten)]
    store: StorePath,

    /// The name of the collection
    name: String,
}

impl Drop {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let store = Store::open(&self.store, "drop")?;
        let points = store.describe(&self.name)?.count;
        store.call(DropCollection::new(&self.name))?;
        output.json(&json!({"collection": self.name, "points": points}))?;
        output.text(&format!(
            "dropped {} with {}\n",
            self.name,
            plural(points, "point", "points")
        ))
    }
}
