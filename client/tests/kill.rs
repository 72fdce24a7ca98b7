//! A process that writes is killed with SIGKILL at a random moment, over and over on one store:
//! all that it said was acknowledged is there, and the store opens.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should stop; it talks through pipes and lets time pass"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nearfield_engine::{Engine, Options, doctor};
use nearfield_model::{
    Batch, Context, CreateCollection, Delete, DescribeCollection, Durability, ErrorKind, Get, Ids,
    Metadata, Metric, Scan, Search, Service, UpdateMetadata, Upsert, Verb,
};

const STORE: &str = "NEARFIELD_KILL_STORE";
const SEED: &str = "NEARFIELD_KILL_SEED";
const IDS: &str = "NEARFIELD_KILL_IDS";
const DIMENSION: usize = 32;
const IDS_MAX: u64 = 6_000;

#[test]
fn thirty_kills() {
    kill_over_and_over(30);
}

/// `cargo test --release -p nearfield --test kill -- --ignored a_thousand_kills`
#[test]
#[ignore = "takes minutes"]
fn a_thousand_kills() {
    kill_over_and_over(1_000);
}

/// Not a test of its own: what the killed process runs.
#[test]
fn child() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (Ok(store), Some(seed), Some(ids)) = (std::env::var(STORE), number(SEED), number(IDS))
    else {
        return;
    };
    write_for_ever(Path::new(&store), seed, ids);
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn options() -> Options {
    let mut options = Options::default();
    options.log_file_bytes = 4 << 20;
    options.checkpoint_bytes = 2 << 20;
    options.index_rows = 300;
    options.index_batch_rows = 256;
    options.index_list_rows = 128;
    options.exact_rows = 0;
    options
}

fn call<'a, V: Verb<'a>>(engine: &Engine, request: V) -> nearfield_model::Result<V::Answer> {
    engine.call(&Context::default(), request.into())?.try_into()
}

/// One write, as both sides make it from its seed.
#[derive(Debug)]
enum Act {
    /// Writes so many points from this id on, with this number as their value.
    Upsert(u64, u64),
    Delete(u64, u64),
    Update(u64, u64),
}

/// Among so many ids, so that the index grows from epoch to epoch.
fn ids_of(kill: u64) -> u64 {
    (200 + 150 * kill).min(IDS_MAX)
}

fn act(seed: u64, ids: u64) -> (Act, Durability) {
    let mut state = seed;
    let durability = [Durability::Sync, Durability::Os][(random(&mut state) % 2) as usize];
    let count = match random(&mut state) % 4 {
        0 => 1,
        1 => 1 + random(&mut state) % (ids / 3),
        _ => 1 + random(&mut state) % 100,
    };
    let first = random(&mut state) % (ids - count);
    let act = match random(&mut state) % 10 {
        0..7 => Act::Upsert(first, count),
        7..9 => Act::Delete(first, count),
        _ => Act::Update(first, count.min(200)),
    };
    (act, durability)
}

fn send(engine: &Engine, seed: u64, ids: u64) -> nearfield_model::Result<u64> {
    let (act, durability) = act(seed, ids);
    match act {
        Act::Upsert(first, count) => {
            let ids: Vec<u64> = (first..first + count).collect();
            let values = ids.iter().flat_map(|id| vector(*id, seed)).collect();
            let batch = Batch::from_values(ids, values);
            Ok(call(engine, Upsert::new("points", batch).durability(durability))?.sequence)
        }
        Act::Delete(first, count) => {
            let ids = Ids::from((first..first + count).collect::<Vec<u64>>());
            Ok(call(engine, Delete::new("points", ids).durability(durability))?.sequence)
        }
        Act::Update(first, count) => {
            let ids = Ids::from((first..first + count).collect::<Vec<u64>>());
            let patch = Metadata::parse(&format!("{{\"seed\":{seed}}}"))?;
            let update = UpdateMetadata::new("points", ids, patch).durability(durability);
            Ok(call(engine, update)?.sequence)
        }
    }
}

fn vector(id: u64, seed: u64) -> [f32; DIMENSION] {
    std::array::from_fn(|position| {
        let mut state = seed ^ (id << 20) ^ position as u64;
        1.0 + (random(&mut state) % 1_000) as f32
    })
}

