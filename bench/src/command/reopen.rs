//! `reopen`: from a killed process to the first answer.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use nearfield::{Durability, Metric};
use rustix::fs::{Advice, fadvise};
use serde::Serialize;

use super::child;
use crate::Result;
use crate::clock::{millis, process_cpu, timed};
use crate::disk::files;
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::store::{self, Engine};
use crate::verify::verify;
use crate::workload::{Columns, Points, Pool};

/// Opening after the process was killed
#[derive(Args, Debug, Serialize)]
pub(crate) struct Reopen {
    #[arg(long, default_value_t = 1_000_000)]
    vectors: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Throw the files out of the page cache before opening, as after a restart of the machine
    #[arg(long)]
    cold: bool,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
    #[command(flatten)]
    points: Points,
}

const BATCH: usize = 1_000;
const READY: &str = "ready";

/// The process that is killed.
#[derive(Args, Debug)]
pub(crate) struct Child {
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    vectors: usize,
    #[arg(long)]
    dim: usize,
    #[command(flatten)]
    points: Points,
}

struct Round {
    connect: Duration,
    connect_cpu: Duration,
    search: Duration,
    second: Duration,
    unencoded: u64,
    checkpoint: bool,
}

impl Reopen {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.vectors == 0 || self.dim == 0 || self.rounds == 0 {
            return Err("give at least one vector, dimension and round".into());
        }
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "reopen",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let pool = Pool::new(self.vectors, self.dim, BATCH);
        let mut rounds = Vec::new();
        for _ in 0..self.rounds {
            rounds.push(self.round(&place, &pool)?);
        }
        let columns = [
            "connect ms",
            "connect CPU ms",
            "first search ms",
            "connect and search ms",
            "second search ms",
            "rows without codes",
            "rounds with a checkpoint",
        ];
        let mut table = Table::new("after SIGKILL", &columns);
        let over = |of: fn(&Round) -> f64| Cell::spread(rounds.iter().map(of));
        table.row(vec![
            over(|round| millis(round.connect)),
            over(|round| millis(round.connect_cpu)),
            over(|round| millis(round.search)),
            over(|round| millis(round.connect + round.search)),
            over(|round| millis(round.second)),
            over(|round| round.unencoded as f64),
            (rounds.iter().filter(|round| round.checkpoint).count() as f64).into(),
        ]);
        report.push(table);
        report.note("then the count, a sample bit for bit and searches were checked");
        Ok(report)
    }

    fn round(&self, place: &Place, pool: &Pool) -> Result<Round> {
        let path = place.fresh("store")?;
        self.fill_and_kill(&path)?;
        let checkpoint = holds_checkpoint(&path)?;
        if self.cold {
            place.settle()?;
            forget(&path)?;
        }
        let cpu = process_cpu();
        let (database, connect) = timed(|| store::open(&path, Engine::default()));
        let connect_cpu = process_cpu() - cpu;
        let database = database?;
        let collection = store::collection(&database)?;
        let unencoded = collection.describe()?.unencoded;
        let search = || timed(|| collection.search(pool.slice(self.vectors / 2, 1)).run());
        let (found, first) = search();
        found?;
        let (found, second) = search();
        found?;
        verify(&collection, pool, self.points, self.vectors)?;
        drop((collection, database));
        std::fs::remove_dir_all(&path)?;
        Ok(Round {
            connect,
            connect_cpu,
            search: first,
            second,
            unencoded,
            checkpoint,
        })
    }

    /// Lets another process fill a store, and kills it once all was acknowledged.
    fn fill_and_kill(&self, path: &Path) -> Result<()> {
        let mut command = child::command("reopen-child", path)?;
        command.arg("--vectors").arg(self.vectors.to_string());
        command.arg("--dim").arg(self.dim.to_string());
        command.args(self.points.string_ids.then_some("--string-ids"));
        command.args(self.points.metadata.then_some("--metadata"));
        let mut child = command.spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        child.kill()?;
        child.wait()?;
        if line.trim_end() == READY {
            Ok(())
        } else {
            Err("the process that fills the store ended early".into())
        }
    }
}

impl Child {
    pub(crate) fn run(&self) -> Result<()> {
        let pool = Pool::new(self.vectors, self.dim, BATCH);
        let (database, collection) =
            store::create(&self.store, Engine::default(), self.dim, Metric::Euclidean)?;
        let columns = Columns::all(self.points, self.vectors, BATCH)?;
        store::upsert_all(&collection, &columns, &pool, Durability::Sync)?;
        child::tell(READY)?;
        // The other process kills this one while the store is open and perhaps at work.
        std::thread::sleep(Duration::from_secs(60));
        drop(database);
        Err("nobody killed this process".into())
    }
}

fn holds_checkpoint(path: &Path) -> Result<bool> {
    let is_one = |file: &PathBuf| file.extension().is_some_and(|end| end == "checkpoint");
    Ok(files(path)?.iter().any(is_one))
}

/// Asks the system to drop what it keeps of the files in memory.
fn forget(path: &Path) -> Result<()> {
    for file in files(path)? {
        fadvise(File::open(file)?, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}
