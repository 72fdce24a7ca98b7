//! `writers`: what concurrent writers gain by sharing a sync.

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use clap::Args;
use nearfield::{Collection, Durability, Metric};
use serde::Serialize;
use serde_json::Value;

use crate::Result;
use crate::clock::{micros, process_cpu};
use crate::limit::{Files, record_bytes, write_all};
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::statistics::percentile;
use crate::store::{self, Engine};
use crate::verify::verify;
use crate::wait::wait_encoded;
use crate::workload::{Columns, Points, Pool};

/// Small durable batches by one writer and by several, who share syncs
#[derive(Args, Debug, Serialize)]
pub(crate) struct Writers {
    /// Numbers of concurrent writers
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    writers: Vec<usize>,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[arg(long, default_value_t = 10)]
    batch: usize,
    /// Seconds per leg
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl Writers {
    pub(crate) fn run(&self) -> Result<Report> {
        let durability = Durability::Sync;
        let mut crowds = vec![Crowd {
            name: "limit, 1 writer".to_owned(),
            writers: 0,
            batch: self.batch,
            durability,
        }];
        for writers in self.writers.iter().copied().filter(|writers| *writers > 0) {
            crowds.push(Crowd {
                name: format!(
                    "store, {writers} writer{}",
                    if writers == 1 { "" } else { "s" }
                ),
                writers,
                batch: self.batch,
                durability,
            });
        }
        compare(
            "writers",
            serde_json::to_value(self)?,
            self.path.as_deref(),
            &crowds,
            self.dim,
            self.seconds,
            self.rounds,
        )
    }
}

/// Writers of one leg; 0 of them stand for bare writes.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) name: String,
    pub(super) writers: usize,
    pub(super) batch: usize,
    pub(super) durability: Durability,
}

/// Calls that are prepared per second of a leg; a leg ends early when they are used up.
const CALLS_PER_SECOND: f64 = 400_000.0;
const LIMIT_CALLS_PER_SECOND: f64 = 8_000.0;

struct Leg {
    seconds: f64,
    vectors: usize,
    cpu: Duration,
    latencies_us: Vec<f64>,
}

/// Runs the legs of all crowds in turn, round after round. Each crowd is compared with the
/// first of its durability.
pub(super) fn compare(
    command: &'static str,
    workload: Value,
    path: Option<&Path>,
    crowds: &[Crowd],
    dimension: usize,
    seconds: f64,
    rounds: usize,
) -> Result<Report> {
    if !(0.01..=600.0).contains(&seconds) || rounds == 0 || dimension == 0 {
        return Err("give at least one round and dimension, and 0.01 to 600 seconds".into());
    }
    let place = Place::make(path)?;
    let mut report = Report::new(command, Machine::describe(place.path()), workload);
    let batch = crowds.iter().map(|crowd| crowd.batch).max().unwrap_or(1);
    let pool = Pool::new(100_000, dimension, batch);
    let mut legs: Vec<Vec<Leg>> = crowds.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for turn in 0..crowds.len() {
            let number = (turn + round) % crowds.len();
            legs[number].push(run(&place, &pool, &crowds[number], seconds)?);
        }
    }
    let columns = [
        "leg",
        "vectors/s",
        "to the first of its durability",
        "CPU us/vector",
        "p50 us/call",
        "p99 us/call",
        "max us/call",
    ];
    let mut table = Table::new("speed", &columns);
    for (crowd, its) in crowds.iter().zip(&legs) {
        let first = crowds
            .iter()
            .position(|other| other.durability == crowd.durability)
            .unwrap_or(0);
        let rate = |leg: &Leg| leg.vectors as f64 / leg.seconds;
        let ratios = its.iter().zip(&legs[first]).map(|(a, b)| rate(a) / rate(b));
        let over = |value: &dyn Fn(&Leg) -> f64| Cell::spread(its.iter().map(value));
        table.row(vec![
            crowd.name.clone().into(),
            over(&rate),
            Cell::spread(ratios),
            over(&|leg| micros(leg.cpu) / leg.vectors.max(1) as f64),
            over(&|leg| percentile(&leg.latencies_us, 0.5)),
            over(&|leg| percentile(&leg.latencies_us, 0.99)),
            over(&|leg| percentile(&leg.latencies_us, 1.0)),
        ]);
    }
    report.push(table);
    report
        .note("each store was reopened: the count and searches were checked, and a sample bit for bit where one writer wrote");
    Ok(report)
}

