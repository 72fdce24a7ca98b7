//! Processes that share a path are killed, stopped and ended at random, over and over: what was
//! acknowledged is there, once; every answer is right; and those that live go on.
#![cfg(feature = "shm")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on should stop, and says what it did"
)]

#[path = "chaos/model.rs"]
mod model;
#[path = "common/process.rs"]
mod process;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearfield::{Builder, Collection, Metric};

use crate::model::{COLLECTION, DIMENSION, Model, random};
use crate::process::Process;

/// How the processes open the path. The last ones never own it.
const TARGETS: [&str; 5] = ["", "", "", "shm:", "unix:"];

#[test]
fn sixty_kills() {
    kill_over_and_over(60);
}

/// `cargo test --release -p nearfield --test chaos -- --ignored a_thousand_kills`
#[test]
#[ignore = "takes minutes"]
fn a_thousand_kills() {
    kill_over_and_over(1_000);
}

/// Not a test of its own: what the killed processes run.
#[test]
fn child() {
    process::run(|path, words| {
        let (target, part) = (words[0].trim_matches('.'), words[1].parse().unwrap());
        work(&open(target, path), part);
    });
}

fn open(target: &str, path: &Path) -> Collection {
    let builder = Builder::new(format!("{target}{}", path.display())).options(|options| {
        options.log_file_bytes = 4 << 20;
        options.checkpoint_bytes = 2 << 20;
        options.index_rows = 300;
        options.index_batch_rows = 256;
        options.index_list_rows = 128;
    });
    builder.open().unwrap().collection(COLLECTION).unwrap()
}

/// Writes and reads a part of the collection that nobody else writes, and checks each answer.
fn work(points: &Collection, part: u64) {
    let is_over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            process::wait();
            is_over.store(true, Ordering::Relaxed);
        });
        let mut model = Model::new(part);
        while !is_over.load(Ordering::Relaxed) {
            model.step(points);
            process::say("done");
        }
    });
}

/// A process, and how far it came.
struct Worker {
    target: &'static str,
    part: u64,
    process: Process,
    done: u64,
}

impl Worker {
    fn start(path: &Path, target: &'static str, part: u64) -> Worker {
        let words = format!(".{target} {part}");
        Worker {
            target,
            part,
            process: Process::start(path, &words),
            done: 0,
        }
    }

    /// Counts what it has said.
    fn listen(&mut self) {
        let said = self.process.said();
        self.done += said.iter().filter(|line| *line == "done").count() as u64;
    }

    /// Ends it, gently or not, and gives its part with the number of steps that it has made for
    /// sure.
    fn end(&mut self, gently: bool) -> (u64, u64) {
        match gently {
            true => self.process.go_on(),
            false => self.process.kill(),
        }
        while let Some(line) = self.process.next() {
            self.done += u64::from(line == "done");
        }
        if gently {
            self.process.end();
        }
        (self.part, self.done)
    }

    fn assert_goes_on(&mut self, within: Duration) {
        self.listen();
        let (before, start) = (self.done, Instant::now());
        while self.done == before {
            assert!(
                start.elapsed() < within && self.process.is_alive(),
                "the process of part {} came to a halt after {before} steps",
                self.part
            );
            std::thread::sleep(Duration::from_millis(2));
            self.listen();
        }
    }
}

fn kill_over_and_over(kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut chance = std::env::var("NEARFIELD_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("replay with NEARFIELD_SEED={chance}, though moments differ");
    let db = nearfield::connect(path.to_string_lossy()).unwrap();
    db.create_collection(COLLECTION, DIMENSION, Metric::Euclidean)
        .unwrap();
    drop(db);
    let mut parts = 0..;
    let mut start = |target| Worker::start(&path, target, parts.next().unwrap());
    let mut workers: Vec<Worker> = TARGETS.into_iter().map(&mut start).collect();
    let mut ended = Vec::new();
    let (mut killed, mut left, mut stopped) = (0, 0, 0);
    while killed < kills {
        std::thread::sleep(Duration::from_millis(20 + random(&mut chance) % 200));
        let victim = (random(&mut chance) % TARGETS.len() as u64) as usize;
        if random(&mut chance).is_multiple_of(4) {
            let pause = Duration::from_millis(random(&mut chance) % 400);
            workers[victim].process.signal("STOP");
            std::thread::sleep(pause);
            workers[victim].process.signal("CONT");
            stopped += 1;
            continue;
        }
        let gently = random(&mut chance).is_multiple_of(5);
        ended.push(workers[victim].end(gently));
        killed += u64::from(!gently);
        left += u64::from(gently);
        workers[victim] = start(workers[victim].target);
        for worker in &mut workers {
            assert!(worker.process.is_alive(), "part {} ended", worker.part);
        }
    }
    for worker in &mut workers {
        worker.assert_goes_on(Duration::from_secs(30));
    }
    ended.extend(workers.iter_mut().map(|worker| worker.end(false)));
    let points = open("", &path);
    let (mut steps, mut count) = (0, 0);
    for (part, done) in ended {
        steps += done;
        count += Model::new(part).assert_is_in(&points, done);
    }
    assert_eq!(points.count().run().unwrap().count, count);
    println!(
        "{killed} kills, {left} ends, {stopped} stops, {steps} steps acknowledged, {count} points"
    );
}
