//! `tail`: searches of rows that no index covers, next to a bare scan of their codes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nearfield::{Collection, Filter};
use serde::Serialize;

mod scan;

use crate::Result;
use crate::data::Shape;
use crate::ground::{Ground, rows_of};
use crate::load::load;
use crate::machine::Machine;
use crate::matching::{Matching, SHARES};
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::searches::{Ask, together};
use crate::set::{Files, Set};
use crate::statistics::{mean, percentile};
use crate::store::{self, Engine};
use scan::BareScan;

const RECALLS: [f64; 3] = [0.95, 0.99, 1.0];

/// Searches of rows that no index covers, next to a bare scan of their codes
#[derive(Args, Debug, Serialize)]
pub(crate) struct Tail {
    /// Numbers of rows
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000])]
    rows: Vec<usize>,
    /// Dimension of generated vectors
    #[arg(long, default_value_t = 128)]
    dim: usize,
    /// Generated query vectors
    #[arg(long, default_value_t = 500)]
    queries: usize,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[command(flatten)]
    files: Files,
    /// Row numbers (int32) of the true nearest for all rows of the file; else they are computed
    #[arg(long, requires = "data")]
    #[serde(skip)]
    truth: Option<PathBuf>,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
    /// One search per call is all: for profiles
    #[arg(long)]
    only_single: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Tail {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.rows.contains(&0) || self.queries == 0 || self.rounds == 0 || self.dim == 0 {
            return Err("give at least one row, query, round and dimension".into());
        }
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "tail",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        for rows in self.rows.iter().copied() {
            let set = match &self.files.data {
                Some(base) => Set::read(base, self.files.query_file.as_deref(), Some(rows))?,
                None => Set::generated(&self.shape, self.dim, rows, rows, self.queries),
            };
            set.check_queries()?;
            let ground = match &self.truth {
                Some(path) => Ground::read(&set, path)?,
                None => Ground::of(&set, |_| true),
            };
            self.measure(&place, &set, &ground, &mut report)?;
        }
        Ok(report)
    }

    fn measure(
        &self,
        place: &Place,
        set: &Set,
        ground: &Ground,
        report: &mut Report,
    ) -> Result<()> {
        let path = place.fresh("store")?;
        let rows = set.base.len();
        let fields = SHARES.map(|share| Matching::independent(&share, rows));
        drop(load(&path, engine(1), set, rows, &fields.each_ref())?);
        let title = set.size();
        let filters: Vec<(String, Filter, Ground)> = SHARES
            .iter()
            .zip(&fields)
            .map(|(share, field)| {
                let within = Ground::of(set, |row| field.holds(row));
                (format!("{} match", share.label), field.filter(), within)
            })
            .collect();
        let mut legs = Vec::new();
        for recall in RECALLS {
            legs.push(Leg::new("all".to_owned(), None, recall, ground));
        }
        if !self.only_single {
            for (label, filter, within) in &filters {
                for recall in RECALLS {
                    legs.push(Leg::new(label.clone(), Some(filter), recall, within));
                }
            }
        }

        let database = store::open(&path, engine(1))?;
        let collection = store::collection(&database)?;
        let bare = BareScan::new(set);
        let mut scans = Vec::new();
        for round in 0..=self.rounds {
            let scan = bare.round(set);
            for leg in &mut legs {
                let times = leg.round(&collection, set)?;
                // The first round warms up.
                if round > 0 {
                    leg.over_scan.push(mean(&times) / scan);
                    leg.rounds.push(times);
                }
            }
            scans.extend((round > 0).then_some(scan));
        }
        let columns = [
            "rows searched",
            "recall asked",
            "recall@10",
            "mean us",
            "p50 us",
            "p99 us",
            "p50 us of each query's best",
            "to the bare scan",
        ];
        let mut table = Table::new(format!("{title}, one query per call, 1 thread"), &columns);
        let nothing = || Cell::Nothing;
        table.row(vec![
            "bare scan of all codes".into(),
            nothing(),
            nothing(),
            Cell::spread(scans),
            nothing(),
            nothing(),
            nothing(),
            nothing(),
        ]);
        for leg in &legs {
            table.row(leg.row());
        }
        report.push(table);
        drop((collection, database));
        if !self.only_single {
            report.push(self.together(&path, set, &title)?);
        }
        std::fs::remove_dir_all(&path)?;
        Ok(())
    }

    /// All queries in one call, by one thread and by all.
    fn together(&self, path: &std::path::Path, set: &Set, title: &str) -> Result<Table> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut rates: Vec<(usize, f64, Vec<f64>)> = Vec::new();
        for round in 0..=self.rounds {
            for threads in [1, cores] {
                let database = store::open(path, engine(threads))?;
                let collection = store::collection(&database)?;
                // The store was opened just now: the first call is not counted.
                search_all(&collection, set, 0.95)?;
                for recall in RECALLS {
                    let rate = search_all(&collection, set, recall)?;
                    if round == 0 {
                        rates.push((threads, recall, Vec::new()));
                    } else if let Some((.., its)) = rates
                        .iter_mut()
                        .find(|(t, r, _)| (*t, *r) == (threads, recall))
                    {
                        its.push(rate);
                    }
                }
            }
        }
        let columns = ["threads", "recall asked", "queries/s"];
        let queries = set.queries.rows();
        let mut table = Table::new(format!("{title}, {queries} queries per call"), &columns);
        for (threads, recall, its) in rates {
            table.row(vec![
                threads.to_string().into(),
                recall.into(),
                Cell::spread(its),
            ]);
        }
        Ok(table)
    }
}