/// Opens the store and writes; says of each write its seed, and then its number.
fn write_for_ever(store: &Path, mut seed: u64, ids: u64) {
    let engine = match Engine::open(store, options()) {
        Ok(engine) => engine,
        Err(error) => {
            println!("\nfailed {error}");
            return;
        }
    };
    match call(
        &engine,
        CreateCollection::new("points", DIMENSION, Metric::Euclidean),
    ) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => drop(made.unwrap()),
    }
    let mut out = std::io::stdout();
    let mut say = |text: String| {
        out.write_all(text.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    say("\nopened\n".to_owned());
    loop {
        // 48 bits, which a JSON number keeps.
        let write = random(&mut seed) >> 16;
        say(format!("begin {write}\n"));
        match send(&engine, write, ids) {
            Ok(sequence) => say(format!("done {sequence}\n")),
            Err(error) => say(format!("failed {error}\n")),
        }
    }
}

/// The value of each point: the seed of its vector, and that of its last update.
type State = BTreeMap<u64, (u64, Option<u64>)>;

fn apply(state: &mut State, seed: u64, ids: u64) {
    match act(seed, ids).0 {
        Act::Upsert(first, count) => {
            state.extend((first..first + count).map(|id| (id, (seed, None))));
        }
        Act::Delete(first, count) => {
            (first..first + count).for_each(|id| _ = state.remove(&id));
        }
        Act::Update(first, count) => {
            for id in first..first + count {
                if let Some(point) = state.get_mut(&id) {
                    point.1 = Some(seed);
                }
            }
        }
    }
}

fn kill_over_and_over(kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let mut chance = std::env::var("NEARFIELD_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("replay with NEARFIELD_SEED={chance}, though moments differ");
    let mut state = State::new();
    let mut sequence = 0;
    let (mut acknowledged, mut points, mut indexed, mut epochs) = (0, 0, 0, 0);
    for kill in 0..kills {
        let seed = random(&mut chance);
        // Some live long enough to train an index.
        let longest = if kill % 6 == 5 { 1_000_000 } else { 120_000 };
        let delay = Duration::from_micros(random(&mut chance) % longest);
        let ids = ids_of(kill);
        let (done, begun) = run_and_kill(&store, seed, ids, delay);
        // All writes that were answered, and perhaps the one in flight.
        for write in &done {
            apply(&mut state, *write, ids);
        }
        acknowledged += done.len();
        sequence += done.len() as u64;
        if !store.join("catalog").exists() {
            assert!(done.is_empty());
            continue;
        }
        // Every other time the next process is the first to open it after the kill.
        if kill % 2 == 1 && begun.is_none() {
            continue;
        }
        let engine =
            Engine::open(&store, options()).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        let there = match call(&engine, DescribeCollection::new("points")) {
            Ok(description) => {
                if let Some(index) = description.index {
                    assert_eq!(index.fault, None, "kill {kill}");
                    indexed = indexed.max(index.rows);
                    epochs = epochs.max(index.epoch);
                }
                description.sequence
            }
            Err(error) => {
                assert!(
                    error.kind() == ErrorKind::NotFound && sequence == 0,
                    "{error}"
                );
                continue;
            }
        };
        match begun {
            Some(write) if there == sequence + 1 => {
                apply(&mut state, write, ids);
                sequence += 1;
            }
            _ => assert_eq!(there, sequence, "kill {kill}: writes that are there"),
        }
        points += compare(&engine, &state, kill);
        search(&engine, &state, kill);
        drop(engine);
    }
    // Left alone, the index is made to the end.
    let engine = Engine::open(&store, options()).unwrap();
    for round in 0.. {
        let description = call(&engine, DescribeCollection::new("points")).unwrap();
        let index = description.index;
        let is_few = |rows: u64| description.unindexed <= rows / 256;
        if index.is_some_and(|index| is_few(index.rows) && index.older_epoch_rows == 0) {
            break;
        }
        assert!(round < 3_000, "the index is never done");
        std::thread::sleep(Duration::from_millis(10));
    }
    search(&engine, &state, kills);
    drop(engine);
    let report = doctor(&store, &options()).unwrap();
    // A kill in the middle of a write leaves part of it, which is cut and told: no fault.
    let is_fault = report.findings.iter().any(|finding| finding.is_fault);
    assert!(!is_fault, "{:?}", report.findings);
    println!(
        "{kills} kills, {acknowledged} writes acknowledged, {points} points compared, \
         {indexed} rows in the index, {epochs} epochs"
    );
}

/// Searches by codes find all points, each once, in order, with their own scores.
fn search(engine: &Engine, state: &State, kill: u64) {
    let query = vector(kill, 0);
    let found = call(engine, Search::new("points", &query[..]).limit(10_000)).unwrap();
    let mut ids = BTreeSet::new();
    let mut last = 0.0;
    for hit in &found.results[0] {
        let nearfield_model::Id::U64(id) = hit.id else {
            panic!("kill {kill}: {} was never written", hit.id);
        };
        assert!(ids.insert(id), "kill {kill}: {id} twice");
        let (seed, _) = state[&id];
        let pairs = query.iter().zip(vector(id, seed));
        let squared: f64 = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let score = f64::from(hit.score);
        assert!(
            (score - squared.sqrt()).abs() <= 1e-4 * score,
            "kill {kill}: {id}"
        );
        assert!(score >= last, "kill {kill}: {id}");
        last = score;
    }
    assert_eq!(ids.len(), state.len(), "kill {kill}: hits");
}

fn compare(engine: &Engine, state: &State, kill: u64) -> usize {
    let mut seen = 0;
    let mut cursor = None;
    loop {
        let scan = Scan::new("points")
            .limit(5_000)
            .with_vectors(true)
            .cursor(cursor);
        let page = call(engine, scan).unwrap();
        for point in page.points {
            seen += 1;
            let nearfield_model::Id::U64(id) = point.id else {
                panic!("kill {kill}: {} was never written", point.id);
            };
            let (seed, updated) = state
                .get(&id)
                .unwrap_or_else(|| panic!("kill {kill}: {id} was removed"));
            assert_eq!(
                point.vector.as_deref(),
                Some(&vector(id, *seed)[..]),
                "kill {kill}"
            );
            let metadata = point
                .metadata
                .and_then(|metadata| metadata.get("seed")?.as_u64());
            assert_eq!(metadata, *updated, "kill {kill}: {id}");
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, state.len(), "kill {kill}: points");
    for id in state.keys().take(20) {
        let got = call(engine, Get::new("points", *id)).unwrap();
        assert!(got.points[0].is_some(), "kill {kill}: {id}");
    }
    seen
}

/// Gives the writes that were answered, and the one that was begun and not answered.
fn run_and_kill(store: &Path, seed: u64, ids: u64, delay: Duration) -> (Vec<u64>, Option<u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(STORE, store)
        .env(SEED, seed.to_string())
        .env(IDS, ids.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    // A reader of its own, or the child would wait for room in the pipe.
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        let mut line = String::new();
        let mut first = Some(());
        while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
            text.push_str(&line);
            line.clear();
            if text.contains("opened\n") && first.take().is_some() {
                break;
            }
        }
        (text, lines)
    });
    // A quarter of the kills fall into the opening, the others into the writing.
    let (mut text, mut lines) = if seed.is_multiple_of(4) {
        std::thread::sleep(delay / 4);
        child.kill().unwrap();
        reading.join().unwrap()
    } else {
        let (text, lines) = reading.join().unwrap();
        let rest = std::thread::spawn(move || {
            let (mut text, mut lines) = (text, lines);
            lines.read_to_string(&mut text).unwrap();
            (text, lines)
        });
        std::thread::sleep(delay);
        child.kill().unwrap();
        rest.join().unwrap()
    };
    child.wait().unwrap();
    lines.read_to_string(&mut text).unwrap();
    let mut done = Vec::new();
    let mut begun = None;
    for line in text.lines() {
        assert!(!line.starts_with("failed"), "{line}");
        match line.split_once(' ') {
            Some(("begin", write)) => begun = write.parse().ok(),
            Some(("done", _)) => done.extend(begun.take()),
            _ => {}
        }
    }
    (done, begun)
}
