//! `index`: how fast vectors become durable, searchable and indexed, without a pause anywhere.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use nearfield::{Collection, Description, Durability, IndexDescription};
use serde::Serialize;

use crate::Result;
use crate::clock::{micros, millis, process_cpu};
use crate::disk::Usage;
use crate::ground::Ground;
use crate::machine::Machine;
use crate::place::Place;
use crate::report::{Cell, Report, Table, figure};
use crate::rows::NOISE_STEPS;
use crate::searches::{Ask, Beside, Seen, one_by_one};
use crate::set::{Set, Source};
use crate::statistics::{Spread, counts_in, ends_after, fewest_in, percentile};
use crate::store::{self, Engine};
use crate::threads::join;
use crate::verify::{ROWS_CHECKED, verify_rows};
use crate::wait::{Indexed, Patience, settle, wait_indexed};
use crate::workload::{Columns, Durabilities, Points, name};

/// Rows that have been acknowledged when the tail has first filled.
const FILLED_ROWS: usize = 200_000;
const WINDOW: Duration = Duration::from_secs(1);
/// Between the beginnings of the windows whose median is told.
const WINDOW_STEP: Duration = Duration::from_millis(10);
const SERIES_STEP: Duration = Duration::from_secs(1);
/// What the searches of `--search` ask for.
const RECALL: f64 = 0.95;

/// Vectors per second in large batches, until the index covers them
#[derive(Args, Debug, Serialize)]
pub(crate) struct Index {
    #[command(flatten)]
    source: Source,
    /// Generated vectors that are kept in memory; those past them are these again, with noise
    #[arg(long, default_value_t = 1_000_000)]
    pool: usize,
    /// Vectors per call
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    #[arg(long, value_enum, default_value = "sync")]
    durability: Durabilities,
    /// Search all the while in one more thread, and at rest afterwards
    #[arg(long)]
    search: bool,
    /// Seconds of searches at rest
    #[arg(long, default_value_t = 5.0)]
    rest_seconds: f64,
    /// Write what happened in each second to this .csv file
    #[arg(long)]
    #[serde(skip)]
    series: Option<PathBuf>,
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
    #[command(flatten)]
    points: Points,
}

/// What one run took.
struct Leg {
    written: Written,
    waited: Waited,
    /// What the store said of itself at rest.
    told: Description,
    open: Usage,
    closed: Usage,
    searches: Option<Searches>,
}

/// The wait for the index after the last batch. CPU times are those of all threads but the one
/// that searches, from the first batch on.
struct Waited {
    /// Until it covered the rows; nothing if it did not.
    indexed: Option<Duration>,
    indexed_cpu: Duration,
    /// Until nothing was left to do.
    settled: Option<Duration>,
    settled_cpu: Duration,
    end: Indexed,
}

impl Waited {
    fn without_cpu(self, other: Duration) -> Waited {
        Waited {
            indexed_cpu: self.indexed_cpu.saturating_sub(other),
            settled_cpu: self.settled_cpu.saturating_sub(other),
            ..self
        }
    }
}

/// The writing of all batches.
struct Written {
    start: Instant,
    /// When each batch was acknowledged, from the start.
    ends: Vec<Duration>,
    calls_ms: Vec<f64>,
    /// Time to make the vectors that have noise.
    making: Duration,
}

/// The searches of one run.
struct Searches {
    during_us: Vec<f64>,
    during_rate: f64,
    /// p99 of the second in which it was highest; nothing if ingest took less than a second.
    worst_second_us: Option<f64>,
    rest_us: Vec<f64>,
    rest_rate: f64,
    recall: f64,
}

