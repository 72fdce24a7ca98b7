//! `nearfield list`

use clap::Args;
use serde_json::json;

use crate::failure::Outcome;
use crate::show::{Align, Output, Table, number};
use crate::store::{Store, StorePath};

/// List the collections of a store
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  nearfield list ./data
  nearfield list ./data --json")]
pub(crate) struct List {
    #[command(flatten)]
    store: StorePath,
}

impl List {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let store = Store::open(&self.store, "list")?;
        let names = store.collections()?;
        output.json(&json!({"collections": names}))?;
        if output.is_json() {
            return Ok(());
        }
        let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Left])
            .heading(["collection", "points", "dimension", "metric"])
            .cell_columns_max(128);
        for description in store.describe_all(&names)? {
            table.row([
                description.collection,
                number(description.count),
                number(description.dimension as u64),
                description.metric.to_string(),
            ]);
        }
        match names.is_empty() {
            true => output.text(&format!("{} has no collection yet\n", store.target())),
            false => output.text(&table.text(output.width())),
        }
    }
}