/// One that keeps all rows in the tail.
fn engine(search_threads: usize) -> Engine {
    Engine {
        search_threads: Some(search_threads),
        no_index: true,
        ..Engine::default()
    }
}

/// All queries in one call; gives queries/s.
fn search_all(collection: &Collection, set: &Set, recall: f64) -> Result<f64> {
    let ask = Ask::new(recall, None);
    Ok(together(collection, &set.queries, ask, Duration::ZERO)?.rate())
}

/// Searches of one kind.
struct Leg<'a> {
    label: String,
    filter: Option<&'a Filter>,
    recall: f64,
    ground: &'a Ground,
    found: f64,
    /// What each query took, by round.
    rounds: Vec<Vec<f64>>,
    over_scan: Vec<f64>,
}

impl<'a> Leg<'a> {
    fn new(label: String, filter: Option<&'a Filter>, recall: f64, ground: &'a Ground) -> Self {
        Leg {
            label,
            filter,
            recall,
            ground,
            found: 0.0,
            rounds: Vec::new(),
            over_scan: Vec::new(),
        }
    }

    /// All queries, one per call: what each took, in microseconds.
    fn round(&mut self, collection: &Collection, set: &Set) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(set.queries.rows());
        let mut found = 0.0;
        let ask = Ask::new(self.recall, self.filter);
        for number in 0..set.queries.rows() {
            let (time, hits) = ask.one(collection, set.queries.row(number))?;
            times.push(time);
            found += self.ground.share_found(set, number, &rows_of(&hits));
        }
        self.found = found / set.queries.rows() as f64;
        Ok(times)
    }

    fn row(&self) -> Vec<Cell> {
        let over = |value: &dyn Fn(&[f64]) -> f64| {
            Cell::spread(self.rounds.iter().map(|times| value(times)))
        };
        let queries = self.rounds.first().map_or(0, Vec::len);
        let best: Vec<f64> = (0..queries)
            .map(|query| {
                let times = self.rounds.iter().map(|times| times[query]);
                times.fold(f64::INFINITY, f64::min)
            })
            .collect();
        vec![
            self.label.clone().into(),
            self.recall.into(),
            self.found.into(),
            over(&mean),
            over(&|times| percentile(times, 0.5)),
            over(&|times| percentile(times, 0.99)),
            percentile(&best, 0.5).into(),
            Cell::spread(self.over_scan.iter().copied()),
        ]
    }
}