fn run(place: &Place, pool: &Pool, crowd: &Crowd, seconds: f64) -> Result<Leg> {
    let path = place.fresh("leg")?;
    let leg = if crowd.writers == 0 {
        limit(place, &path, pool, crowd, seconds)
    } else {
        crowded(&path, pool, crowd, seconds)
    };
    std::fs::remove_dir_all(&path)?;
    place.settle()?;
    leg
}

fn limit(place: &Place, path: &Path, pool: &Pool, crowd: &Crowd, seconds: f64) -> Result<Leg> {
    let calls = match crowd.durability {
        Durability::Sync => LIMIT_CALLS_PER_SECOND,
        Durability::Os => CALLS_PER_SECOND,
    };
    let records = (calls * seconds) as usize;
    let bytes = record_bytes(crowd.batch, pool.dimension);
    let files = Files::prepare(place, path, records, bytes, crowd.durability)?;
    let cpu = process_cpu();
    let until = Duration::from_secs_f64(seconds);
    let ends = write_all(&files, pool, records, crowd.batch, crowd.durability, until)?;
    let starts = std::iter::once(Duration::ZERO).chain(ends.iter().copied());
    Ok(Leg {
        seconds: ends.last().map_or(0.0, Duration::as_secs_f64),
        vectors: ends.len() * crowd.batch,
        cpu: process_cpu() - cpu,
        latencies_us: starts.zip(&ends).map(|(a, b)| micros(*b - a)).collect(),
    })
}

fn crowded(path: &Path, pool: &Pool, crowd: &Crowd, seconds: f64) -> Result<Leg> {
    let (database, collection) =
        store::create(path, Engine::default(), pool.dimension, Metric::Euclidean)?;
    let barrier = Barrier::new(crowd.writers + 1);
    let until = Duration::from_secs_f64(seconds);
    let (start, cpu, latencies) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..crowd.writers)
            .map(|writer| {
                let (collection, barrier) = (collection.clone(), &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    write(&collection, pool, crowd, writer, until)
                })
            })
            .collect();
        let cpu = process_cpu();
        barrier.wait();
        let start = Instant::now();
        let latencies: Vec<Result<Vec<f64>>> = threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err("a writer panicked".into()))
            })
            .collect();
        (start, cpu, latencies)
    });
    let seconds = start.elapsed().as_secs_f64();
    wait_encoded(&collection)?;
    let cpu = process_cpu() - cpu;
    let latencies = latencies.into_iter().collect::<Result<Vec<_>>>()?;
    let vectors = latencies.iter().map(|each| each.len() * crowd.batch).sum();
    drop((collection, database));
    // Writers take turns in numbering, so that the ids have no gaps only if all wrote as much.
    if crowd.writers == 1 {
        let database = store::open(path, Engine::default())?;
        verify(
            &store::collection(&database)?,
            pool,
            Points::default(),
            vectors,
        )?;
    } else {
        let database = store::open(path, Engine::default())?;
        let count = store::collection(&database)?.count().run()?.count;
        if count != vectors as u64 {
            return Err(
                format!("{count} points are there after {vectors} were acknowledged").into(),
            );
        }
    }
    Ok(Leg {
        seconds,
        vectors,
        cpu,
        latencies_us: latencies.into_iter().flatten().collect(),
    })
}

/// Writes one batch after the other for a while; gives what each call took.
fn write(
    collection: &Collection,
    pool: &Pool,
    crowd: &Crowd,
    writer: usize,
    until: Duration,
) -> Result<Vec<f64>> {
    let start = Instant::now();
    let mut latencies = Vec::new();
    let mut number = writer;
    while start.elapsed() < until {
        let columns = Columns::new(Points::default(), number * crowd.batch, crowd.batch)?;
        let batch = columns.batch(pool.slice(columns.first, columns.count));
        let call = Instant::now();
        collection
            .upsert(batch)
            .durability(crowd.durability)
            .run()?;
        latencies.push(micros(call.elapsed()));
        number += crowd.writers;
    }
    Ok(latencies)
}
