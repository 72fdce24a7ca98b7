//! `nearfield count`

use clap::Args;
use serde_json::json;

use crate::failure::Outcome;
use crate::search::parse_filter;
use crate::show::{Output, number};
use crate::store::{CollectionName, Store, StorePath};

/// Count the points of a collection, or those that match a filter
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  nearfield count ./data --collection docs
  nearfield count ./data --filter 'year >= 1960 and genre = \"jazz\"'")]
pub(crate) struct Count {
    #[command(flatten)]
    store: StorePath,

    #[command(flatten)]
    collection: CollectionName,

    /// Count only points whose metadata match
    #[arg(short, long)]
    filter: Option<String>,
}

impl Count {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let filter = parse_filter(self.filter.as_deref())?;
        let store = Store::open(&self.store, "count")?;
        let collection = store.choose(&self.collection)?;
        let mut request = nearfield::Count::new(&collection);
        request.filter = filter;
        let count = store.call(request)?.count;
        output.json(&json!({"collection": collection, "count": count}))?;
        output.text(&format!("{}\n", number(count)))
    }
}
