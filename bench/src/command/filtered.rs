//! `filtered`: searches of which a small share of the rows matches, anywhere or in one region.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nearfield::{Collection, Filter};
use serde::Serialize;

use crate::Result;
use crate::ground::{Ground, LIMIT, rows_of};
use crate::load::load;
use crate::machine::Machine;
use crate::matching::{Matching, SHARES};
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::searches::{Answers, Ask, missed, missed_note, one_by_one};
use crate::set::{Set, Source};
use crate::statistics::percentile;
use crate::store::Engine;
use crate::verify::{ROWS_CHECKED, verify_rows};
use crate::wait::{Patience, wait_settled};
use crate::workload::Points;

/// One query in so many is told apart as nearest to the region that matches, or farthest.
const END_ONE_IN: usize = 10;

/// Searches with filters, independent of the vectors and not
#[derive(Args, Debug, Serialize)]
pub(crate) struct Filtered {
    #[command(flatten)]
    source: Source,
    /// Recalls to ask for
    #[arg(long, value_delimiter = ',', default_values_t = [0.95])]
    recalls: Vec<f64>,
    /// Threads, one query per call each; as many as cores unless said otherwise
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

/// One filter: what matches, and what searches can find.
struct Case {
    label: String,
    field: Matching,
    filter: Filter,
    ground: Ground,
    /// Whether a query is among the nearest to the region that matches, and whether among the
    /// farthest. Nothing if there is no region.
    near: Vec<bool>,
    far: Vec<bool>,
}

/// One case at one recall.
struct Leg<'a> {
    case: &'a Case,
    recall: f64,
    rounds: Vec<Figures>,
}

struct Figures {
    rate: f64,
    cpu_us: f64,
    recall: f64,
    recall_near: f64,
    recall_far: f64,
    /// The fewest hits of a query for which the limit of rows matches.
    fewest: Option<usize>,
    latencies_us: Vec<f64>,
}

impl Filtered {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.recalls.is_empty() || self.rounds == 0 || self.threads == Some(0) {
            return Err("give at least one recall, round and thread".into());
        }
        let time = Duration::try_from_secs_f64(self.seconds)?;
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "filtered",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let set = self.source.set(1, usize::MAX)?;
        set.check_queries()?;
        let cases = cases(&set);
        let fields: Vec<&Matching> = cases.iter().map(|case| &case.field).collect();
        let (database, collection) = load(
            &place.fresh("store")?,
            self.engine,
            &set,
            set.base.len(),
            &fields,
        )?;
        let indexed = wait_settled(&collection, self.patience)?;
        let points = Points {
            string_ids: false,
            metadata: true,
        };
        verify_rows(&collection, points, &set)?;

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or(cores);
        let mut legs: Vec<Leg<'_>> = self
            .recalls
            .iter()
            .flat_map(|recall| cases.iter().map(|case| Leg::new(case, *recall)))
            .collect();
        for round in 0..=self.rounds {
            for leg in &mut legs {
                // The first round warms up.
                let time = if round == 0 { time / 4 } else { time };
                let figures = leg.round(&collection, &set, threads, time)?;
                leg.rounds.extend((round > 0).then_some(figures));
            }
        }
        let threads = match threads {
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let queries = set.queries.rows();
        let title = format!("{}, {queries} queries, one per call, {threads}", set.size());
        report.push(table(title, &legs));
        report.note(indexed.to_string());
        report.note(missed_note(legs.iter().map(Leg::missed)));
        report.note("each hit was checked to match");
        report.note(ROWS_CHECKED);
        drop((collection, database));
        Ok(report)
    }
}

/// All filters, with what they match.
fn cases(set: &Set) -> Vec<Case> {
    let mut cases = Vec::new();
    for share in &SHARES {
        let field = Matching::independent(share, set.base.len());
        cases.push(Case::new(
            format!("{} anywhere", share.label),
            set,
            field,
            &[],
        ));
    }
    for share in &SHARES {
        let (field, queries) = Matching::correlated(share, set);
        cases.push(Case::new(
            format!("{} in one region", share.label),
            set,
            field,
            &queries,
        ));
    }
    cases
}

