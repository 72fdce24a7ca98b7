//! `tail`: searches of rows that no index covers, next to a bare scan of their codes.

use std::path::PathBuf;

use clap::Args;
use nearfield::{Collection, Filter};
use serde::Serialize;

mod ground;
mod scan;
mod setup;

use crate::Result;
use crate::clock::{micros, timed};
use crate::data::Shape;
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::statistics::{mean, percentile};
use crate::store;
use ground::Ground;
use scan::BareScan;
use setup::{SHARES, Set};

const LIMIT: usize = 10;
const RECALLS: [f32; 3] = [0.95, 0.99, 1.0];

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
    /// Take the first rows of a .npy file (float32 or uint8) instead of generated ones
    #[arg(long, requires = "query_file")]
    #[serde(skip)]
    data: Option<PathBuf>,
    /// Query vectors for them
    #[arg(long, requires = "data")]
    #[serde(skip)]
    query_file: Option<PathBuf>,
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
            let set = match (&self.data, &self.query_file) {
                (Some(base), Some(queries)) => Set::read(base, queries, rows)?,
                _ => Set::generated(&self.shape, self.dim, rows, self.queries),
            };
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
        setup::fill(&path, set)?;
        let title = format!("{} x {}", set.base.rows(), set.base.columns);
        let filters: Vec<(String, Filter, Ground)> = SHARES
            .iter()
            .map(|share| {
                let within = Ground::of(set, |row| share.holds(row));
                (format!("{} match", share.label), share.filter(), within)
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

        let database = store::open(&path, Some(1))?;
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
        let mut rates: Vec<(usize, f32, Vec<f64>)> = Vec::new();
        for round in 0..=self.rounds {
            for threads in [1, cores] {
                let database = store::open(path, Some(threads))?;
                let collection = store::collection(&database)?;
                // The store was opened just now: the first call is not counted.
                search_all(&collection, set, 0.95)?;
                for recall in RECALLS {
                    let seconds = search_all(&collection, set, recall)?;
                    let rate = set.queries.rows() as f64 / seconds;
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
                f64::from(recall).into(),
                Cell::spread(its),
            ]);
        }
        Ok(table)
    }
}

fn search_all(collection: &Collection, set: &Set, recall: f32) -> Result<f64> {
    let queries = nearfield::Vectors::new(&set.queries.values[..], set.queries.columns)?;
    let search = collection.search(queries).limit(LIMIT).recall(recall);
    let (found, time) = timed(|| search.run());
    if found?.results.len() != set.queries.rows() {
        return Err("a search has too few answers".into());
    }
    Ok(time.as_secs_f64())
}

/// Searches of one kind.
struct Leg<'a> {
    label: String,
    filter: Option<&'a Filter>,
    recall: f32,
    ground: &'a Ground,
    found: f64,
    /// What each query took, by round.
    rounds: Vec<Vec<f64>>,
    over_scan: Vec<f64>,
}

impl<'a> Leg<'a> {
    fn new(label: String, filter: Option<&'a Filter>, recall: f32, ground: &'a Ground) -> Self {
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
        for number in 0..set.queries.rows() {
            let query = set.queries.row(number);
            let mut search = collection.search(query).limit(LIMIT).recall(self.recall);
            if let Some(filter) = self.filter {
                search = search.filter(filter.clone());
            }
            let (answer, time) = timed(|| search.run());
            times.push(micros(time));
            let hits = answer?.results.pop().unwrap_or_default();
            found += self.ground.share_found(set, number, &hits);
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
            f64::from(self.recall).into(),
            self.found.into(),
            over(&mean),
            over(&|times| percentile(times, 0.5)),
            over(&|times| percentile(times, 0.99)),
            percentile(&best, 0.5).into(),
            Cell::spread(self.over_scan.iter().copied()),
        ]
    }
}
