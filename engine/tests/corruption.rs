//! Bits flip, stretches are overwritten, files are cut or gone: the store answers with an error
//! that names the file, or with what was written, and never with anything else.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should stop, and name its seed"
)]

mod harness;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;

use harness::{Event, Random, State, Story, any_thresholds, call, each_seed};
use nearfield_engine::io::{Io, SimulatedIo};
use nearfield_engine::{Engine, Finding, Options, doctor_with};
use nearfield_model::{
    Compact, Durability, Error, ErrorKind, Flush, Get, Ids, ListCollections, Result,
};

const ROOT: &str = "/store";
const CASES: u64 = 1_800;
const STORES: u64 = 8;
/// Bytes of the mark behind the last record.
const MARK_BYTES: u64 = 128;

#[test]
fn damage_is_refused_or_repaired() {
    let stores: Vec<Store> = (0..STORES).map(Store::new).collect();
    let tally = Mutex::new([0; 5]);
    each_seed("corruption", "NEARFIELD_SEED", CASES, |seed| {
        let outcome = stores[(seed % STORES) as usize].suffer(seed);
        tally.lock().unwrap()[outcome as usize] += 1;
    });
    let [refused, read_refused, intact, cut, ended] = tally.into_inner().unwrap();
    println!(
        "not opened: {refused}, refused when read: {read_refused}, intact: {intact}, \
         cut of what was not confirmed: {cut}, last writes gone with their mark: {ended}"
    );
    let events = [
        Event::Trained,
        Event::NextEpoch,
        Event::Merged,
        Event::Reopened,
        Event::LostAtOpening,
        Event::SearchedLists,
        Event::SearchedForAll,
    ];
    Event::assert_seen(&events, 10);
}

/// What came of a damage.
#[derive(Clone, Copy)]
enum Outcome {
    NotOpened,
    ReadRefused,
    Intact,
    Cut,
    EndGone,
}

/// A store at rest, and all that it held over time.
struct Store {
    io: SimulatedIo,
    options: Options,
    closed: bool,
    collections: Vec<Past>,
}

/// A collection's states after each write; of those from `confirmed` on, any may be lost.
struct Past {
    story: Story,
    states: Vec<State>,
    confirmed: usize,
    /// The number of its folder.
    folder: usize,
}

/// Most stores have indexes.
fn options(number: u64) -> Options {
    let mut options = Options::default();
    options.background = false;
    options.log_file_bytes = 1 << 20;
    options.checkpoint_bytes = 300_000;
    options.search_threads = 1;
    any_thresholds(&mut Random(number), &mut options);
    options
}

fn open(io: &SimulatedIo, options: &Options) -> Result<Engine> {
    Engine::open_with(Arc::new(io.clone()), Path::new(ROOT), options.clone())
}

impl Store {
    /// Stores of even numbers were closed, the others killed.
    fn new(number: u64) -> Store {
        let mut random = Random(number * 977);
        let io = SimulatedIo::new(number);
        let options = options(number);
        let engine = open(&io, &options).unwrap();
        let mut collections = Vec::new();
        for (folder, name) in ["albums", "books"].into_iter().enumerate() {
            let mut story = Story::any(name, &mut random);
            call(&engine, story.schema.clone()).unwrap();
            let mut states = vec![State::new()];
            let writes = 25 + random.below(30);
            for round in 0..writes {
                let write = story.any_write(&mut random);
                let durability = random.pick(&[Durability::Sync, Durability::Os]);
                story.write(&engine, write, durability).unwrap();
                states.push(story.now.clone());
                if round == writes / 2 && !number.is_multiple_of(3) {
                    call(&engine, Compact::new(name)).unwrap();
                }
                if round == writes * 3 / 4 && number % 3 == 1 {
                    call(&engine, Flush::new(name)).unwrap();
                    story.flushed();
                }
            }
            let confirmed = story.synced as usize;
            collections.push(Past {
                story,
                states,
                confirmed,
                folder: folder + 1,
            });
        }
        let closed = number.is_multiple_of(2);
        let io = if closed {
            drop(engine);
            for past in &mut collections {
                past.confirmed = past.states.len() - 1;
            }
            io.kill().unwrap()
        } else {
            let left = io.kill().unwrap();
            drop(engine);
            left
        };
        Store {
            io,
            options,
            closed,
            collections,
        }
    }

