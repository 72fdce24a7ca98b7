//! The ladder: one workload through every door, and what each adds to the bare engine.
//!
//! A *cell* is a door, an op and a batch; a *leg* is one measurement of a cell. `run` goes through
//! the cells in rounds, `climb` is the loop that is measured, `language` lets programs in other
//! languages run the same loop, `check` looks into the stores, `attribution` explains.

mod attribution;
mod baseline;
mod check;
mod climb;
mod door;
mod language;
mod leg;
mod open;
mod options;
mod row;
mod run;
mod searched;
mod show;
mod story;
#[cfg(test)]
mod tests;
mod work;

use std::path::Path;

use crate::Result;

pub use door::Door;
pub use options::{Ladder, Op};
pub use row::{Climb, Fault, NotRun, Row};
pub use run::Progress;
pub use story::{Figure, Guess, Story};

impl Ladder {
    /// Climbs; `program` is `nearfield`, which serves where a door needs a server.
    ///
    /// # Errors
    /// If it cannot begin. What goes wrong at a door is one of the [faults](Climb::faults).
    pub fn climb(&self, program: &Path, tell: &dyn Fn(Progress)) -> Result<Climb> {
        run::run(&self.plan()?, program, tell)
    }
}
