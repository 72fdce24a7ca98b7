//! Searches, one query per call or many, by one thread or several.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nearfield::{Collection, Filter, Found, Hit, Vectors};

use crate::Result;
use crate::clock::{micros, process_cpu, thread_cpu};
use crate::ground::{Ground, LIMIT, rows_of};
use crate::npy::Matrix;
use crate::set::Set;
use crate::statistics::{Spread, mean};
use crate::threads::join;

/// A recall that falls short of what was asked for by more than this is missed.
const SHORTFALL: f64 = 0.01;
const MISSED: &str = "MISSED";
/// Queries of one call, at most.
const QUERIES_MAX: usize = 10_000;

/// What searches ask for besides their query vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) recall: f32,
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) with_vectors: bool,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(recall: f64, filter: Option<&'a Filter>) -> Ask<'a> {
        Ask {
            recall: recall as f32,
            filter,
            with_vectors: false,
        }
    }

    /// One call.
    pub(crate) fn search<'v>(
        &self,
        collection: &Collection,
        vectors: impl Into<Vectors<'v>>,
    ) -> Result<Found> {
        let search = collection.search(vectors).limit(LIMIT);
        let mut search = search.recall(self.recall).with_vectors(self.with_vectors);
        if let Some(filter) = self.filter {
            search = search.filter(filter.clone());
        }
        Ok(search.run()?)
    }

    /// One query; what it took, in microseconds, and its hits.
    pub(crate) fn one(&self, collection: &Collection, query: &[f32]) -> Result<(f64, Vec<Hit>)> {
        let start = Instant::now();
        let found = self.search(collection, query)?;
        let time = micros(start.elapsed());
        let hits = found.results.into_iter().next();
        Ok((time, hits.ok_or("a search has no answer")?))
    }
}

/// What searches found and took.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The hits of each query's first search. Queries whose turn did not come are not there.
    pub(crate) hits: Vec<(usize, Vec<Hit>)>,
    /// What each call took that had one query.
    pub(crate) latencies_us: Vec<f64>,
    /// Queries that were answered, those that were asked again included.
    pub(crate) queries: usize,
    pub(crate) seconds: f64,
    /// CPU time of the whole process.
    pub(crate) cpu: Duration,
}

impl Answers {
    pub(crate) fn rate(&self) -> f64 {
        self.queries as f64 / self.seconds
    }

    pub(crate) fn cpu_us(&self) -> f64 {
        micros(self.cpu) / self.queries.max(1) as f64
    }

    /// The mean share of the true nearest that was found.
    pub(crate) fn recall(&self, set: &Set, ground: &Ground) -> f64 {
        self.recall_of(set, ground, |_| true)
    }

    /// The same over some of the queries.
    pub(crate) fn recall_of(&self, set: &Set, ground: &Ground, of: impl Fn(usize) -> bool) -> f64 {
        let asked = self.hits.iter().filter(|(query, _)| of(*query));
        let shares = asked.map(|(query, hits)| ground.share_found(set, *query, &rows_of(hits)));
        mean(&shares.collect::<Vec<f64>>())
    }
}

/// Asks one query per call, all of them in turn and again, in `threads` threads for `time`.
///
/// # Errors
/// That of a search which fails.
pub(crate) fn one_by_one(
    collection: &Collection,
    queries: &Matrix,
    ask: Ask<'_>,
    threads: usize,
    time: Duration,
) -> Result<Answers> {
    let next = AtomicUsize::new(0);
    let cpu = process_cpu();
    let start = Instant::now();
    let run = || -> Result<Answers> {
        let mut answers = Answers::default();
        while start.elapsed() < time {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let query = number % queries.rows();
            let (latency, hits) = ask.one(collection, queries.row(query))?;
            answers.latencies_us.push(latency);
            answers.queries += 1;
            if number == query {
                answers.hits.push((query, hits));
            }
        }
        Ok(answers)
    };
    let parts: Vec<Result<Answers>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(join).collect()
    });
    let mut all = Answers {
        seconds: start.elapsed().as_secs_f64(),
        cpu: process_cpu() - cpu,
        ..Answers::default()
    };
    for part in parts {
        let part = part?;
        all.hits.extend(part.hits);
        all.latencies_us.extend(part.latencies_us);
        all.queries += part.queries;
    }
    all.hits.sort_by_key(|(query, _)| *query);
    Ok(all)
}

/// Asks all queries in one call, once and again for `time`.
///
/// # Errors
/// That of a search which fails.
pub(crate) fn together(
    collection: &Collection,
    queries: &Matrix,
    ask: Ask<'_>,
    time: Duration,
) -> Result<Answers> {
    let mut answers = Answers::default();
    let cpu = process_cpu();
    let start = Instant::now();
    while answers.queries == 0 || start.elapsed() < time {
        for (part, values) in queries
            .values
            .chunks(QUERIES_MAX * queries.columns)
            .enumerate()
        {
            let found = ask.search(collection, Vectors::new(values, queries.columns)?)?;
            if found.results.len() != values.len() / queries.columns {
                return Err("a search has too few answers".into());
            }
            if answers.queries < queries.rows() {
                let numbered = (part * QUERIES_MAX..).zip(found.results);
                answers.hits.extend(numbered);
            }
            answers.queries += values.len() / queries.columns;
        }
    }
    answers.seconds = start.elapsed().as_secs_f64();
    answers.cpu = process_cpu() - cpu;
    Ok(answers)
}

/// The mark of a recall that was missed, over all rounds; else nothing.
pub(crate) fn missed(asked: f64, got: impl IntoIterator<Item = f64>) -> &'static str {
    if asked - Spread::of(got).median > SHORTFALL {
        MISSED
    } else {
        ""
    }
}

/// What a report says of the marks.
pub(crate) fn missed_note<'m>(marks: impl IntoIterator<Item = &'m str>) -> String {
    let (missed, all) = marks.into_iter().fold((0, 0), |(missed, all), mark| {
        (missed + usize::from(mark == MISSED), all + 1)
    });
    format!("recalls missed by more than {SHORTFALL}: {missed} of {all}")
}

/// A search that went on beside other work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// When it ended.
    pub(crate) end: Instant,
    pub(crate) latency_us: f64,
}

/// Searches one query at a time beside other work.
#[derive(Debug)]
pub(crate) struct Beside<'a> {
    pub(crate) collection: &'a Collection,
    pub(crate) queries: &'a Matrix,
    pub(crate) ask: Ask<'a>,
    seen: Mutex<Vec<Seen>>,
}

impl<'a> Beside<'a> {
    pub(crate) fn new(collection: &'a Collection, queries: &'a Matrix, ask: Ask<'a>) -> Self {
        Beside {
            collection,
            queries,
            ask,
            seen: Mutex::default(),
        }
    }

    /// Searches until `stop` is set; sets it if a search fails. Gives the CPU time of this
    /// thread.
    ///
    /// # Errors
    /// That of a search which fails.
    pub(crate) fn run(&self, stop: &AtomicBool) -> Result<Duration> {
        let cpu = thread_cpu();
        for query in (0..self.queries.rows()).cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            match self.ask.one(self.collection, self.queries.row(query)) {
                Ok((latency_us, _)) => self.seen().push(Seen {
                    end: Instant::now(),
                    latency_us,
                }),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(thread_cpu() - cpu)
    }

    /// The searches since the start or since this was asked last.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen())
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
