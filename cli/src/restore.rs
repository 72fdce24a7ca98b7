//! `nearfield restore`

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::show::Output;
use crate::store::StorePath;

/// Bring a collection back from a snapshot
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  nearfield restore /backup/docs-monday ./data
  nearfield restore /backup/docs-monday ./data --as docs-of-monday")]
pub(crate) struct Restore {
    /// The folder that `nearfield snapshot` made
    snapshot: PathBuf,

    #[command(flatten)]
    store: StorePath,

    /// The name of the collection [default: the one it had]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

impl Restore {
    pub(crate) fn run(self, _output: Output) -> Outcome {
        Err(Failure::input(format!(
            "restoring {} into {} is not in this version",
            self.snapshot.display(),
            self.name.unwrap_or(self.store.path)
        ))
        .hint("a snapshot is a store of its own: give its folder as PATH to any command"))
    }
}