impl Case {
    /// `by_distance` has the queries by their distance to the region, if there is one.
    fn new(label: String, set: &Set, field: Matching, by_distance: &[usize]) -> Case {
        let among = |queries: &[usize]| {
            let mut among = vec![false; set.queries.rows()];
            queries.iter().for_each(|query| among[*query] = true);
            among
        };
        let end = by_distance.len().div_ceil(END_ONE_IN);
        Case {
            label,
            filter: field.filter(),
            ground: Ground::of(set, |row| field.holds(row)),
            near: among(&by_distance[..end]),
            far: among(&by_distance[by_distance.len() - end..]),
            field,
        }
    }
}

impl<'a> Leg<'a> {
    fn new(case: &'a Case, recall: f64) -> Self {
        Leg {
            case,
            recall,
            rounds: Vec::new(),
        }
    }

    fn round(
        &self,
        collection: &Collection,
        set: &Set,
        threads: usize,
        time: Duration,
    ) -> Result<Figures> {
        let case = self.case;
        let ask = Ask::new(self.recall, Some(&case.filter));
        let answers = one_by_one(collection, &set.queries, ask, threads, time)?;
        case.check(&answers)?;
        let full = answers
            .hits
            .iter()
            .filter(|(query, _)| case.ground.count(*query) == LIMIT);
        Ok(Figures {
            rate: answers.rate(),
            cpu_us: answers.cpu_us(),
            recall: answers.recall(set, &case.ground),
            recall_near: answers.recall_of(set, &case.ground, |query| case.near[query]),
            recall_far: answers.recall_of(set, &case.ground, |query| case.far[query]),
            fewest: full.map(|(_, hits)| hits.len()).min(),
            latencies_us: answers.latencies_us,
        })
    }
}

impl Leg<'_> {
    fn missed(&self) -> &'static str {
        missed(self.recall, self.rounds.iter().map(|round| round.recall))
    }
}

impl Case {
    /// # Errors
    /// If a hit does not match.
    fn check(&self, answers: &Answers) -> Result<()> {
        for (query, hits) in &answers.hits {
            let rows = rows_of(hits);
            if rows.len() != hits.len() || !rows.iter().all(|row| self.field.holds(*row)) {
                let label = &self.label;
                return Err(format!("{label}: query {query} has a hit that does not match").into());
            }
        }
        Ok(())
    }
}

fn table(title: String, legs: &[Leg<'_>]) -> Table {
    let columns = [
        "rows that match",
        "how many",
        "recall asked",
        "queries/s",
        "CPU us/query",
        "recall@10",
        "fewest hits",
        "p50 us",
        "p99 us",
        "recall@10, nearest tenth of queries",
        "recall@10, farthest tenth",
        "missed",
    ];
    let mut table = Table::new(title, &columns);
    for leg in legs {
        let over = |of: &dyn Fn(&Figures) -> f64| Cell::spread(leg.rounds.iter().map(of));
        let of_region = |of: &dyn Fn(&Figures) -> f64| {
            if leg.case.near.contains(&true) {
                over(of)
            } else {
                Cell::Nothing
            }
        };
        let fewest = leg.rounds.iter().filter_map(|round| round.fewest);
        table.row(vec![
            leg.case.label.clone().into(),
            (leg.case.field.count() as f64).into(),
            leg.recall.into(),
            over(&|round| round.rate),
            over(&|round| round.cpu_us),
            over(&|round| round.recall),
            fewest
                .min()
                .map_or(Cell::Nothing, |hits| hits.to_string().into()),
            over(&|round| percentile(&round.latencies_us, 0.5)),
            over(&|round| percentile(&round.latencies_us, 0.99)),
            of_region(&|round| round.recall_near),
            of_region(&|round| round.recall_far),
            leg.missed().into(),
        ]);
    }
    table
}