impl Index {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.batch == 0 || self.rounds == 0 {
            return Err("give at least one vector per batch and one round".into());
        }
        if self.search && self.points.string_ids {
            return Err("the recall of --search is counted by ids that are numbers".into());
        }
        let place = Place::make(self.path.as_deref())?;
        let mut report = Report::new(
            "index",
            Machine::describe(place.path()),
            serde_json::to_value(self)?,
        );
        let set = self.source.set(1, self.pool)?;
        let ground = if self.search {
            set.check_queries()?;
            Some(Ground::of(&set, |_| true))
        } else {
            None
        };
        let columns = Columns::all(self.points, set.base.len(), self.batch)?;
        let mut series = Series::default();
        let durabilities = self.durability.each();
        let mut legs: Vec<Vec<Leg>> = durabilities.iter().map(|_| Vec::new()).collect();
        for round in 0..self.rounds {
            for (durability, legs) in durabilities.iter().zip(&mut legs) {
                let label = format!("{},{round}", name(*durability));
                let mut series = self.series.is_some().then_some((&mut series, &*label));
                let path = place.fresh("store")?;
                let leg = self.leg(
                    &path,
                    &set,
                    &columns,
                    *durability,
                    ground.as_ref(),
                    &mut series,
                );
                std::fs::remove_dir_all(&path)?;
                place.settle()?;
                legs.push(leg?);
            }
        }
        if let Some(path) = &self.series {
            std::fs::write(path, series.text())?;
        }
        self.tables(&set, &legs, &mut report);
        self.notes(&set, &legs, &mut report);
        Ok(report)
    }

    /// One run, from an empty folder to a verified store.
    fn leg(
        &self,
        path: &Path,
        set: &Set,
        columns: &[Columns],
        durability: Durability,
        ground: Option<&Ground>,
        series: &mut Option<(&mut Series, &str)>,
    ) -> Result<Leg> {
        let (database, collection) =
            store::create(path, self.engine, set.base.dimension(), set.metric)?;
        let ask = Ask::new(RECALL, None);
        let beside = Beside::new(&collection, &set.queries, ask);
        let stop = AtomicBool::new(false);
        let watching = AtomicBool::new(series.is_some());
        let (written, waited, searched, seconds) = std::thread::scope(|scope| {
            let searcher = ground.map(|_| scope.spawn(|| beside.run(&stop)));
            let watcher = scope.spawn(|| watch(&collection, &watching));
            let cpu = process_cpu();
            let written = write(&collection, set, columns, durability, &stop);
            stop.store(true, Ordering::Relaxed);
            let searched = searcher.map_or(Ok(Duration::ZERO), join);
            let waited = self.wait(&collection, cpu);
            watching.store(false, Ordering::Relaxed);
            (written, waited, searched, join(watcher))
        });
        // What stopped the searches stopped the writing, and says why.
        let (searched, written, waited, seconds) = (searched?, written?, waited?, seconds?);
        let seen = beside.take();
        if let Some((series, label)) = series {
            series.add(label, &written, &seconds, &seen, columns);
        }
        let searches = match ground {
            Some(ground) => {
                let time = Duration::try_from_secs_f64(self.rest_seconds)?;
                let rest = one_by_one(&collection, &set.queries, ask, 1, time)?;
                Some(Searches {
                    during_rate: seen.len() as f64 / written.seconds(),
                    worst_second_us: worst_second(&written, &seen),
                    during_us: seen.iter().map(|search| search.latency_us).collect(),
                    rest_rate: rest.rate(),
                    recall: rest.recall(set, ground),
                    rest_us: rest.latencies_us,
                })
            }
            None => None,
        };
        let told = collection.describe()?;
        collection.flush()?;
        let open = Usage::of(path)?;
        drop((collection, database));
        let closed = Usage::of(path)?;
        let database = store::open(path, self.engine)?;
        verify_rows(&store::collection(&database)?, self.points, set)?;
        Ok(Leg {
            written,
            waited: waited.without_cpu(searched),
            told,
            open,
            closed,
            searches,
        })
    }

    /// Waits for the index; `cpu` is the CPU time before the first batch.
    fn wait(&self, collection: &Collection, cpu: Duration) -> Result<Waited> {
        let start = Instant::now();
        let indexed = wait_indexed(collection, self.patience)?;
        let (time, indexed_cpu) = (start.elapsed(), process_cpu() - cpu);
        let end = settle(collection, self.patience, &indexed)?;
        Ok(Waited {
            indexed: indexed.is_full().then_some(time),
            indexed_cpu,
            settled: (!end.is_late()).then(|| start.elapsed()),
            settled_cpu: process_cpu() - cpu,
            end,
        })
    }

    fn tables(&self, set: &Set, legs: &[Vec<Leg>], report: &mut Report) {
        let mut speed = Table::new(
            format!("{}, batches of {}", set.size(), self.batch),
            &[
                "leg",
                "acknowledged, vectors/s",
                "to fully indexed, vectors/s",
                "fully indexed after the last batch, s",
                "settled, s",
                "CPU us/vector",
                "CPU us/vector, settled",
                "p50 ms/batch",
                "p99 ms/batch",
                "max ms/batch",
            ],
        );
        let mut windows = Table::new(
            "windows of one second",
            &[
                "leg",
                "median, vectors/s",
                "slowest, vectors/s",
                "slowest after the tail has filled, vectors/s",
                "of the median",
            ],
        );
        let mut disk = Table::new(
            "bytes on disk per vector",
            &[
                "leg",
                "log",
                "checkpoint",
                "index and others",
                "all, before closing",
            ],
        );
        let mut index = Table::new(
            "the index at rest",
            &[
                "leg",
                "epochs",
                "lists",
                "segments",
                "bytes of segments per vector",
                "writers were slowed, s",
            ],
        );
        let mut searches = Table::new(
            format!("searches at recall {RECALL}, 1 thread"),
            &[
                "leg",
                "queries/s during ingest",
                "p50 us during ingest",
                "p99 us during ingest",
                "p99 us in the worst second",
                "queries/s at rest",
                "p50 us at rest",
                "p99 us at rest",
                "p50, times that at rest",
                "p99, times that at rest",
                "worst second's p99, times",
                "recall@10 at rest",
            ],
        );
        let vectors = set.base.len() as f64;
        for (durability, legs) in self.durability.each().iter().zip(legs) {
            let name = || Cell::from(name(*durability));
            let over = |of: &dyn Fn(&Leg) -> f64| Cell::spread(legs.iter().map(of));
            let known = |of: &dyn Fn(&Leg) -> Option<f64>| Cell::spread(legs.iter().filter_map(of));
            let call = |share: f64| over(&|leg| percentile(&leg.written.calls_ms, share));
            speed.row(vec![
                name(),
                over(&|leg| vectors / leg.written.seconds()),
                known(&|leg| {
                    let waited = leg.waited.indexed?.as_secs_f64();
                    Some(vectors / (leg.written.seconds() + waited))
                }),
                known(&|leg| Some(leg.waited.indexed?.as_secs_f64())),
                known(&|leg| Some(leg.waited.settled?.as_secs_f64())),
                over(&|leg| micros(leg.waited.indexed_cpu) / vectors),
                over(&|leg| micros(leg.waited.settled_cpu) / vectors),
                call(0.5),
                call(0.99),
                call(1.0),
            ]);
            windows.row(vec![
                name(),
                known(&|leg| Some(self.windows(leg)?.median)),
                known(&|leg| Some(self.windows(leg)?.slowest)),
                known(&|leg| self.windows(leg)?.slowest_after),
                known(&|leg| {
                    let windows = self.windows(leg)?;
                    Some(windows.slowest_after? / windows.median)
                }),
            ]);
            let bytes = |of: &dyn Fn(&Leg) -> u64| over(&|leg| of(leg) as f64 / vectors);
            disk.row(vec![
                name(),
                bytes(&|leg| leg.closed.log),
                bytes(&|leg| leg.closed.checkpoint),
                bytes(&|leg| leg.closed.other),
                bytes(&|leg| leg.open.total()),
            ]);
            let of_index = |of: &dyn Fn(&IndexDescription) -> f64| {
                known(&|leg| leg.told.index.as_ref().map(of))
            };
            index.row(vec![
                name(),
                of_index(&|index| index.epoch as f64),
                of_index(&|index| index.lists as f64),
                of_index(&|index| index.segments as f64),
                of_index(&|index| index.bytes as f64 / vectors),
                over(&|leg| leg.told.write_delay_us as f64 / 1e6),
            ]);
            let its = || legs.iter().flat_map(|leg| &leg.searches);
            let found = |of: &dyn Fn(&Searches) -> f64| Cell::spread(its().map(of));
            let worst = |of: &dyn Fn(&Searches, f64) -> f64| {
                Cell::spread(its().filter_map(|its| Some(of(its, its.worst_second_us?))))
            };
            let during = |share: f64| move |its: &Searches| percentile(&its.during_us, share);
            let rest = |share: f64| move |its: &Searches| percentile(&its.rest_us, share);
            let times = |share: f64| move |its: &Searches| during(share)(its) / rest(share)(its);
            searches.row(vec![
                name(),
                found(&|its| its.during_rate),
                found(&during(0.5)),
                found(&during(0.99)),
                worst(&|_, worst_us| worst_us),
                found(&|its| its.rest_rate),
                found(&rest(0.5)),
                found(&rest(0.99)),
                found(&times(0.5)),
                found(&times(0.99)),
                worst(&|its, worst_us| worst_us / rest(0.99)(its)),
                found(&|its| its.recall),
            ]);
        }
        report.push(speed);
        report.push(windows);
        report.push(index);
        report.push(disk);
        if self.search {
            report.push(searches);
        }
    }

    fn notes(&self, set: &Set, legs: &[Vec<Leg>], report: &mut Report) {
        let legs = || legs.iter().flatten();
        // The worst of the rounds speaks for all.
        let worst = legs().max_by_key(|leg| (leg.waited.end.is_late(), leg.waited.end.unindexed));
        if let Some(leg) = worst {
            report.note(leg.waited.end.to_string());
        }
        if legs().any(|leg| leg.waited.end.is_late()) {
            report.note("the CPU time is then that up to the end of the wait");
        }
        let (rows, pool) = (set.base.len(), set.base.pool_rows());
        if pool < rows {
            let shares = legs().map(|leg| leg.written.making.as_secs_f64() / leg.written.seconds());
            report.note(format!(
                "rows past the first {} are these again, each with noise of its own: whole steps \
                 from -{NOISE_STEPS} to {NOISE_STEPS} in each component; the writer made them \
                 between its calls, in {:.4} of the time up to the last batch",
                figure(pool as f64),
                Spread::of(shares).median
            ));
        }
        if self.search {
            report.note("the CPU time is without that of the thread that searched");
        }
        report.note(format!("the store was closed and reopened; {ROWS_CHECKED}"));
    }

    /// `None` of a run that was shorter than a window.
    fn windows(&self, leg: &Leg) -> Option<Windows> {
        let ends = &leg.written.ends;
        let vectors = |batches: usize| (batches * self.batch) as f64;
        let counts = counts_in(ends, WINDOW, WINDOW_STEP);
        // The first batch that makes it more than the rows that fill the tail.
        let filling = FILLED_ROWS / self.batch + 1;
        Some(Windows {
            median: Spread::of(counts.into_iter().map(vectors)).median,
            slowest: vectors(fewest_in(ends, WINDOW)?),
            slowest_after: fewest_in(&ends_after(ends, filling), WINDOW).map(vectors),
        })
    }
}

