//! `timing`: what the clocks of a request's stages and `Server-Timing` cost, beside a batch.

use std::hint::black_box;
use std::time::Duration;

use clap::Args;
use nearfield::{Durability, Metric};
use nearfield_http::server::Metrics;
use nearfield_model::{Observation, Observer, Stage, StageClock, server_timing};
use serde::Serialize;

use crate::Result;
use crate::clock::{micros, timed};
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::store::{self, Engine};
use crate::workload::{Columns, Points, Pool};

/// Requests per round whose clocks run.
const REQUESTS: usize = 100_000;
/// Batches per round.
const BATCHES: usize = 150;
/// The stages that a server times in each request.
const STAGES: [Stage; 5] = [
    Stage::Send,
    Stage::Decode,
    Stage::Queue,
    Stage::Engine,
    Stage::Encode,
];

/// What the clocks of stages and Server-Timing cost, beside a batch
#[derive(Args, Debug, Serialize)]
pub(crate) struct Timing {
    #[arg(long, default_value_t = 100)]
    batch: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<std::path::PathBuf>,
}

/// Microseconds per request, or per batch, in one round.
struct Round {
    clocks: f64,
    text: f64,
    metrics: f64,
    batch: f64,
}

impl Round {
    fn cost(&self) -> f64 {
        self.clocks + self.text + self.metrics
    }
}

impl Timing {
    pub(crate) fn run(&self) -> Result<Report> {
        if [self.batch, self.dim, self.rounds].contains(&0) {
            return Err("give at least one row, component and round".into());
        }
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "timing",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let pool = Pool::new(self.batch * BATCHES, self.dim, self.batch);
        let metrics = Metrics::default();
        let rounds = (0..self.rounds)
            .map(|number| {
                let batch = self.batch_of(&place, &pool, number)?;
                Ok(Round {
                    clocks: per_request(|| _ = black_box(timed_request())),
                    text: text(),
                    metrics: told(&metrics),
                    batch,
                })
            })
            .collect::<Result<Vec<Round>>>()?;
        report.push(self.table(&rounds));
        report.note("the batch is stored by the embedded door, `os`, so the share through a door that has a wire is smaller");
        Ok(report)
    }

    /// Stores batches in a fresh store; microseconds for each.
    fn batch_of(&self, place: &Place, pool: &Pool, number: usize) -> Result<f64> {
        let path = place.fresh(&format!("timing-{number}"))?;
        let database = store::open(&path, Engine::default())?;
        let collection = database.create_collection("timed", self.dim, Metric::Euclidean)?;
        let columns = Columns::all(Points::default(), self.batch * BATCHES, self.batch)?;
        let (stored, time) =
            timed(|| store::upsert_all(&collection, &columns, pool, Durability::Os));
        stored?;
        Ok(micros(time) / BATCHES as f64)
    }

    fn table(&self, rounds: &[Round]) -> Table {
        let columns = [
            "clocks us/request",
            "Server-Timing us/request",
            "metrics us/request",
            "together us/request",
            "batch us",
            "share of the batch",
        ];
        let title = format!("timing of a request beside a batch of {}", self.batch);
        let mut table = Table::new(title, &columns);
        let over = |value: fn(&Round) -> f64| Cell::spread(rounds.iter().map(value));
        table.row(vec![
            over(|round| round.clocks),
            over(|round| round.text),
            over(|round| round.metrics),
            over(Round::cost),
            over(|round| round.batch),
            over(|round| round.cost() / round.batch),
        ]);
        table
    }
}

/// The clocks of one request: each of its stages, and its whole.
fn timed_request() -> (StageClock, Duration) {
    let (clock, total) = timed(|| {
        let clock = StageClock::default();
        for stage in STAGES {
            clock.time(stage, || black_box(()));
        }
        clock
    });
    (clock, total)
}

fn per_request(mut request: impl FnMut()) -> f64 {
    let ((), time) = timed(|| (0..REQUESTS).for_each(|_| request()));
    micros(time) / REQUESTS as f64
}

/// A clock as a search leaves it behind.
fn spent() -> StageClock {
    let clock = StageClock::default();
    for (stage, us) in STAGES.into_iter().zip([3, 12, 1, 123, 7]) {
        clock.add(stage, Duration::from_micros(us));
    }
    clock
}

fn text() -> f64 {
    let clock = spent();
    per_request(|| drop(black_box(server_timing(black_box(&clock), &STAGES))))
}

fn told(metrics: &Metrics) -> f64 {
    let clock = spent();
    per_request(|| {
        metrics.observe(black_box(&Observation {
            door: "http",
            verb: Some("upsert"),
            error: None,
            total: Duration::from_micros(150),
            stages: &clock,
            traceparent: None,
        }));
    })
}
