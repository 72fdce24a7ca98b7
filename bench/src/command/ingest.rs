//! `ingest`: how fast vectors become durable and searchable, in large batches.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use nearfield::{Durability, Metric};
use serde::Serialize;

use crate::Result;
use crate::clock::{micros, millis, process_cpu, timed};
use crate::limit::{Files, record_bytes, write_all};
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::statistics::{fewest_in, percentile};
use crate::store::{self, Engine};
use crate::verify::verify;
use crate::wait::wait_encoded;
use crate::workload::{Columns, Durabilities, Points, Pool, name};

/// Vectors per second in large batches, next to bare writes of the same bytes
#[derive(Args, Debug, Serialize)]
pub(crate) struct Ingest {
    #[arg(long, default_value_t = 1_000_000)]
    vectors: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    /// Vectors per call
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    #[arg(long, value_enum, default_value = "both")]
    durability: Durabilities,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only the store, without the bare writes: for profiles
    #[arg(long)]
    no_limit: bool,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
    #[command(flatten)]
    points: Points,
}

/// What one leg took.
struct Leg {
    ends: Vec<Duration>,
    cpu: Duration,
    after: Option<After>,
}

/// What followed the last acknowledgement.
struct After {
    encoded: Duration,
    flush: Duration,
    close: Duration,
    reopen: Duration,
}

impl Ingest {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.vectors == 0 || self.batch == 0 || self.dim == 0 || self.rounds == 0 {
            return Err("give at least one vector, batch, dimension and round".into());
        }
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "ingest",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let pool = Pool::new(self.vectors, self.dim, self.batch);
        let columns = Columns::all(self.points, self.vectors, self.batch)?;
        let durabilities = self.durability.each();
        let mut legs: Vec<[Vec<Leg>; 2]> =
            durabilities.iter().map(|_| Default::default()).collect();
        for round in 0..self.rounds {
            for (durability, legs) in durabilities.iter().zip(&mut legs) {
                // Every other round the limit goes first.
                for turn in [round % 2, 1 - round % 2] {
                    if turn == 0 {
                        legs[0].push(self.store(&place, &pool, &columns, *durability)?);
                    } else if !self.no_limit {
                        legs[1].push(self.limit(&place, &pool, *durability)?);
                    }
                }
            }
        }
        let mut speed = Table::new(
            "speed",
            &[
                "leg",
                "vectors/s",
                "of the limit",
                "CPU us/vector",
                "p50 ms/batch",
                "p99 ms/batch",
                "max ms/batch",
                "slowest second, vectors/s",
            ],
        );
        let mut after = Table::new(
            "after the last batch",
            &["leg", "all encoded ms", "flush ms", "close ms", "reopen ms"],
        );
        for (durability, [store, limit]) in durabilities.iter().zip(&legs) {
            let ratios = store
                .iter()
                .zip(limit)
                .map(|(s, l)| self.rate(s) / self.rate(l));
            let name = name(*durability);
            self.speed_row(
                &mut speed,
                format!("{name} store"),
                store,
                Cell::spread(ratios),
            );
            if !limit.is_empty() {
                self.speed_row(&mut speed, format!("{name} limit"), limit, Cell::Nothing);
            }
            let of = |part: fn(&After) -> Duration| {
                Cell::spread(
                    store
                        .iter()
                        .flat_map(|leg| &leg.after)
                        .map(|a| millis(part(a))),
                )
            };
            after.row(vec![
                format!("{name} store").into(),
                of(|after| after.encoded),
                of(|after| after.flush),
                of(|after| after.close),
                of(|after| after.reopen),
            ]);
        }
        report.push(speed);
        report.push(after);
        report.note(
            "after reopening: the count, 1,001 points bit for bit and 20 searches were checked",
        );
        Ok(report)
    }

    /// One run of the store, from an empty folder to a verified one.
    fn store(
        &self,
        place: &Place,
        pool: &Pool,
        columns: &[Columns],
        durability: Durability,
    ) -> Result<Leg> {
        let path = place.fresh("store")?;
        let (database, collection) =
            store::create(&path, Engine::default(), self.dim, Metric::Euclidean)?;
        let cpu = process_cpu();
        let ends = store::upsert_all(&collection, columns, pool, durability)?;
        let (outcome, encoded) = timed(|| wait_encoded(&collection));
        outcome?;
        let cpu = process_cpu() - cpu;
        let (outcome, flush) = timed(|| collection.flush());
        outcome?;
        let ((), close) = timed(|| drop((collection, database)));
        let (outcome, reopen) = timed(|| store::open(&path, Engine::default()));
        verify(
            &store::collection(&outcome?)?,
            pool,
            self.points,
            self.vectors,
        )?;
        self.leave(place, "store")?;
        Ok(Leg {
            ends,
            cpu,
            after: Some(After {
                encoded,
                flush,
                close,
                reopen,
            }),
        })
    }

    /// One run of bare writes.
    fn limit(&self, place: &Place, pool: &Pool, durability: Durability) -> Result<Leg> {
        let path = place.fresh("limit")?;
        let records = self.vectors.div_ceil(self.batch);
        let bytes = record_bytes(self.batch, self.dim);
        let files = Files::prepare(place, &path, records, bytes, durability)?;
        let cpu = process_cpu();
        let ends = write_all(&files, pool, records, self.batch, durability, Duration::MAX)?;
        let cpu = process_cpu() - cpu;
        drop(files);
        self.leave(place, "limit")?;
        Ok(Leg {
            ends,
            cpu,
            after: None,
        })
    }

    /// Removes what a leg wrote, so that the next begins with a disk at rest.
    fn leave(&self, place: &Place, name: &str) -> Result<()> {
        let path: &Path = &place.path().join(name);
        std::fs::remove_dir_all(path)?;
        place.settle()
    }

    fn rate(&self, leg: &Leg) -> f64 {
        let seconds = leg.ends.last().map_or(f64::INFINITY, Duration::as_secs_f64);
        self.vectors as f64 / seconds
    }

    fn speed_row(&self, table: &mut Table, name: String, legs: &[Leg], ratio: Cell) {
        let over = |value: &dyn Fn(&Leg) -> f64| Cell::spread(legs.iter().map(value));
        let latency = |share: f64| {
            over(&|leg| {
                let starts = std::iter::once(Duration::ZERO).chain(leg.ends.iter().copied());
                let each = starts
                    .zip(&leg.ends)
                    .map(|(start, end)| millis(*end - start));
                percentile(&each.collect::<Vec<f64>>(), share)
            })
        };
        let slowest = legs
            .iter()
            .filter_map(|leg| fewest_in(&leg.ends, Duration::from_secs(1)));
        table.row(vec![
            name.into(),
            over(&|leg| self.rate(leg)),
            ratio,
            over(&|leg| micros(leg.cpu) / self.vectors as f64),
            latency(0.5),
            latency(0.99),
            latency(1.0),
            Cell::spread(slowest.map(|batches| (batches * self.batch) as f64)),
        ]);
    }
}
