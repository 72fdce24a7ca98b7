//! `nearfield restore`

use std::path::PathBuf;

use clap::Args;
use nearfield::{ErrorKind, Options};
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::show::{Output, plural};
use crate::store::{Server, Sharing, Store, StorePath, folder_or_fail, quoted};

/// Bring a collection back from a snapshot
#[derive(Args, Debug)]
#[command(after_help = "\
The snapshot is checked byte by byte on the way and stays as it is. PATH is made
if it is not there. No other program may have PATH open meanwhile, not even to share it.

Examples:
  nearfield restore /backup/docs-monday ./data
  nearfield restore /backup/docs-monday ./data --as docs-of-monday")]
pub(crate) struct Restore {
    /// The folder that `nearfield snapshot` made
    snapshot: PathBuf,

    /// The folder of the store, such as ./data
    path: String,

    /// The name of the collection [default: the one it had]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

impl Restore {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let target = &self.path;
        let folder = folder_or_fail(target, "restore")?;
        let mut options = Options::default();
        options.program = "nearfield restore".to_owned();
        let name = nearfield::restore(&self.snapshot, folder, self.name.as_deref(), options)
            .map_err(|error| {
                let failure = Failure::of_file(&error, target);
                match error.kind() {
                    ErrorKind::AlreadyExists => {
                        failure.hint(format!("choose another name with --as, or remove it first: `nearfield drop {} NAME`", quoted(target)))
                    }
                    ErrorKind::Locked => failure.hint("restore adds files to the store: end the program that has it open first, or restore into another folder"),
                    _ => failure,
                }
            })?;
        let path = StorePath {
            path: target.clone(),
            sharing: Sharing::default(),
            server: Server::default(),
        };
        let count = Store::open(&path, "restore")?.describe(&name)?.count;
        output.json(&json!({"path": target, "collection": name, "count": count}))?;
        output.text(&format!(
            "restored {name}, {}, into {target}\n",
            plural(count, "point", "points")
        ))
    }
}
