//! `nearfield drop`

use clap::Args;
use nearfield::DropCollection;
use serde_json::json;

use crate::failure::Outcome;
use crate::show::{Output, plural};
use crate::store::{GivenName, Store, StorePath};

/// Remove a collection and all its points, for good
#[derive(Args, Debug)]
#[command(override_usage = "nearfield drop [OPTIONS] <PATH> <NAME>")]
#[command(after_help = "\
Nothing asks back, and nothing brings the points back but a snapshot taken before.

Example:
  nearfield drop ./data docs")]
pub(crate) struct Drop {
    #[command(flatten)]
    store: StorePath,

    #[command(flatten)]
    name: GivenName,
}

impl Drop {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let store = Store::open(&self.store, "drop")?;
        let name = self.name.get();
        let points = store.describe(name)?.count;
        store.call(DropCollection::new(name))?;
        output.json(&json!({"collection": name, "points": points}))?;
        output.text(&format!(
            "dropped {name} with {}\n",
            plural(points, "point", "points")
        ))
    }
}