/// Vectors per second.
struct Windows {
    median: f64,
    slowest: f64,
    slowest_after: Option<f64>,
}

impl Written {
    fn seconds(&self) -> f64 {
        self.ends
            .last()
            .map_or(f64::INFINITY, Duration::as_secs_f64)
    }
}

/// Writes batch after batch, unless `stop` is set meanwhile.
fn write(
    collection: &Collection,
    set: &Set,
    columns: &[Columns],
    durability: Durability,
    stop: &AtomicBool,
) -> Result<Written> {
    let mut scratch = Vec::new();
    let mut written = Written {
        start: Instant::now(),
        ends: Vec::with_capacity(columns.len()),
        calls_ms: Vec::with_capacity(columns.len()),
        making: Duration::ZERO,
    };
    for columns in columns {
        let begin = written.start.elapsed();
        let values = set.base.slice(columns.first, columns.count, &mut scratch);
        let batch = columns.batch(values);
        let made = written.start.elapsed();
        collection.upsert(batch).durability(durability).run()?;
        let end = written.start.elapsed();
        written.making += made - begin;
        written.calls_ms.push(millis(end - made));
        written.ends.push(end);
        if stop.load(Ordering::Relaxed) {
            // The searches failed, and say why.
            break;
        }
    }
    Ok(written)
}

