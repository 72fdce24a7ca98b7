//! `nearfield delete`

use clap::{ArgGroup, Args};
use nearfield::{Ids, Selection};
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::get::parse_ids;
use crate::search::parse_filter;
use crate::show::{Output, plural};
use crate::store::{CollectionName, Store, StorePath};

/// Remove points by id or by filter
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("points").required(true),
    override_usage = "nearfield delete [OPTIONS] <PATH> <ID>...\n       \
        nearfield delete [OPTIONS] <PATH> --filter <FILTER>"
)]
#[command(after_help = "\
Ids that are not there are passed over. Digits are a number, all else is text;
--string makes digits text as well. The removal is on disk when the command
ends.

Examples:
  nearfield delete ./data 7 8 kind-of-blue
  nearfield delete ./data --collection docs --filter 'year < 1960'")]
pub(crate) struct Delete {
    #[command(flatten)]
    store: StorePath,

    /// The ids of the points
    #[arg(value_name = "ID", group = "points")]
    ids: Vec<String>,

    #[command(flatten)]
    collection: CollectionName,

    /// Remove the points whose metadata match, instead of ids
    #[arg(short, long, group = "points")]
    filter: Option<String>,

    /// Take all ids as text, digits too
    #[arg(long)]
    string: bool,
}

impl Delete {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let selection = match parse_filter(self.filter.as_deref())? {
            Some(filter) => Selection::Filter(filter),
            None if self.ids.is_empty() => {
                return Err(Failure::usage("neither ids nor a filter are given"));
            }
            None => Selection::Ids(Ids::from(parse_ids(&self.ids, self.string))),
        };
        let store = Store::open(&self.store, "delete")?;
        let collection = store.choose(&self.collection)?;
        let deleted = store
            .call(nearfield::Delete::new(&collection, selection))?
            .deleted;
        output.json(&json!({"collection": collection, "deleted": deleted}))?;
        output.text(&format!(
            "removed {} from {collection}\n",
            plural(deleted, "point", "points")
        ))
    }
}
