//! Readers, a writer and the index's work in every order of their steps: at each pause of the
//! engine a scheduler that a seed fixes says who goes on. A search finds what was there after
//! some write that was neither answered after it nor begun before.
//!
//! `SHUTTLE_RANDOM_SEED=7` runs the orders of that seed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nearfield_model::{Context, Durability, Filter, Hit, Id, Search};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};

use super::Collection;
use super::fixture::{delete, find, open, open_at, options, upsert, vector, work};
use crate::io::{Io, SimulatedIo};
use crate::pause::{pause, with_hook};

/// The version of each point that is there.
type Points = BTreeMap<u64, u64>;

/// A write of the one writer.
#[derive(Clone)]
enum Step {
    Upsert(Range<u64>, u64),
    Delete(Range<u64>),
}

const STEPS: [Step; 10] = [
    Step::Upsert(0..30, 0),
    Step::Upsert(30..60, 0),
    Step::Upsert(5..35, 1),
    Step::Delete(10..20),
    Step::Upsert(60..130, 0),
    Step::Upsert(0..64, 2),
    Step::Upsert(130..300, 0),
    Step::Upsert(100..240, 3),
    Step::Delete(30..90),
    Step::Upsert(200..220, 4),
];

/// Orders of steps that are tried.
const ORDERS: usize = 100;

/// What there is after each number of steps.
fn versions() -> Vec<Points> {
    let mut points = Points::new();
    let mut versions = vec![points.clone()];
    for step in STEPS {
        match step {
            Step::Upsert(ids, seed) => points.extend(ids.map(|id| (id, seed))),
            Step::Delete(ids) => points.retain(|id, _| !ids.contains(id)),
        }
        versions.push(points.clone());
    }
    versions
}

/// A collection and how far its writer is.
struct World {
    io: SimulatedIo,
    docs: Collection,
    versions: Vec<Points>,
    begun: AtomicU64,
    answered: AtomicU64,
}

impl World {
    fn new() -> World {
        let io = SimulatedIo::new(1);
        World {
            docs: open(&io),
            io,
            versions: versions(),
            begun: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        }
    }

    fn write(&self) {
        for (number, step) in STEPS.into_iter().enumerate() {
            self.begun.store(number as u64 + 1, Ordering::SeqCst);
            pause();
            match step {
                Step::Upsert(ids, seed) => upsert(&self.docs, ids, seed, Durability::Os),
                Step::Delete(ids) => delete(&self.docs, ids, Durability::Os),
            }
            self.answered.store(number as u64 + 1, Ordering::SeqCst);
            pause();
        }
    }

    fn is_written(&self) -> bool {
        self.answered.load(Ordering::SeqCst) == STEPS.len() as u64
    }

    /// Goes on until there is nothing more to do.
    fn keep(&self, work: impl Fn(bool) -> bool) {
        loop {
            let at_rest = self.is_written();
            if !work(at_rest) && at_rest {
                return;
            }
            pause();
        }
    }

    /// Searches by codes for more points than there are.
    fn search(&self, reader: u64) {
        for round in 0..6 {
            let first = self.answered.load(Ordering::SeqCst);
            let query = vector(reader * 10 + round, 0);
            let wanted = (round % 3 == 2).then_some(reader % 8);
            let mut search = Search::new("docs", &query[..]).limit(10_000);
            if let Some(eighth) = wanted {
                search = search.filter(Filter::eq("eighth", eighth)).probes(2);
            }
            let found = find(&self.docs, &search);
            let last = self.begun.load(Ordering::SeqCst);
            let fits = |version: &u64| {
                let points = &self.versions[*version as usize];
                let matching = points
                    .iter()
                    .filter(|(id, _)| wanted.is_none_or(|eighth| *id % 8 == eighth));
                is_found(&query, &matching.collect(), &found.results[0])
            };
            let hits = &found.results[0];
            assert!(
                (first..=last).any(|version| fits(&version)),
                "{} hits are what there was after none of the writes {first} to {last}",
                hits.len()
            );
            pause();
        }
    }

    /// Snapshots that are opened hold what was there after one write, and find it.
    fn snapshot(&self, number: u64) {
        let folder = format!("/copies/{number}");
        self.io.create_directory(Path::new(&folder)).unwrap();
        let (first, context) = (self.answered.load(Ordering::SeqCst), Context::default());
        let copied = self.docs.copy_to(&context, Path::new(&folder)).unwrap();
        let last = self.begun.load(Ordering::SeqCst);
        assert!((first..=last).contains(&copied.sequence));
        let copy = open_at(&self.io, &folder, options());
        assert_eq!(copy.index.fault(), None);
        let query = vector(number, 0);
        let found = find(&copy, &Search::new("docs", &query[..]).limit(10_000));
        let points = self.versions[copied.sequence as usize].iter().collect();
        assert!(
            is_found(&query, &points, &found.results[0]),
            "snapshot {number}"
        );
    }

