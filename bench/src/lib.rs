//! Measurements of Nearfield, each beside the machine's own limit in the same run.
//!
//! A command is a file under `command/`; it runs its *legs* in rounds, so that a machine that
//! drifts hits all of them alike, and hands a `Report` back.

mod clock;
mod command;
mod cores;
mod data;
mod disk;
mod ground;
mod ladder;
mod limit;
mod load;
mod machine;
mod matching;
mod npy;
mod place;
mod random;
mod report;
mod resident;
mod rows;
mod searches;
mod server;
mod set;
mod statistics;
mod store;
mod threads;
mod verify;
mod wait;
mod workload;

pub use command::{Program, run};
pub use ladder::{Climb, Door, Fault, Figure, Guess, Ladder, NotRun, Op, Progress, Row, Story};

/// What goes wrong here ends the program with a message.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