    /// Damages a copy of the store and looks at what it says.
    fn suffer(&self, seed: u64) -> Outcome {
        let mut random = Random(seed);
        let io = self.io.kill().unwrap();
        let damage = Damage::any(&io, &mut random);
        let note = format!("{damage:?}, closed: {}", self.closed);
        let before = content(&io, &damage.path);
        damage.inflict(&io, &mut random);
        let changed = content(&io, &damage.path) != before;
        let by_doctor = doctor_with(Arc::new(io.clone()), Path::new(ROOT), &self.options);
        let engine = match open(&io, &self.options) {
            Ok(engine) => engine,
            Err(error) => {
                damage.assert_named(&error, &note);
                if let Ok(report) = by_doctor {
                    let faults = report.findings.iter().filter(|finding| finding.is_fault);
                    assert!(faults.count() > 0, "{note}: the doctor sees nothing");
                }
                return Outcome::NotOpened;
            }
        };
        let names = call(&engine, ListCollections {}).unwrap().collections;
        assert_eq!(names, ["albums", "books"], "{note}");
        if damage.is_of_index() {
            let findings = &by_doctor.as_ref().unwrap().findings;
            let path = damage.path.to_string_lossy();
            let named = |finding: &Finding| !finding.is_fault && finding.message.contains(&*path);
            assert_eq!(findings.iter().any(named), changed, "{note}: {findings:?}");
            assert!(!findings.iter().any(|finding| finding.is_fault), "{note}");
        }
        let mut outcome = Outcome::Intact;
        for past in &self.collections {
            match past.compare(&engine, &self.options, &damage, &mut random, &note) {
                Ok(None) => {}
                Ok(Some(sequence)) => {
                    let report = by_doctor.as_ref().unwrap();
                    let named = report.findings.iter().any(|finding| {
                        finding.message.contains("were cut")
                            && finding
                                .message
                                .contains(&format!("writes after {sequence} "))
                    });
                    assert!(
                        named || damage.takes_the_end(past),
                        "{note}: the doctor does not name the cut: {report:?}"
                    );
                    outcome = if sequence < past.confirmed {
                        Outcome::EndGone
                    } else {
                        Outcome::Cut
                    };
                }
                Err(error) => {
                    damage.assert_named(&error, &note);
                    let report = by_doctor.as_ref().unwrap();
                    let seen = report.findings.iter().any(|finding| finding.is_fault);
                    assert!(seen, "{note}: {error}: the doctor sees nothing");
                    outcome = Outcome::ReadRefused;
                }
            }
        }
        outcome
    }
}

impl Past {
    /// Reads everything. Gives the last write that is there if it is not the last of all.
    fn compare(
        &self,
        engine: &Engine,
        options: &Options,
        damage: &Damage,
        random: &mut Random,
        note: &str,
    ) -> Result<Option<usize>> {
        let name = self.story.name();
        let description = call(engine, nearfield_model::DescribeCollection::new(name))?;
        let sequence = description.sequence as usize;
        let last = self.states.len() - 1;
        let least = if damage.takes_the_end(self) {
            0
        } else {
            self.confirmed
        };
        assert!(
            (least..=last).contains(&sequence),
            "{note}: {name}: {least} to {last} writes may be there, not {sequence}"
        );
        let state = &self.states[sequence];
        assert_eq!(description.count, state.len() as u64, "{note}: {name}");
        let mut refused = None;
        // One by one, so that what can be read is compared even where the rest is refused.
        for (id, row) in state {
            match call(engine, Get::new(name, Ids::from(vec![id.clone()]))) {
                Ok(got) => {
                    let point = got.points[0].as_ref();
                    let point = point.unwrap_or_else(|| panic!("{note}: {name}: {id} is gone"));
                    assert_eq!(point.vector.as_deref(), Some(&*row.vector), "{note}: {id}");
                    let metadata = point.metadata.as_ref().map(|metadata| metadata.as_str());
                    assert_eq!(metadata, row.metadata.as_deref(), "{note}: {id}");
                }
                Err(error) => refused = Some(error),
            }
        }
        match harness::scan(engine, name) {
            Ok(found) => assert!(found == *state, "{note}: {name}"),
            Err(error) => refused = Some(error),
        }
        let mut story = self.story.clone();
        story.now = state.clone();
        story.look_at_index(engine, options);
        Event::Reopened.note(story.indexed() > 0);
        if let Err(error) = story.search_as_expected(engine, random) {
            refused = Some(error);
        }
        match refused {
            Some(error) => Err(error),
            None => Ok((sequence < last).then_some(sequence)),
        }
    }
}

/// What is done to a file.
#[derive(Debug)]
struct Damage {
    path: PathBuf,
    kind: Kind,
    /// Whether it is the last log file that holds records.
    last: bool,
    /// Where the last byte that is not zero ends.
    used: u64,
}

#[derive(Debug)]
enum Kind {
    Flip(u64, u32),
    Overwrite(u64, Bytes),
    Cut(u64),
    Delete,
}

struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.0.iter().all(|byte| *byte == 0) {
            "zeros"
        } else {
            "bytes"
        };
        write!(f, "{} {kind}", self.0.len())
    }
}

impl Damage {
    fn any(io: &SimulatedIo, random: &mut Random) -> Damage {
        let files = io.files().unwrap();
        // Each kind of file is hit as often, however many there are.
        let endings = [
            "0.log",
            "0.log",
            "1.log",
            ".checkpoint",
            "manifest",
            "catalog",
            "lock",
            ".segment",
            ".segment",
            ".model",
            "index.manifest",
        ];
        let (path, length) = loop {
            let ending = random.pick(&endings);
            let fitting: Vec<_> = files
                .iter()
                .filter(|(path, _)| path.to_string_lossy().ends_with(ending))
                .collect();
            if !fitting.is_empty() {
                break fitting[random.below(fitting.len() as u64) as usize].clone();
            }
        };
        let folder = path.parent();
        let logs = files.iter().filter(|(other, _)| {
            other.parent() == folder && other.extension().is_some_and(|end| end == "log")
        });
        let written = logs.filter(|(path, _)| {
            io.open(path).is_ok_and(|file| {
                let mut header = [0; 8];
                file.read_at(0, &mut header).is_ok() && header != [0; 8]
            })
        });
        let last = written.map(|(path, _)| path).max() == Some(&path);
        let used = used(io, &path, length);
        // Mostly where there is something, and often where headers and ends are.
        let offset = match random.below(10) {
            0..2 => random.below(length.clamp(1, 256)),
            2..4 => used.saturating_sub(1 + random.below(400)),
            4 => random.below(length.max(1)),
            _ => random.below(used.max(1)),
        };
        let kind = match random.below(20) {
            _ if length == 0 => Kind::Delete,
            0..8 => Kind::Flip(offset, random.below(8) as u32),
            8..13 => {
                let count = 1 + random.below((length - offset).clamp(1, 3_000));
                let bytes: Vec<u8> = match random.below(3) {
                    0 => vec![0; count as usize],
                    _ => (0..count).map(|_| random.next() as u8).collect(),
                };
                let fitting = bytes.len().min((length - offset) as usize);
                Kind::Overwrite(offset, Bytes(bytes[..fitting].to_vec()))
            }
            13..18 => Kind::Cut(offset),
            _ => Kind::Delete,
        };
        Damage {
            path,
            kind,
            last,
            used,
        }
    }

    fn inflict(&self, io: &SimulatedIo, _random: &mut Random) {
        match &self.kind {
            Kind::Flip(offset, bit) => io.flip_bit(&self.path, *offset, *bit).unwrap(),
            Kind::Overwrite(offset, bytes) => io.overwrite(&self.path, *offset, &bytes.0).unwrap(),
            Kind::Cut(length) => io.truncate(&self.path, *length).unwrap(),
            Kind::Delete => io.remove(&self.path).unwrap(),
        }
    }

    /// Whether the end of a log is gone with the mark behind it. Nothing else in the store
    /// tells of writes after the last checkpoint: it looks like a write that never ended.
    fn takes_the_end(&self, past: &Past) -> bool {
        let folder = format!("/{:08}/", past.folder);
        let cut = match &self.kind {
            Kind::Cut(_) => true,
            Kind::Overwrite(offset, bytes) => {
                offset + bytes.0.len() as u64 + MARK_BYTES > self.used
            }
            Kind::Flip(..) | Kind::Delete => false,
        };
        self.last && cut && self.path.to_string_lossy().contains(&folder)
    }

    fn is_of_index(&self) -> bool {
        let path = self.path.to_string_lossy();
        [".segment", ".model", "index.manifest"]
            .iter()
            .any(|end| path.ends_with(end))
    }

    /// An error says what is wrong and where.
    fn assert_named(&self, error: &Error, note: &str) {
        let kinds = [ErrorKind::Corruption, ErrorKind::Storage];
        assert!(kinds.contains(&error.kind()), "{note}: {error:?}");
        let message = error.message();
        let path = self.path.to_string_lossy();
        assert!(message.contains(&*path), "{note}: {message}");
        assert!(message.contains("offset"), "{note}: {message}");
    }
}

/// What a file holds; none if it is gone.
fn content(io: &SimulatedIo, path: &Path) -> Option<Vec<u8>> {
    let file = io.open(path).ok()?;
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    Some(bytes)
}

/// Where the last byte that is not zero lies.
fn used(io: &SimulatedIo, path: &Path, length: u64) -> u64 {
    let mut bytes = vec![0; length as usize];
    io.open(path).unwrap().read_at(0, &mut bytes).unwrap();
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at as u64 + 1)
}