    /// All is in lists, once, and so it is found, also after a restart.
    fn check_end(self) {
        let World {
            io, docs, versions, ..
        } = self;
        work(&docs, true);
        let live = docs.index.live();
        let mut covered = 0;
        for segment in &live.segments {
            assert_eq!(segment.extent.first_row, covered);
            assert!(live.model_of(segment).is_some());
            covered = segment.extent.end_row;
        }
        assert_eq!((covered, live.epochs.len()), (docs.view().rows, 1));
        let last = versions.last().unwrap().iter().collect();
        let query = vector(3, 0);
        let search = Search::new("docs", &query[..]).limit(10_000);
        assert!(is_found(&query, &last, &find(&docs, &search).results[0]));
        docs.flush().unwrap();
        let after = io.crash_losing_all(1).unwrap();
        let docs = open(&after);
        assert!(docs.index.lost.is_empty());
        assert!(is_found(&query, &last, &find(&docs, &search).results[0]));
    }
}

/// Whether hits are these points, each once and with its own score.
fn is_found(query: &[f32], points: &BTreeMap<&u64, &u64>, hits: &[Hit]) -> bool {
    let scores: BTreeMap<u64, f32> = hits
        .iter()
        .filter_map(|hit| match hit.id {
            Id::U64(id) => Some((id, hit.score)),
            _ => None,
        })
        .collect();
    let has = |(id, seed): (&&u64, &&u64)| {
        let row = vector(**id, **seed);
        let squared = query.iter().zip(&row).map(|(a, b)| (a - b) * (a - b));
        let score = squared.sum::<f32>().sqrt();
        let found = scores.get(*id);
        found.is_some_and(|found| (found - score).abs() <= 1e-3 * (1.0 + score))
    };
    hits.len() == points.len() && scores.len() == hits.len() && points.iter().all(has)
}

/// What a thread does.
type Work = fn(&World);

/// Runs threads in as many orders as the scheduler gives; returns how many pauses there were.
fn in_any_order(scheduler: impl Scheduler + 'static, threads: &'static [Work]) -> u64 {
    let mut config = shuttle::Config::new();
    // Of the engine, not of a model.
    config.stack_size = 1 << 20;
    config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
    let pauses = Rc::new(Cell::new(0));
    let counted = pauses.clone();
    let hook = move || {
        counted.set(counted.get() + 1);
        shuttle::thread::yield_now();
    };
    with_hook(hook, || {
        shuttle::Runner::new(scheduler, config).run(move || {
            let world = Arc::new(World::new());
            let handles: Vec<_> = threads
                .iter()
                .map(|thread| {
                    let world = world.clone();
                    shuttle::thread::spawn(move || thread(&world))
                })
                .collect();
            for handle in handles {
                handle.join().unwrap();
            }
            Arc::try_unwrap(world).ok().unwrap().check_end();
        });
    });
    pauses.get()
}

fn writer(world: &World) {
    world.write();
}

fn coder(world: &World) {
    world.keep(|_| world.docs.encode_some());
}

fn drainer(world: &World) {
    world.keep(|at_rest| world.docs.drain_some(at_rest, &|| false));
}

/// Compaction has locks that only this thread waits for.
fn keeper(world: &World) {
    let rounds = Cell::new(0);
    world.keep(|at_rest| {
        rounds.set(rounds.get() + 1);
        if rounds.get() == 6 {
            world.docs.compact(&Context::default()).unwrap();
        }
        world.docs.upkeep_some(at_rest, &|| false)
    });
}

fn indexer(world: &World) {
    world.keep(|at_rest| world.docs.upkeep_some(at_rest, &|| false));
}

fn first_reader(world: &World) {
    world.search(1);
}

fn second_reader(world: &World) {
    world.search(2);
}

fn copier(world: &World) {
    for number in 0..3 {
        world.snapshot(number);
        pause();
    }
}

const READING: &[Work] = &[writer, coder, drainer, keeper, first_reader, second_reader];
const COPYING: &[Work] = &[writer, coder, drainer, indexer, copier, first_reader];

#[test]
fn a_search_finds_the_points_of_one_moment_in_any_order_of_steps() {
    let pauses = in_any_order(RandomScheduler::new(ORDERS), READING);
    assert!(pauses > ORDERS as u64 * 50, "{pauses}");
    in_any_order(PctScheduler::new(4, ORDERS / 2), READING);
}

#[test]
fn a_snapshot_finds_its_points_in_any_order_of_steps() {
    in_any_order(RandomScheduler::new(ORDERS), COPYING);
}
