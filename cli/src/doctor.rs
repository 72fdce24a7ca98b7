//! `nearfield doctor`

use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::show::Output;
use crate::store::StorePath;

/// Check the files of a store and say what to do about damage
#[derive(Args, Debug)]
#[command(after_help = "\
Nothing is changed. No other program may have the store open meanwhile.

Example:
  nearfield doctor ./data")]
pub(crate) struct Doctor {
    #[command(flatten)]
    store: StorePath,
}

impl Doctor {
    pub(crate) fn run(self, _output: Output) -> Outcome {
        Err(Failure::input(format!(
            "checking {} is not in this version",
            self.store.path
        )))
    }
}
