//! `queries`: recall against queries per second, once the index covers the rows.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::Result;
use crate::ground::Ground;
use crate::load::load;
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::searches::{Ask, missed, missed_note, one_by_one, together};
use crate::set::Source;
use crate::statistics::percentile;
use crate::store::Engine;
use crate::verify::{ROWS_CHECKED, verify_rows};
use crate::wait::{Patience, wait_settled};
use crate::workload::Points;

/// Recall against queries per second
#[derive(Args, Debug, Serialize)]
pub(crate) struct Queries {
    #[command(flatten)]
    source: Source,
    /// Row numbers (int32) of the true nearest of all rows; else they are computed
    #[arg(long, requires = "data", conflicts_with = "truth_cache")]
    #[serde(skip)]
    truth: Option<PathBuf>,
    /// Read the true nearest from this .npy file, or compute them and write it
    #[arg(long)]
    #[serde(skip)]
    truth_cache: Option<PathBuf>,
    /// Recalls to ask for
    #[arg(long, value_delimiter = ',', default_values_t = [0.9, 0.95, 0.99, 1.0])]
    recalls: Vec<f64>,
    /// Threads of the legs that have several; as many as cores unless said otherwise
    #[arg(long)]
    threads: Option<usize>,
    /// Seconds per leg
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    patience: Patience,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
}

/// How queries are asked.
#[derive(Clone, Copy)]
enum Way {
    Single { threads: usize },
    Together,
}

/// One recall asked in one way.
struct Leg {
    recall: f64,
    way: Way,
    rounds: Vec<Figures>,
}

struct Figures {
    rate: f64,
    cpu_us: f64,
    recall: f64,
    latencies_us: Vec<f64>,
}

impl Queries {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.recalls.is_empty() || self.rounds == 0 || self.threads == Some(0) {
            return Err("give at least one recall, round and thread".into());
        }
        let time = Duration::try_from_secs_f64(self.seconds)?;
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "queries",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let set = self.source.set(1, usize::MAX)?;
        set.check_queries()?;
        let ground = match (&self.truth, &self.truth_cache) {
            (Some(path), _) => Ground::read(&set, path)?,
            (_, Some(path)) => Ground::cached(&set, path)?,
            _ => Ground::of(&set, |_| true),
        };
        let (database, collection) = load(
            &place.fresh("store")?,
            self.engine,
            &set,
            set.base.len(),
            &[],
        )?;
        let indexed = wait_settled(&collection, self.patience)?;
        verify_rows(&collection, Points::default(), &set)?;

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or(cores);
        let mut ways = vec![Way::Single { threads: 1 }];
        ways.extend((threads > 1).then_some(Way::Single { threads }));
        ways.push(Way::Together);
        let mut legs: Vec<Leg> = self
            .recalls
            .iter()
            .flat_map(|recall| {
                ways.iter().map(|way| Leg {
                    recall: *recall,
                    way: *way,
                    rounds: Vec::new(),
                })
            })
            .collect();
        for round in 0..=self.rounds {
            for leg in &mut legs {
                let ask = Ask::new(leg.recall, None);
                // The first round warms up.
                let time = if round == 0 { time / 4 } else { time };
                let answers = match leg.way {
                    Way::Single { threads } => {
                        one_by_one(&collection, &set.queries, ask, threads, time)?
                    }
                    Way::Together => together(&collection, &set.queries, ask, time)?,
                };
                if round > 0 {
                    leg.rounds.push(Figures {
                        rate: answers.rate(),
                        cpu_us: answers.cpu_us(),
                        recall: answers.recall(&set, &ground),
                        latencies_us: answers.latencies_us,
                    });
                }
            }
        }
        let title = format!("{}, {} queries", set.size(), set.queries.rows());
        report.push(table(title, &legs));
        report.note(indexed.to_string());
        report.note(missed_note(legs.iter().map(Leg::missed)));
        report.note(ROWS_CHECKED);
        drop((collection, database));
        Ok(report)
    }
}

fn table(title: String, legs: &[Leg]) -> Table {
    let columns = [
        "recall asked",
        "queries",
        "queries/s",
        "CPU us/query",
        "recall@10",
        "asked minus got",
        "p50 us",
        "p99 us",
        "missed",
    ];
    let mut table = Table::new(title, &columns);
    for leg in legs {
        let over = |of: &dyn Fn(&Figures) -> f64| Cell::spread(leg.rounds.iter().map(of));
        let latency = |share: f64| match leg.way {
            Way::Single { .. } => over(&|round| percentile(&round.latencies_us, share)),
            Way::Together => Cell::Nothing,
        };
        table.row(vec![
            leg.recall.into(),
            match leg.way {
                Way::Single { threads: 1 } => "one per call, 1 thread".into(),
                Way::Single { threads } => format!("one per call, {threads} threads").into(),
                Way::Together => "all in one call".into(),
            },
            over(&|round| round.rate),
            over(&|round| round.cpu_us),
            over(&|round| round.recall),
            over(&|round| leg.recall - round.recall),
            latency(0.5),
            latency(0.99),
            leg.missed().into(),
        ]);
    }
    table
}

impl Leg {
    fn missed(&self) -> &'static str {
        missed(self.recall, self.rounds.iter().map(|round| round.recall))
    }
}
