//! `doors`: what each door to another process adds to the embedded one.

mod bare;
mod beside;
mod busy;
mod crowd;
mod door;
mod echo;
mod flight;
mod guests;
mod owner;
mod search;

use std::path::PathBuf;

use clap::Args;
use nearfield::Durability;
use serde::Serialize;

pub(super) use bare::Child as BareChild;
pub(super) use busy::Child as BusyChild;
use door::Door;
pub(super) use echo::Child as EchoChild;
pub(super) use guests::Child as GuestChild;
pub(super) use owner::Child as OwnerChild;

use crate::Result;
use crate::machine::Machine;
use crate::place::Place;
use crate::report::Report;
use crate::workload::Pool;

/// Rows of one collection: fewer than an index is built for.
const ROWS: usize = 15_000;

/// What each door to another process adds to the embedded one
#[derive(Args, Debug, Serialize)]
pub(crate) struct Doors {
    /// The doors to open
    #[arg(long, value_delimiter = ',', default_values_t = Door::ALL)]
    door: Vec<Door>,
    /// Vectors per leg that writes, in collections of 15,000 so that no index is built meanwhile
    #[arg(long, default_value_t = 300_000)]
    vectors: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Wait for the disk in each write
    #[arg(long)]
    sync: bool,
    /// Searches per leg, one query each
    #[arg(long, default_value_t = 3_000)]
    searches: usize,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Hold so many connections open that send nothing, beside `--busy`
    #[arg(long, default_value_t = 1_000)]
    idle: usize,
    /// Connections that search at the same time
    #[arg(long, default_value_t = 100)]
    busy: usize,
    /// The program that serves; by default `nearfield` beside this one
    #[arg(long)]
    #[serde(skip)]
    program: Option<PathBuf>,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl Doors {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.vectors == 0 || self.dim == 0 || self.batch == 0 || self.rounds == 0 {
            return Err("give at least one vector, dimension, batch and round".into());
        }
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "doors",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let pool = Pool::new(ROWS, self.dim, self.batch);
        for table in search::measure(self, &place, &pool)? {
            report.push(table);
        }
        if self.door.iter().any(|door| door.is_local()) {
            report.push(flight::measure(self, &place, &pool)?);
            report.push(guests::measure(self, &place)?);
        }
        if self.idle + self.busy > 0 {
            report.push(crowd::measure(self, &place, &pool)?);
        }
        report.note("each store was checked: the count, a sample bit for bit, searches");
        Ok(report)
    }

    fn durability(&self) -> Durability {
        if self.sync {
            Durability::Sync
        } else {
            Durability::Os
        }
    }
}
