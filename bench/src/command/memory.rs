//! `memory`: peak anonymous memory per vector, each case in a process of its own.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use nearfield::{Collection, Durability, Metric};
use serde::{Deserialize, Serialize};

use super::child;
use crate::Result;
use crate::data::{Generator, Shape, Stream};
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::resident::{Watch, anonymous_bytes, high_water_bytes};
use crate::store::{self, Engine};
use crate::verify::check_count;
use crate::wait::{Indexed, Patience, wait_encoded, wait_settled};
use crate::workload::{Columns, Points};

/// Peak memory per vector
#[derive(Args, Debug, Serialize)]
pub(crate) struct Memory {
    #[arg(long, default_value_t = 1_000_000)]
    vectors: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    shape: Shape,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
}

const BATCH: usize = 1_000;
/// Vectors that are generated before they are written to the file.
const CHUNK_ROWS: usize = 10_000;
/// How long a store is left alone before it is at rest.
const REST: Duration = Duration::from_secs(2);

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
    /// The file of the vectors, `f32`.
    #[arg(long)]
    file: PathBuf,
    #[arg(long)]
    vectors: usize,
    #[arg(long)]
    dim: usize,
    /// Open the store that is there instead of filling a new one.
    #[arg(long)]
    reopen: bool,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    points: Points,
}

/// Bytes above those before the store was opened.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Bytes {
    /// While vectors came in or the store was opened.
    peak: u64,
    /// From then on until the index was settled.
    indexing: u64,
    /// At rest afterwards.
    rest: u64,
    /// While it was closed, with a last checkpoint.
    closing: u64,
    /// What the store itself says.
    told: u64,
    /// High-water mark of the process, mapped files included.
    high_water: u64,
    indexed: Indexed,
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
        let file = place.path().join("vectors");
        self.write_vectors(&file)?;
        let columns = [
            "case",
            "ingest peak",
            "peak until settled",
            "at rest",
            "closing peak",
            "opening peak",
            "then until settled",
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
                    self.case(&path, &file, *points, false)?,
                    self.case(&path, &file, *points, true)?,
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
                over(|(filled, _)| filled.peak.max(filled.indexing)),
                over(|(filled, _)| filled.rest),
                over(|(filled, _)| filled.closing),
                over(|(_, opened)| opened.peak),
                over(|(_, opened)| opened.indexing),
                over(|(_, opened)| opened.rest),
                over(|(filled, _)| filled.told),
                over(|(filled, _)| filled.high_water),
            ]);
        }
        report.push(table);
        report.note(
            "RssAnon, looked at every millisecond, less what it was before the store was opened",
        );
        report.note("at rest: 2 s after the index is settled");
        report.note("VmHWM counts the pages of the mapped log too");
        // The worst of the cases speaks for all.
        let stores = rounds.iter().flatten().flat_map(|(a, b)| [a, b]);
        let worst = stores.max_by_key(|its| (its.indexed.is_late(), its.indexed.unindexed));
        if let Some(bytes) = worst {
            report.note(bytes.indexed.to_string());
        }
        Ok(report)
    }

    /// Generates the vectors into a file, so that the processes that read them need no memory
    /// for them.
    fn write_vectors(&self, path: &Path) -> Result<()> {
        let generator = Generator::new(&self.shape, self.dim);
        let mut file = BufWriter::new(File::create(path)?);
        for first in (0..self.vectors).step_by(CHUNK_ROWS) {
            let count = CHUNK_ROWS.min(self.vectors - first);
            let values = generator.rows(Stream::Base, first as u64, count);
            file.write_all(bytemuck::cast_slice(&values))?;
        }
        Ok(file.flush()?)
    }

    fn case(&self, path: &Path, file: &Path, points: Points, reopen: bool) -> Result<Bytes> {
        let mut command = child::command("memory-child", path)?;
        command.arg("--file").arg(file);
        command.args(self.patience.arguments());
        command.args(self.engine.lean.then_some("--lean"));
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
        let file = File::open(&self.file)?;
        // Not zeros, which the system would hand out as they are first written.
        let mut values = vec![1.0; BATCH * self.dim];
        let watch = Watch::start();
        let before = anonymous_bytes();
        let above = |bytes: u64| bytes.saturating_sub(before);
        watch.take_peak();
        let (database, collection) = if self.reopen {
            let database = store::open(&self.store, self.engine)?;
            let collection = store::collection(&database)?;
            (database, collection)
        } else {
            let (database, collection) =
                store::create(&self.store, self.engine, self.dim, Metric::Euclidean)?;
            self.fill(&collection, &file, &mut values)?;
            (database, collection)
        };
        wait_encoded(&collection)?;
        check_count(&collection, self.vectors)?;
        let peak = above(watch.take_peak());
        let indexed = wait_settled(&collection, self.patience)?;
        let indexing = above(watch.take_peak());
        std::thread::sleep(REST);
        let rest = above(anonymous_bytes());
        let told = collection.describe()?.memory_bytes;
        watch.take_peak();
        drop((collection, database));
        let bytes = Bytes {
            peak,
            indexing,
            rest,
            closing: above(watch.take_peak()),
            told,
            high_water: high_water_bytes(),
            indexed,
        };
        child::tell(&serde_json::to_string(&bytes)?)
    }

    /// Writes the vectors of a file; `values` has room for a batch.
    fn fill(&self, collection: &Collection, file: &File, values: &mut [f32]) -> Result<()> {
        for first in (0..self.vectors).step_by(BATCH) {
            let count = BATCH.min(self.vectors - first);
            let values = &mut values[..count * self.dim];
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
            file.read_exact_at(bytes, (first * self.dim * size_of::<f32>()) as u64)?;
            let columns = Columns::new(self.points, first, count)?;
            let batch = columns.batch(values);
            collection.upsert(batch).durability(Durability::Os).run()?;
        }
        Ok(())
    }
}