/// The highest p99 of a second of the writing; what follows the last whole second counts with
/// it. Early searches, of few rows, are many and fast, and hide others in the p99 of all.
fn worst_second(written: &Written, seen: &[Seen]) -> Option<f64> {
    let whole = written.ends.last()?.as_secs() as usize;
    let mut seconds = vec![Vec::new(); whole];
    for search in seen {
        let second = search.end.duration_since(written.start).as_secs() as usize;
        seconds
            .get_mut(second.min(whole.checked_sub(1)?))?
            .push(search.latency_us);
    }
    let each = seconds.iter().map(|latencies| percentile(latencies, 0.99));
    each.max_by(f64::total_cmp)
}

/// What a collection said of itself at some moment.
struct Second {
    at: Instant,
    told: Description,
    cpu: Duration,
}

/// Asks the collection every second, as long as `on` is set.
fn watch(collection: &Collection, on: &AtomicBool) -> Result<Vec<Second>> {
    const NAP: Duration = Duration::from_millis(20);
    let mut seconds = Vec::new();
    let mut next = Instant::now();
    while on.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            seconds.push(Second {
                at: Instant::now(),
                told: collection.describe()?,
                cpu: process_cpu(),
            });
            next += SERIES_STEP;
        }
        std::thread::sleep(NAP);
    }
    Ok(seconds)
}

