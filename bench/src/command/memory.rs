//! `memory`: peak anonymous memory per vector, each case in a process of its own.

use std::path::{Path, PathBuf};

use clap::Args;
use nearfield::{Durability, Metric};
use serde::{Deserialize, Serialize};

use super::child;
use crate::Result;
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::resident::{Watch, anonymous_bytes, high_water_bytes};
use crate::store;
use crate::workload::{Columns, Points, Pool};

/// Peak memory per vector
#[derive(Args, Debug, Serialize)]
pub(crate) struct Memory {
    #[arg(long, default_value_t = 1_000_000)]
    vectors: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
}

const BATCH: usize = 1_000;
/// Few rows, so that the pool is small beside what is measured.
const POOL_ROWS: usize = 10_000;

const CASES: [(&str, Points); 3] = [
    (
        "number ids",
        Points {
            string_ids: false,
            metadata: false,
        },
    ),
    (
        "string ids",
        Points {
            string_ids: true,
            metadata: false,
        },
    ),
    (
        "number ids, three fields",
        Points {
            string_ids: false,
            metadata: true,
        },
    ),
];

/// One case, in a process that does nothing else.
#[derive(Args, Debug)]
pub(crate) struct Child {
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    vectors: usize,
    #[arg(long)]
    dim: usize,
    /// Open the store that is there instead of filling a new one.
    #[arg(long)]
    reopen: bool,
    #[command(flatten)]
    points: Points,
}

/// Bytes above those before the store was opened.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Bytes {
    /// While vectors came in or the store was opened.
    peak: u64,
    /// At rest afterwards.
    rest: u64,
    /// While it was closed, with a last checkpoint.
    closing: u64,
    /// What the store itself says.
    told: u64,
    /// High-water mark of the process, the pool and mapped files included.
    high_water: u64,
}

impl Memory {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.vectors == 0 || self.dim == 0 || self.rounds == 0 {
            return Err("give at least one vector, dimension and round".into());
        }
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "memory",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let columns = [
            "case",
            "ingest peak",
            "at rest",
            "closing peak",
            "opening peak",
            "opened, at rest",
            "the store says",
            "VmHWM of ingest",
        ];
        let mut table = Table::new("bytes of anonymous memory per vector", &columns);
        let mut rounds: Vec<Vec<(Bytes, Bytes)>> = CASES.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for ((_, points), its) in CASES.iter().zip(&mut rounds) {
                let path = place.fresh("store")?;
                its.push((
                    self.case(&path, *points, false)?,
                    self.case(&path, *points, true)?,
                ));
            }
        }
        for ((name, _), its) in CASES.iter().zip(&rounds) {
            let over = |of: fn(&(Bytes, Bytes)) -> u64| {
                Cell::spread(its.iter().map(|both| of(both) as f64 / self.vectors as f64))
            };
            table.row(vec![
                (*name).into(),
                over(|(filled, _)| filled.peak),
                over(|(filled, _)| filled.rest),
                over(|(filled, _)| filled.closing),
                over(|(_, opened)| opened.peak),
                over(|(_, opened)| opened.rest),
                over(|(filled, _)| filled.told),
                over(|(filled, _)| filled.high_water),
            ]);
        }
        report.push(table);
        report.note(
            "RssAnon, looked at every millisecond, less what it was before the store was opened",
        );
        report.note("VmHWM counts the pool of vectors and the pages of the mapped log too");
        Ok(report)
    }

    fn case(&self, path: &Path, points: Points, reopen: bool) -> Result<Bytes> {
        let mut command = child::command("memory-child", path)?;
        command.arg("--vectors").arg(self.vectors.to_string());
        command.arg("--dim").arg(self.dim.to_string());
        command.args(points.string_ids.then_some("--string-ids"));
        command.args(points.metadata.then_some("--metadata"));
        command.args(reopen.then_some("--reopen"));
        let output = command.output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

impl Child {
    pub(crate) fn run(&self) -> Result<()> {
        let pool = Pool::new(self.vectors.min(POOL_ROWS), self.dim, BATCH);
        let watch = Watch::start();
        let before = anonymous_bytes();
        let above = |bytes: u64| bytes.saturating_sub(before);
        watch.take_peak();
        let (database, collection) = if self.reopen {
            let database = store::open(&self.store, None)?;
            let collection = store::collection(&database)?;
            (database, collection)
        } else {
            store::create(&self.store, self.dim, Metric::Euclidean)?
        };
        for first in (0..if self.reopen { 0 } else { self.vectors }).step_by(BATCH) {
            let count = BATCH.min(self.vectors - first);
            let columns = Columns::new(self.points, first, count)?;
            let batch = columns.batch(pool.slice(columns.first, columns.count));
            collection.upsert(batch).durability(Durability::Os).run()?;
        }
        store::wait_encoded(&collection)?;
        let count = collection.count().run()?.count;
        if count != self.vectors as u64 {
            return Err(format!("{count} points are there, not {}", self.vectors).into());
        }
        let peak = above(watch.take_peak());
        let rest = above(anonymous_bytes());
        let told = collection.describe()?.memory_bytes;
        drop((collection, database));
        let bytes = Bytes {
            peak,
            rest,
            closing: above(watch.take_peak()),
            told,
            high_water: high_water_bytes(),
        };
        child::tell(&serde_json::to_string(&bytes)?)
    }
}
