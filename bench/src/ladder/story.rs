//! The story that Nearfield began with: what another project measured through its doors, what it
//! hoped for, and where it guessed that its time went; each beside what was measured here.

use serde::Serialize;

use super::door::Door;
use super::options::Op;
use super::row::Row;

/// The batch of the story.
const BATCH: usize = 1_000;

/// A figure of the story and ours.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: &'static str,
    /// What they measured, or hoped for.
    pub theirs: &'static str,
    /// The number that ours is compared with, vectors per second.
    pub theirs_rate: f64,
    /// Whether they hoped for it.
    pub is_hope: bool,
    /// Our door.
    pub door: &'static str,
    /// Vectors per call at our door.
    pub batch: usize,
    /// What was measured here; none if that was not run.
    pub ours_rate: Option<f64>,
}

/// A guess about where the time goes, and the share that was measured at our JSON door.
#[derive(Clone, Debug, Serialize)]
pub struct Guess {
    /// Where.
    pub what: &'static str,
    /// Their guess.
    pub guessed: &'static str,
    /// How it was measured here.
    pub how: &'static str,
    /// The share of the gap; none if that was not run.
    pub measured: Option<f64>,
}

/// The story's two tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Story {
    /// Rates.
    pub figures: Vec<Figure>,
    /// Shares of the gap between embedded and JSON over HTTP.
    pub guesses: Vec<Guess>,
}

/// What was measured there: a name, the figure as it was told, the number to beat, whether it was a
/// hope, our door, and the batch.
const FIGURES: [(&str, &str, f64, bool, Door, usize); 8] = [
    (
        "embedded",
        "147,586",
        147_586.0,
        false,
        Door::Embedded,
        BATCH,
    ),
    (
        "Python through JSON over HTTP",
        "33,248",
        33_248.0,
        false,
        Door::PythonHttpJson,
        BATCH,
    ),
    (
        "C, a call per vector",
        "1,322",
        1_322.0,
        false,
        Door::CSingle,
        1,
    ),
    (
        "C, in batches",
        "26,792",
        26_792.0,
        false,
        Door::CBatch,
        BATCH,
    ),
    (
        "Python, lists that are copied",
        "21,606",
        21_606.0,
        false,
        Door::PythonList,
        BATCH,
    ),
    (
        "a binary protocol",
        "50,000 to 60,000",
        60_000.0,
        true,
        Door::HttpMsgpack,
        BATCH,
    ),
    (
        "pooled connections",
        "40,000",
        40_000.0,
        true,
        Door::HttpJson,
        BATCH,
    ),
    (
        "shared memory",
        "over 100,000",
        100_000.0,
        true,
        Door::Shm,
        BATCH,
    ),
];

impl Story {
    /// Beside the rows of a run. Where the run had no batches of 1,000, its largest stand for them.
    pub(super) fn beside(rows: &[Row]) -> Story {
        let of = |door: Door, batch: usize| {
            let its = rows
                .iter()
                .filter(|row| row.door == door.name() && row.op == Op::Ingest.name());
            let mut its: Vec<&Row> = its.collect();
            its.sort_by_key(|row| row.batch.abs_diff(batch));
            its.first().copied()
        };
        let figures = FIGURES.map(|(what, theirs, theirs_rate, is_hope, door, batch)| {
            let ours = of(door, batch);
            Figure {
                what,
                theirs,
                theirs_rate,
                is_hope,
                door: door.name(),
                batch: ours.map_or(batch, |row| row.batch),
                ours_rate: ours.map(|row| row.rate),
            }
        });
        let json = of(Door::HttpJson, BATCH).filter(|row| row.unexplained.is_some());
        let shares = |stages: &[&str]| {
            let share = |row: &Row| {
                stages
                    .iter()
                    .filter_map(|stage| row.stages.get(stage))
                    .sum()
            };
            json.map(share)
        };
        let border = || {
            let (json, engine) = (json?, of(Door::Engine, BATCH)?);
            let gap = 1e6 / json.rate - 1e6 / engine.rate;
            let ffi = of(Door::PythonNumpy, BATCH)?.stages_us.get("ffi")?;
            Some(ffi / gap)
        };
        let guess = |what, guessed, how, measured| Guess {
            what,
            guessed,
            how,
            measured,
        };
        Story {
            figures: figures.to_vec(),
            guesses: vec![
                guess(
                    "JSON",
                    "30 to 40%",
                    "client_encode, decode, encode, client_decode",
                    shares(&["client_encode", "decode", "encode", "client_decode"]),
                ),
                guess(
                    "HTTP",
                    "20 to 30%",
                    "send, receive",
                    shares(&["send", "receive"]),
                ),
                guess(
                    "copies",
                    "20%",
                    "copy; what encoding and decoding copy counts there",
                    shares(&["copy"]),
                ),
                guess("async runtime", "10%", "queue", shares(&["queue"])),
                guess(
                    "FFI",
                    "10 to 20%",
                    "ffi of python-numpy, as a share of this gap",
                    border(),
                ),
            ],
        }
    }
}
