//! The power goes, or the process dies, at any operation on the disk, also while the store is
//! being opened: what was acknowledged is there, batches are whole, and the store opens.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should stop, and name its seed"
)]

mod harness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::{
    Event, Random, Story, any_thresholds, assert_no_leftovers, assert_recalled, call, call_as,
    each_seed,
};
use nearfield_engine::io::{Io, SimulatedIo};
use nearfield_engine::{Engine, Options, doctor_with};
use nearfield_model::{
    Batch, Compact, Count, CreateCollection, DropCollection, Durability, ErrorKind, Flush,
    ListCollections, Metric, RequestId, Result, Snapshot, Upsert,
};

const ROOT: &str = "/store";
const NAMES: [&str; 3] = ["albums", "books", "films"];

#[test]
fn a_thousand_seeds() {
    each_seed("power_loss", "NEARFIELD_SEED", 1_000, play);
    assert_recalled();
    let events = [
        Event::Trained,
        Event::NextEpoch,
        Event::OlderRows,
        Event::AssignedAnew,
        Event::Merged,
        Event::DeadRowsLeftOut,
        Event::TwoLevels,
        Event::DrainedAtRest,
        Event::Reopened,
        Event::SearchedCodes,
        Event::SearchedLists,
        Event::SearchedListedRows,
        Event::SearchedForAll,
        Event::SnapshotOpened,
    ];
    Event::assert_seen(&events, 10);
}

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    PowerLoss,
    Kill,
    Close,
}

/// A store and what is known of it.
struct World {
    random: Random,
    io: SimulatedIo,
    options: Options,
    stories: BTreeMap<String, Story>,
    /// A creation or removal that was sent and not answered.
    doubt: Option<Doubt>,
    /// The last snapshot that was answered, and what was there then.
    snapshot: Option<(PathBuf, Story)>,
    requests: u64,
    /// What happened to the machine since the store was last opened.
    power_lost: bool,
}

enum Doubt {
    Created(Box<Story>),
    Dropped(String),
}

fn play(seed: u64) {
    let mut random = Random(seed);
    let mut options = Options::default();
    options.background = false;
    options.log_file_bytes = 1 << 20;
    options.checkpoint_bytes = random.pick(&[20_000, 200_000, 64 << 20]);
    options.search_threads = 1;
    any_thresholds(&mut random, &mut options);
    let mut world = World {
        io: SimulatedIo::new(seed),
        options,
        stories: BTreeMap::new(),
        doubt: None,
        snapshot: None,
        requests: 0,
        power_lost: false,
        random,
    };
    let rounds = 2 + world.random.below(4);
    for _ in 0..rounds {
        let engine = world.open();
        world.settle(&engine);
        world.work(engine);
    }
    let engine = world.open();
    world.settle(&engine);
    drop(engine);
    world.examine();
    world.open_snapshot();
}

impl World {
    fn is_dead(&self) -> bool {
        self.io.exists(Path::new("/")).is_err()
    }

    fn restart(&mut self, end: End) {
        let seed = self.random.next();
        match end {
            End::PowerLoss if self.random.percent(20) => {
                self.io = self.io.crash_losing_all(seed).unwrap();
            }
            End::PowerLoss => self.io = self.io.crash(seed).unwrap(),
            End::Kill => self.io = self.io.kill().unwrap(),
            End::Close => return,
        }
        self.power_lost |= end == End::PowerLoss;
    }

    fn any_crash(&mut self) -> End {
        self.random
            .pick(&[End::PowerLoss, End::PowerLoss, End::Kill])
    }

    /// Opens the store, crashing on the way now and then.
    fn open(&mut self) -> Engine {
        if self.random.percent(20) {
            self.examine();
        }
        loop {
            if self.random.percent(40) {
                let operations = self.random.below(60);
                self.io.power_off_after(operations);
            }
            let io = Arc::new(self.io.clone());
            match Engine::open_with(io, Path::new(ROOT), self.options.clone()) {
                Ok(engine) => {
                    self.io.power_off_after(u64::MAX);
                    if self.is_dead() {
                        // It went after the last operation that opening needs.
                        drop(engine);
                    } else {
                        return engine;
                    }
                }
                Err(error) => assert!(self.is_dead(), "the store does not open: {error}"),
            }
            let end = self.any_crash();
            self.restart(end);
        }
    }

