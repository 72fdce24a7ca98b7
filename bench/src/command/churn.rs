//! `churn`: searches while points go, come back and change for a long time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use nearfield::{Batch, Collection, Durability};
use serde::Serialize;

mod schedule;

use crate::Result;
use crate::clock::{millis, timed};
use crate::disk::{Usage, free_bytes};
use crate::ground::{Ground, rows_of};
use crate::load::load;
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table};
use crate::resident::anonymous_bytes;
use crate::searches::{Ask, Beside, one_by_one};
use crate::set::{Set, Source};
use crate::statistics::{mean, percentile};
use crate::store::{self, Engine};
use crate::threads::join;
use crate::verify::{check_count, check_points, sample};
use crate::wait::{Indexed, Patience, wait_settled};
use crate::workload::Points;
use schedule::{Schedule, State, Step};

/// What searches ask for.
const RECALL: f64 = 0.95;
/// Bytes that a live point may take on disk besides its vector.
const POINT_BYTES: usize = 40;
/// Between two looks at the memory.
const NAP: Duration = Duration::from_millis(100);
/// Looks at the memory for one at the disk.
const DISK_NAPS: usize = 10;
/// Searches at rest, before and after.
const REST: Duration = Duration::from_secs(3);
/// A run that leaves less of the disk ends with an error.
const FREE_BYTES_MIN: u64 = 8 << 30;
const MIB: f64 = (1 << 20) as f64;

/// Searches while points are removed, added again and updated at full speed
#[derive(Args, Debug, Serialize)]
pub(crate) struct Churn {
    #[command(flatten)]
    source: Source,
    /// Seconds of writes
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
    /// Seconds between two looks
    #[arg(long, default_value_t = 30.0)]
    interval: f64,
    /// Query vectors of which each look counts the recall
    #[arg(long, default_value_t = 200)]
    recall_queries: usize,
    /// Points per write
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Wait for the disk in each write
    #[arg(long)]
    sync: bool,
    /// Ask for a compaction if the log has more dead rows than live ones, and look whether it has
    /// every so many seconds; 0 never asks
    #[arg(long, default_value_t = 1.0)]
    compact_every: f64,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    patience: Patience,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
}

/// One look at the store, between two writes.
struct Look {
    label: String,
    /// Writes so far.
    steps: u64,
    live: usize,
    /// Ids that the queries found, by query.
    found: Vec<Vec<usize>>,
    /// Since the look before; at rest, of some searches alone.
    search_rate: f64,
    searches_us: Vec<f64>,
    /// Points written or removed per second since the look before.
    write_rate: Option<f64>,
    writes_ms: Vec<f64>,
    peaks: Peaks,
    told_bytes: u64,
    unindexed: u64,
    compactions: usize,
}

/// The most since the look before.
#[derive(Clone, Copy, Default)]
struct Peaks {
    /// Bytes on disk over those of live points.
    disk: f64,
    memory_bytes: u64,
}

/// What threads tell each other.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    peaks: Mutex<Peaks>,
    compactions: Mutex<Vec<Duration>>,
}

/// The store in its folder, and what is measured of it.
struct Bench<'a> {
    churn: &'a Churn,
    path: &'a Path,
    set: &'a Set,
    collection: &'a Collection,
    beside: Beside<'a>,
    shared: Shared,
}

impl Churn {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.batch == 0 || self.recall_queries == 0 {
            return Err("give at least one point per write and one query".into());
        }
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "churn",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        // Each point has two vectors, which it is given in turn.
        let set = self.source.set(2, usize::MAX)?;
        set.check_queries()?;
        let points = set.base.len() / 2;
        let schedule = Schedule::new(points, self.batch);
        if !schedule.has_both() {
            return Err("that is too few points".into());
        }
        let base_bytes = anonymous_bytes();
        let path = place.fresh("store")?;
        let (database, collection) = load(&path, self.engine, &set, points, &[])?;
        let before = wait_settled(&collection, self.patience)?;
        let bench = Bench {
            churn: self,
            path: &path,
            set: &set,
            collection: &collection,
            beside: Beside::new(&collection, &set.queries, Ask::new(RECALL, None)),
            shared: Shared::default(),
        };
        let mut state = State::new(points);
        let mut looks = vec![bench.look_at_rest("before", 0, &state)?];
        let steps = bench.churn(&schedule, &mut state, &mut looks)?;
        let after = wait_settled(&collection, self.patience)?;
        looks.push(bench.look_at_rest("after", steps, &state)?);
        verify(&collection, &set, &state, points)?;
        let compactions = std::mem::take(&mut *lock(&bench.shared.compactions));
        drop(bench);
        drop((collection, database));
        let database = store::open(&path, self.engine)?;
        verify(&store::collection(&database)?, &set, &state, points)?;
        drop(database);

