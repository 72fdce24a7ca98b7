//! `failover`: from the kill of a path's owner to the next acknowledged write of its guests.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Child as Process;
use std::time::{Duration, Instant};

use clap::Args;
use nearfield::{Collection, Durability};
use serde::Serialize;

use super::child;
use crate::Result;
use crate::clock::millis;
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::store::{self, Engine};
use crate::workload::{Columns, Points, Pool};

/// Guests that take over from an owner that was killed
#[derive(Args, Debug, Serialize)]
pub(crate) struct Failover {
    #[arg(long, default_value_t = 1_000_000)]
    vectors: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Guests that write, this process among them
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4])]
    guests: Vec<usize>,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
}

/// Points per write of a guest.
const BATCH: usize = 100;
const FILL_BATCH: usize = 1_000;
const READY: &str = "ready";
/// Gaps between two acknowledged writes that are told.
const GAP_MIN: Duration = Duration::from_millis(1);
/// How long guests write before the kill, and after it.
const BEFORE: Duration = Duration::from_millis(500);
const AFTER: Duration = Duration::from_secs(2);

/// Another guest.
#[derive(Args, Debug)]
pub(crate) struct Child {
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    dim: usize,
    #[arg(long)]
    first: usize,
}

struct Round {
    /// From the kill to the next acknowledged write of this process.
    here: Duration,
    /// The longest time that any guest had to wait for an acknowledgement.
    longest: Duration,
}

impl Failover {
    pub(crate) fn run(&self) -> Result<Report> {
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "failover",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let columns = [
            "guests",
            "kill to acknowledged ms",
            "longest gap of any guest ms",
        ];
        let mut table = Table::new("writes, sync, 100 points each", &columns);
        for guests in &self.guests {
            let rounds = (0..self.rounds)
                .map(|_| self.round(&place, *guests))
                .collect::<Result<Vec<Round>>>()?;
            let over = |of: fn(&Round) -> f64| Cell::spread(rounds.iter().map(of));
            table.row(vec![
                guests.to_string().into(),
                over(|round| millis(round.here)),
                over(|round| millis(round.longest)),
            ]);
        }
        report.push(table);
        report.note("then the count was checked");
        Ok(report)
    }

    fn round(&self, place: &Place, guests: usize) -> Result<Round> {
        let path = place.fresh("store")?;
        let mut owner = start(self.owner(&path)?)?;
        let database = store::open(&path, Engine::default())?;
        let mut writer = Writer::new(store::collection(&database)?, self.dim, self.vectors)?;
        let others = (1..guests)
            .map(|guest| start(self.guest(&path, self.vectors + guest * BATCH)?))
            .collect::<Result<Vec<Process>>>()?;
        let begun = Instant::now();
        while begun.elapsed() < BEFORE {
            writer.write()?;
        }
        let killed = Instant::now();
        owner.kill()?;
        writer.write()?;
        let here = killed.elapsed();
        while killed.elapsed() < AFTER {
            writer.write()?;
        }
        owner.wait()?;
        let mut longest = writer.longest;
        for mut other in others {
            other.kill()?;
            other.wait()?;
            let mut told = String::new();
            if let Some(out) = &mut other.stdout {
                out.read_to_string(&mut told)?;
            }
            let gap = told.lines().last().and_then(|gap| gap.parse().ok());
            longest = longest.max(Duration::from_micros(gap.ok_or("a guest ended early")?));
        }
        let expected = (self.vectors + guests * BATCH) as u64;
        let count = writer.collection.count().run()?.count;
        if count != expected {
            return Err(format!("{count} points are there instead of {expected}").into());
        }
        drop((writer, database));
        std::fs::remove_dir_all(&path)?;
        Ok(Round { here, longest })
    }

    fn owner(&self, path: &Path) -> Result<std::process::Command> {
        let mut command = child::command("reopen-child", path)?;
        command.arg("--vectors").arg(self.vectors.to_string());
        command.arg("--dim").arg(self.dim.to_string());
        Ok(command)
    }

    fn guest(&self, path: &Path, first: usize) -> Result<std::process::Command> {
        let mut command = child::command("failover-child", path)?;
        command.arg("--dim").arg(self.dim.to_string());
        command.arg("--first").arg(first.to_string());
        Ok(command)
    }
}

/// Starts a process and waits until it is ready.
fn start(mut command: std::process::Command) -> Result<Process> {
    let mut child = command.spawn()?;
    let mut line = Vec::new();
    if let Some(out) = &mut child.stdout {
        // No byte more than the line: what follows is read later.
        BufReader::with_capacity(1, out).read_until(b'\n', &mut line)?;
    }
    match line.starts_with(READY.as_bytes()) {
        true => Ok(child),
        false => Err("a process ended early".into()),
    }
}

impl Child {
    pub(crate) fn run(&self) -> Result<()> {
        let database = store::open(&self.store, Engine::default())?;
        let mut writer = Writer::new(store::collection(&database)?, self.dim, self.first)?;
        writer.write()?;
        child::tell(READY)?;
        loop {
            if writer.write()? {
                child::tell(&writer.longest.as_micros().to_string())?;
            }
        }
    }
}

/// Writes the same points again and again, and tells how long it had to wait.
struct Writer {
    collection: Collection,
    columns: Columns,
    pool: Pool,
    acknowledged: Instant,
    longest: Duration,
}

impl Writer {
    fn new(collection: Collection, dimension: usize, first: usize) -> Result<Self> {
        Ok(Writer {
            collection,
            columns: Columns::new(Points::default(), first, BATCH)?,
            pool: Pool::new(BATCH, dimension, FILL_BATCH),
            acknowledged: Instant::now(),
            longest: GAP_MIN,
        })
    }

    /// Writes, and gives whether that took longer than ever.
    fn write(&mut self) -> Result<bool> {
        let batch = self.columns.batch(self.pool.slice(0, BATCH));
        self.collection
            .upsert(batch)
            .durability(Durability::Sync)
            .run()?;
        let gap = self.acknowledged.elapsed();
        self.acknowledged = Instant::now();
        let is_longest = gap > self.longest;
        self.longest = self.longest.max(gap);
        Ok(is_longest)
    }
}