    /// Nothing is damaged, in the eyes of the doctor.
    fn examine(&self) {
        match doctor_with(Arc::new(self.io.clone()), Path::new(ROOT), &self.options) {
            Ok(report) => {
                let fault = report.findings.iter().find(|finding| finding.is_fault);
                assert_eq!(fault, None);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    }

    /// Compares what is there with what may be.
    fn settle(&mut self, engine: &Engine) {
        let names = call(engine, ListCollections {}).unwrap().collections;
        match self.doubt.take() {
            Some(Doubt::Created(story)) if names.iter().any(|name| name == story.name()) => {
                self.stories.insert(story.name().to_owned(), *story);
            }
            Some(Doubt::Dropped(name)) if !names.contains(&name) => {
                self.stories.remove(&name);
            }
            _ => {}
        }
        let expected: Vec<String> = self.stories.keys().cloned().collect();
        assert_eq!(names, expected);
        for story in self.stories.values_mut() {
            let floor = if self.power_lost {
                story.synced
            } else {
                story.acknowledged
            };
            story.settle(engine, floor);
            story.look_at_index(engine, &self.options);
            Event::Reopened.note(story.indexed() > 0);
            story.check_search(engine, &mut self.random);
            if self.random.percent(50) {
                story.retry(engine, &mut self.random).unwrap();
            }
        }
        self.power_lost = false;
        assert_no_leftovers(&self.io, ROOT, engine);
    }

    /// The last snapshot is a store of its own, whatever happened since it was answered, with the
    /// points of that moment and the index that it had.
    fn open_snapshot(&mut self) {
        let Some((path, mut story)) = self.snapshot.clone() else {
            return;
        };
        let io = Arc::new(self.io.clone());
        let engine = Engine::open_with(io, &path, self.options.clone()).unwrap();
        let indexed = story.indexed();
        story.settle(&engine, story.acknowledged);
        story.look_at_index(&engine, &self.options);
        Event::SnapshotOpened.note(indexed > 0 && story.indexed() > 0);
        story.check_search(&engine, &mut self.random);
        // It takes writes like any other.
        let write = story.any_write(&mut self.random);
        story.write(&engine, write, Durability::Sync).unwrap();
        story.settle(&engine, story.acknowledged);
        self.snapshot = None;
    }

    /// Works until the power goes, or until enough is done, and ends the round.
    fn work(&mut self, engine: Engine) {
        if self.random.percent(75) {
            let operations = self.random.below(250);
            self.io.power_off_after(operations);
        }
        for _ in 0..self.random.below(80) {
            if let Err(error) = self.step(&engine) {
                assert!(self.is_dead(), "{error}");
                break;
            }
        }
        let end = if self.is_dead() {
            self.any_crash()
        } else {
            self.random.pick(&[End::PowerLoss, End::Kill, End::Close])
        };
        if end == End::Close {
            drop(engine);
            if self.is_dead() {
                let end = self.any_crash();
                self.restart(end);
            } else {
                self.io.power_off_after(u64::MAX);
                self.stories.values_mut().for_each(Story::flushed);
            }
        } else {
            self.restart(end);
            // The machine that it ran on is dead by now.
            drop(engine);
        }
    }

    fn step(&mut self, engine: &Engine) -> Result<()> {
        let kind = self.random.below(100);
        if self.stories.is_empty() || kind < 3 {
            return self.create(engine);
        }
        let position = self.random.below(self.stories.len() as u64) as usize;
        let name = self.stories.keys().nth(position).unwrap().clone();
        let story = self.stories.get_mut(&name).unwrap();
        match kind {
            3..5 => self.drop_collection(engine, name),
            5..10 => {
                let flushed = call(engine, Flush::new(&name))?;
                story.flushed();
                assert_eq!(flushed.sequence, story.synced);
                story.look_at_index(engine, &self.options);
                Ok(())
            }
            10..14 => call(engine, Compact::new(&name)).map(drop),
            14..16 => {
                story.look_at_index(engine, &self.options);
                match call(engine, Snapshot::new(&name)) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                    taken => {
                        let taken = taken?;
                        assert_eq!(taken.count, story.now.len() as u64);
                        self.snapshot = Some((taken.path.into(), story.clone()));
                        Ok(())
                    }
                }
            }
            16..20 => story.retry(engine, &mut self.random),
            20..24 => {
                story.look_at_index(engine, &self.options);
                story.check_search(engine, &mut self.random);
                Ok(())
            }
            _ => {
                let write = story.any_write(&mut self.random);
                let durability = self.random.pick(&[Durability::Sync, Durability::Os]);
                story.write(engine, write, durability)
            }
        }
    }

    fn request(&mut self) -> Option<RequestId> {
        self.requests += 1;
        Some(RequestId {
            client: [9; 16],
            number: self.requests,
        })
    }

    fn create(&mut self, engine: &Engine) -> Result<()> {
        let name = self.random.pick(&NAMES);
        let story = Story::any(name, &mut self.random);
        let request = self.request();
        if self.stories.contains_key(name) {
            let error = call_as(engine, request, story.schema).unwrap_err();
            assert!(error.kind() == ErrorKind::AlreadyExists || self.is_dead());
            return Ok(());
        }
        let schema = story.schema.clone();
        self.doubt = Some(Doubt::Created(Box::new(story.clone())));
        call_as(engine, request, schema)?;
        self.doubt = None;
        self.stories.insert(name.to_owned(), story);
        Ok(())
    }

    fn drop_collection(&mut self, engine: &Engine, name: String) -> Result<()> {
        let request = self.request();
        self.doubt = Some(Doubt::Dropped(name.clone()));
        call_as(engine, request, DropCollection::new(&name))?;
        self.doubt = None;
        self.stories.remove(&name);
        Ok(())
    }
}

#[test]
fn a_snapshot_after_a_kill_holds_log_files_without_records() {
    let io = SimulatedIo::new(1);
    let mut options = Options::default();
    options.background = false;
    let open = |io: &SimulatedIo, path: &str| {
        Engine::open_with(Arc::new(io.clone()), Path::new(path), options.clone()).unwrap()
    };
    let engine = open(&io, ROOT);
    call(&engine, CreateCollection::new("albums", 512, Metric::Dot)).unwrap();
    // More than the first file is planned to take.
    let ids: Vec<u64> = (0..1_000).collect();
    let batch = Batch::from_values(ids, vec![1.0; 512 * 1_000]);
    call(&engine, Upsert::new("albums", batch)).unwrap();
    let io = io.kill().unwrap();
    drop(engine);
    let engine = open(&io, ROOT);
    call(&engine, Snapshot::new("albums").destination("/copy")).unwrap();
    let copy = open(&io, "/copy");
    let counted = call(&copy, Count::new("albums")).unwrap();
    assert_eq!(counted.count, 1_000);
}