        let recalls = recalls(&set, points, &schedule, &looks);
        report.push(self.series(&set, &looks, &recalls, base_bytes));
        report.push(summary(&looks, &recalls, base_bytes, &compactions));
        notes(&mut report, &before, &after);
        Ok(report)
    }

    fn series(&self, set: &Set, looks: &[Look], recalls: &[f64], base_bytes: u64) -> Table {
        let columns = [
            "second",
            "rows",
            "recall@10",
            "queries/s",
            "p50 us",
            "p99 us",
            "writes/s",
            "max ms/write",
            "highest disk over live bytes",
            "highest memory MiB",
            "the store says, MiB",
            "not indexed",
            "compactions",
        ];
        let title = format!(
            "{} points of dimension {}, recall {RECALL}, 1 thread of searches",
            set.base.len() / 2,
            set.base.dimension()
        );
        let mut table = Table::new(title, &columns);
        for (look, recall) in looks.iter().zip(recalls) {
            let written = |of: &dyn Fn() -> f64| match look.write_rate {
                Some(_) => of().into(),
                None => Cell::Nothing,
            };
            table.row(vec![
                look.label.clone().into(),
                (look.live as f64).into(),
                (*recall).into(),
                look.search_rate.into(),
                percentile(&look.searches_us, 0.5).into(),
                percentile(&look.searches_us, 0.99).into(),
                look.write_rate.map_or(Cell::Nothing, Cell::Number),
                written(&|| percentile(&look.writes_ms, 1.0)),
                look.peaks.disk.into(),
                look.memory_mib(base_bytes).into(),
                (look.told_bytes as f64 / MIB).into(),
                (look.unindexed as f64).into(),
                (look.compactions as f64).into(),
            ]);
        }
        table
    }
}

fn summary(looks: &[Look], recalls: &[f64], base_bytes: u64, compactions: &[Duration]) -> Table {
    let columns = [
        "worst recall@10",
        "slowest queries/s, of the first",
        "highest disk over live bytes",
        "highest memory MiB",
        "compactions",
        "longest compaction, s",
    ];
    let mut table = Table::new("worst", &columns);
    // Rates beside writes are compared with the first such.
    let rates = || {
        let busy = looks.iter().filter(|look| look.write_rate.is_some());
        busy.map(|look| look.search_rate)
    };
    let slowest = rates().min_by(f64::total_cmp).zip(rates().next());
    let most = |of: &dyn Fn(&Look) -> f64| looks.iter().map(of).fold(0.0, f64::max);
    let longest = compactions.iter().max().map(Duration::as_secs_f64);
    table.row(vec![
        recalls.iter().copied().fold(1.0, f64::min).into(),
        slowest.map_or(Cell::Nothing, |(slowest, first)| (slowest / first).into()),
        most(&|look| look.peaks.disk).into(),
        most(&|look| look.memory_mib(base_bytes)).into(),
        (compactions.len() as f64).into(),
        longest.map_or(Cell::Nothing, Cell::Number),
    ]);
    table
}

fn notes(report: &mut Report, before: &Indexed, after: &Indexed) {
    report.note(format!("before: {before}"));
    report.note(format!("after: {after}"));
    report.note(format!(
        "live bytes: for each point its vector and {POINT_BYTES} more; the disk was looked at every second"
    ));
    report.note("memory: RssAnon less what it was before the store was opened");
    report.note(
        "no search of a look found a point twice, one that was removed, or one with a former vector",
    );
    report.note(
        "checked before and after reopening: the count, and 1,001 points bit for bit or not there",
    );
}

impl Look {
    fn memory_mib(&self, base_bytes: u64) -> f64 {
        self.peaks.memory_bytes.saturating_sub(base_bytes) as f64 / MIB
    }
}