/// A line per second of each run, as comma-separated values.
#[derive(Default)]
struct Series(String);

impl Series {
    const HEADER: &str = "durability,round,second,acknowledged,rows,unindexed,unencoded,epoch,older_epoch_rows,segments,write_delay_us,cpu_ms,\
                          searches,search_p50_us,search_p99_us\n";

    fn text(&self) -> String {
        format!("{}{}", Self::HEADER, self.0)
    }

    fn add(
        &mut self,
        label: &str,
        written: &Written,
        seconds: &[Second],
        seen: &[Seen],
        columns: &[Columns],
    ) {
        let rows_at = |time: Duration| {
            let batches = written.ends.partition_point(|end| *end <= time);
            columns[..batches]
                .last()
                .map_or(0, |last| last.first + last.count)
        };
        for (number, pair) in seconds.windows(2).enumerate() {
            let [from, to] = [&pair[0], &pair[1]];
            let rows = rows_at(to.at.duration_since(written.start));
            let before = rows_at(from.at.duration_since(written.start));
            let latencies: Vec<f64> = seen
                .iter()
                .filter(|search| from.at < search.end && search.end <= to.at)
                .map(|search| search.latency_us)
                .collect();
            let index = to.told.index.clone().unwrap_or_default();
            let line = format_args!(
                "{label},{},{},{rows},{},{},{},{},{},{},{:.1},{},{:.1},{:.1}",
                number + 1,
                rows - before,
                to.told.unindexed,
                to.told.unencoded,
                index.epoch,
                index.older_epoch_rows,
                index.segments,
                to.told.write_delay_us,
                millis(to.cpu.saturating_sub(from.cpu)),
                latencies.len(),
                percentile(&latencies, 0.5),
                percentile(&latencies, 0.99),
            );
            // Writing to a string does not fail.
            let _written = writeln!(self.0, "{line}");
        }
    }
}
