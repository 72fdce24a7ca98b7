//! `nearfield snapshot`

use std::path::PathBuf;

use clap::Args;
use nearfield::{Context, ErrorKind};
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::show::{Output, bytes, clean, plural};
use crate::store::{CollectionName, Store, StorePath};

/// Copy a collection, as it is at one moment, into a folder
#[derive(Args, Debug)]
#[command(after_help = "\
The folder is a store of its own; `nearfield restore` brings it into another one.

Examples:
  nearfield snapshot ./data --collection docs
  nearfield snapshot ./data /backup/docs-monday --collection docs")]
pub(crate) struct Snapshot {
    #[command(flatten)]
    store: StorePath,

    /// The folder to make; it must not exist [default: snapshots/COLLECTION-NUMBER inside the
    /// store]
    #[arg(value_name = "DEST")]
    destination: Option<PathBuf>,

    #[command(flatten)]
    collection: CollectionName,
}

impl Snapshot {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let store = Store::open(&self.store, "snapshot")?;
        let collection = store.choose(&self.collection)?;
        let mut request = nearfield::Snapshot::new(&collection);
        if let Some(destination) = &self.destination {
            let absolute = std::path::absolute(destination)
                .map_err(|error| Failure::file(destination, "find", &error))?;
            let text = absolute.to_str().ok_or_else(|| {
                Failure::usage(format!(
                    "{}: the path is not UTF-8 text",
                    destination.display()
                ))
            })?;
            request = request.destination(text);
        }
        let taken = store
            .try_call(&mut Context::default(), request)
            .map_err(|error| {
                let failure = Failure::of(&error, store.target());
                match error.kind() {
                    ErrorKind::AlreadyExists => failure.hint("choose a folder that is not there"),
                    _ => failure,
                }
            })?;
        output.json(&json!({
            "collection": collection,
            "path": taken.path,
            "sequence": taken.sequence,
            "count": taken.count,
            "bytes": taken.bytes,
        }))?;
        output.text(&format!(
            "copied {} of {collection}, {}, to {}\n\nbring it back with: nearfield restore {} PATH\n",
            plural(taken.count, "point", "points"),
            bytes(taken.bytes),
            clean(&taken.path),
            clean(&taken.path),
        ))
    }
}