impl Bench<'_> {
    /// Writes for the time that was asked for, with searches and compactions beside it. Gives
    /// the number of writes.
    fn churn(&self, schedule: &Schedule, state: &mut State, looks: &mut Vec<Look>) -> Result<u64> {
        std::thread::scope(|scope| {
            let threads = [
                scope.spawn(|| self.beside.run(&self.shared.stop).map(|_cpu| ())),
                scope.spawn(|| self.stopping(self.compact())),
                scope.spawn(|| self.stopping(self.watch())),
            ];
            let written = self.write(schedule, state, looks);
            self.shared.stop.store(true, Ordering::Relaxed);
            for thread in threads {
                join(thread)?;
            }
            written
        })
    }

    /// Lets the others stop too if this thread failed.
    fn stopping<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        outcome
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn write(&self, schedule: &Schedule, state: &mut State, looks: &mut Vec<Look>) -> Result<u64> {
        let end = Duration::try_from_secs_f64(self.churn.seconds)?;
        let interval = Duration::try_from_secs_f64(self.churn.interval)?;
        let start = Instant::now();
        let mut steps = 0;
        let mut since = Instant::now();
        let mut writes_ms = Vec::new();
        let mut points = 0;
        let mut values = Vec::new();
        while !self.is_stopped() {
            let step = schedule.step(steps);
            let (outcome, time) = timed(|| self.write_one(&step, state, &mut values));
            outcome?;
            state.apply(&step);
            steps += 1;
            points += step.ids.len();
            writes_ms.push(millis(time));
            let is_over = start.elapsed() >= end;
            if since.elapsed() >= interval || is_over {
                let seconds = since.elapsed().as_secs_f64();
                let searches_us: Vec<f64> = self
                    .beside
                    .take()
                    .iter()
                    .map(|seen| seen.latency_us)
                    .collect();
                let label = format!("{:.0}", start.elapsed().as_secs_f64());
                looks.push(Look {
                    search_rate: searches_us.len() as f64 / seconds,
                    searches_us,
                    write_rate: Some(points as f64 / seconds),
                    writes_ms: std::mem::take(&mut writes_ms),
                    ..self.look(label, steps, state)?
                });
                if is_over {
                    break;
                }
                // What was searched during the look does not count.
                self.beside.take();
                (since, points) = (Instant::now(), 0);
            }
        }
        Ok(steps)
    }

    fn write_one(&self, step: &Step, state: &State, values: &mut Vec<f32>) -> Result<()> {
        let durability = if self.churn.sync {
            Durability::Sync
        } else {
            Durability::Os
        };
        let ids = &step.ids[..];
        if step.is_delete {
            let deleted = self
                .collection
                .delete(ids)
                .durability(durability)
                .run()?
                .deleted;
            if deleted != ids.len() as u64 {
                return Err(
                    format!("{deleted} of {} points were there to remove", ids.len()).into(),
                );
            }
            return Ok(());
        }
        values.clear();
        for id in ids {
            values.extend_from_slice(&self.set.base.row(state.next_row(*id as usize)));
        }
        let batch = Batch::new(ids, values);
        self.collection.upsert(batch).durability(durability).run()?;
        Ok(())
    }

    /// What can be seen between two writes.
    fn look(&self, label: String, steps: u64, state: &State) -> Result<Look> {
        self.note_disk()?;
        self.note_memory();
        let description = self.collection.describe()?;
        if description.count != state.live() as u64 {
            let (count, live) = (description.count, state.live());
            return Err(format!("{count} points are there instead of {live}").into());
        }
        let queries = self.churn.recall_queries.min(self.set.queries.rows());
        let found = (0..queries).map(|query| self.find(query, state));
        Ok(Look {
            label,
            steps,
            live: state.live(),
            found: found.collect::<Result<_>>()?,
            search_rate: 0.0,
            searches_us: Vec::new(),
            write_rate: None,
            writes_ms: Vec::new(),
            peaks: std::mem::take(&mut *lock(&self.shared.peaks)),
            told_bytes: description.memory_bytes,
            unindexed: description.unindexed,
            compactions: lock(&self.shared.compactions).len(),
        })
    }

    fn look_at_rest(&self, label: &str, steps: u64, state: &State) -> Result<Look> {
        let ask = self.beside.ask;
        let answers = one_by_one(self.collection, &self.set.queries, ask, 1, REST)?;
        Ok(Look {
            search_rate: answers.rate(),
            searches_us: answers.latencies_us,
            ..self.look(label.to_owned(), steps, state)?
        })
    }

    /// The ids that a query finds, while nothing is written.
    ///
    /// # Errors
    /// If one of the hits is not as it was written last.
    fn find(&self, query: usize, state: &State) -> Result<Vec<usize>> {
        let ask = Ask {
            with_vectors: true,
            ..self.beside.ask
        };
        let (_, hits) = ask.one(self.collection, self.set.queries.row(query))?;
        let mut ids = rows_of(&hits);
        for (hit, id) in hits.iter().zip(&ids) {
            let row = state
                .row(*id)
                .ok_or_else(|| format!("a search finds point {id}, which was removed"))?;
            if hit.vector.as_deref() != Some(&*self.set.base.row(row)) {
                return Err(format!("a search finds point {id} with a former vector").into());
            }
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.len() == hits.len() {
            Ok(ids)
        } else {
            Err("a search finds a point twice".into())
        }
    }

    /// Compacts when the engine has not, until told to stop.
    fn compact(&self) -> Result<()> {
        if self.churn.compact_every == 0.0 {
            return Ok(());
        }
        let every = Duration::try_from_secs_f64(self.churn.compact_every)?;
        let mut last = Instant::now();
        while !self.is_stopped() {
            std::thread::sleep(NAP);
            if last.elapsed() < every {
                continue;
            }
            let description = self.collection.describe()?;
            if description.dead_rows > description.count {
                let (outcome, time) = timed(|| self.collection.compact());
                outcome?;
                lock(&self.shared.compactions).push(time);
            }
            last = Instant::now();
        }
        Ok(())
    }

    /// Looks at memory and disk until told to stop.
    fn watch(&self) -> Result<()> {
        for nap in 0.. {
            if self.is_stopped() {
                break;
            }
            self.note_memory();
            if nap % DISK_NAPS == 0 {
                self.note_disk()?;
            }
            std::thread::sleep(NAP);
        }
        Ok(())
    }

    fn note_memory(&self) {
        let bytes = anonymous_bytes();
        let mut peaks = lock(&self.shared.peaks);
        peaks.memory_bytes = peaks.memory_bytes.max(bytes);
    }

    fn note_disk(&self) -> Result<()> {
        let usage = Usage::of(self.path)?;
        let free = free_bytes(self.path)?;
        if free < FREE_BYTES_MIN {
            let taken = usage.total() as f64 / MIB;
            return Err(format!("the disk is nearly full; the store takes {taken:.0} MiB").into());
        }
        let live = self.collection.describe()?.count as usize;
        let bytes = live * (self.set.base.dimension() * 4 + POINT_BYTES);
        let mut peaks = lock(&self.shared.peaks);
        peaks.disk = peaks.disk.max(usage.total() as f64 / bytes as f64);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The recall of each look: the writes are gone through once more, to know what was there.
fn recalls(set: &Set, points: usize, schedule: &Schedule, looks: &[Look]) -> Vec<f64> {
    let mut state = State::new(points);
    let mut steps = 0;
    let recall = |look: &Look| {
        for number in steps..look.steps {
            state.apply(&schedule.step(number));
        }
        steps = look.steps;
        let ground = Ground::of_first(set, look.found.len(), |row| state.has(row));
        let shares = look.found.iter().enumerate().map(|(query, ids)| {
            let rows: Vec<usize> = ids.iter().filter_map(|id| state.row(*id)).collect();
            ground.share_found(set, query, &rows)
        });
        mean(&shares.collect::<Vec<f64>>())
    };
    looks.iter().map(recall).collect()
}

/// Checks that what is there is what was written last, and nothing else.
fn verify(collection: &Collection, set: &Set, state: &State, points: usize) -> Result<()> {
    check_count(collection, state.live())?;
    let (live, gone): (Vec<usize>, Vec<usize>) = sample(points)
        .into_iter()
        .partition(|id| state.row(*id).is_some());
    let vector = |id| set.base.row(state.row(id).unwrap_or_default());
    check_points(collection, Points::default(), &live, vector)?;
    let gone: Vec<u64> = gone.into_iter().map(|id| id as u64).collect();
    let found = collection.get(&gone[..]).run()?.points;
    if found.iter().any(Option::is_some) {
        return Err("a point that was removed is there".into());
    }
    Ok(())
}
