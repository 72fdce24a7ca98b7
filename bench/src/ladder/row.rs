//! What a run found, as programs read it.

use std::collections::BTreeMap;

use nearfield::Stage;
use serde::Serialize;
use serde_json::Value;

use super::attribution::attribute;
use super::door::Door;
use super::leg::{Cell, Leg};
use super::options::Op;
use super::story::Story;
use crate::machine::Machine;
use crate::statistics::Spread;

/// A door, what it did, and how fast.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The door's name.
    pub door: &'static str,
    /// `ingest` or `search`.
    pub op: &'static str,
    /// Vectors or queries per request.
    pub batch: usize,
    /// Median over the rounds.
    pub rate: f64,
    /// `vectors/s` or `queries/s`.
    pub unit: &'static str,
    /// To the embedded door's rate, in the same rounds.
    pub ratio: Option<f64>,
    /// Half the way from the slowest to the fastest round, as a share of the median.
    pub spread: f64,
    /// The slowest round.
    pub rate_low: f64,
    /// The fastest round.
    pub rate_high: f64,
    /// Microseconds per request, median over the rounds.
    pub p50_us: f64,
    /// The same, of the slowest hundredth.
    pub p99_us: f64,
    /// `sync` or `os`.
    pub durability: &'static str,
    /// Shares of the gap to the bare engine, by stage.
    pub stages: BTreeMap<&'static str, f64>,
    /// The share of the gap that no stage explains.
    pub unexplained: Option<f64>,
    /// Microseconds per vector or query, by stage.
    pub stages_us: BTreeMap<&'static str, f64>,
    /// CPU time on the caller's side, microseconds per vector or query.
    pub client_us: f64,
    /// CPU time of the other process, if there is one.
    pub server_us: f64,
    /// CPU time of both sides beyond the embedded door's, with nothing behind the doors.
    pub tax_us: Option<f64>,
    /// Vectors or queries of one round, median.
    pub vectors: usize,
    /// How often it was measured: doors that are done soon have more than one turn in a round.
    pub rounds: usize,
}

/// A door that was not measured.
#[derive(Clone, Debug, Serialize)]
pub struct NotRun {
    /// The door's name.
    pub door: &'static str,
    /// Why.
    pub reason: String,
}

/// A door whose store was not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// The door's name.
    pub door: &'static str,
    /// `ingest` or `search`.
    pub op: &'static str,
    /// Vectors or queries per request.
    pub batch: usize,
    /// What was found.
    pub reason: String,
}

impl Fault {
    pub(super) fn new(cell: Cell, reason: String) -> Fault {
        Fault {
            door: cell.door.name(),
            op: cell.op.name(),
            batch: cell.batch,
            reason,
        }
    }
}

/// What a run found.
#[derive(Clone, Debug, Serialize)]
pub struct Climb {
    /// What it was measured on.
    pub(super) machine: Machine,
    /// What was done.
    pub workload: Value,
    /// Doors that were measured.
    pub rows: Vec<Row>,
    /// Doors that were not.
    pub not_run: Vec<NotRun>,
    /// The story that Nearfield began with, beside this run.
    pub story: Story,
    /// The command that measures the same.
    pub command: String,
    /// What was wrong; a run with faults proves nothing.
    pub faults: Vec<Fault>,
    /// How long it took.
    pub seconds: f64,
}

/// The measurements of one cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Legs {
    pub(super) real: Vec<Leg>,
    /// With nothing behind the door.
    pub(super) null: Vec<Leg>,
    /// Measured for its stages alone.
    pub(super) explained: Option<Leg>,
}

impl Legs {
    /// All measurements as one, if there are any.
    fn all(&self) -> Option<Leg> {
        let mut legs = self.real.iter();
        let mut all = legs.next()?.clone();
        for leg in legs {
            all.add(leg);
        }
        Some(all)
    }

    /// Seconds that were measured since a turn.
    pub(super) fn seconds_since(&self, turn: usize) -> f64 {
        let since = self.real.iter().filter(|leg| leg.turn >= turn);
        since.map(|leg| leg.seconds).sum()
    }

    fn over(&self, of: impl Fn(&Leg) -> f64) -> Spread {
        Spread::of(self.real.iter().map(of))
    }
}

/// Makes a cell's row, next to the same cell of the engine and of the embedded door.
pub(super) fn row(
    cell: Cell,
    legs: &Legs,
    engine: Option<&Legs>,
    embedded: Option<&Legs>,
    durability: &'static str,
) -> Option<Row> {
    if legs.real.is_empty() {
        return None;
    }
    let rate = legs.over(Leg::rate);
    let mut row = Row {
        door: cell.door.name(),
        op: cell.op.name(),
        batch: cell.batch,
        rate: rate.median,
        unit: cell.op.unit(),
        ratio: embedded.map(|other| pairs(&legs.real, &other.real, |a, b| a.rate() / b.rate())),
        spread: (rate.high - rate.low) / 2.0 / rate.median,
        rate_low: rate.low,
        rate_high: rate.high,
        p50_us: legs.over(|leg| leg.percentile(0.5)).median,
        p99_us: legs.over(|leg| leg.percentile(0.99)).median,
        durability,
        stages: BTreeMap::new(),
        unexplained: None,
        stages_us: BTreeMap::new(),
        client_us: legs.over(Leg::client_us).median,
        server_us: legs.over(Leg::server_us).median,
        tax_us: tax(cell.door, legs, engine, embedded),
        vectors: legs.over(|leg| leg.count as f64).median as usize,
        rounds: legs.real.len(),
    };
    let explained = legs.explained.clone().or_else(|| legs.all())?;
    if let Some(stages) = explained.stages_us() {
        let each = Stage::ALL.into_iter().zip(stages);
        row.stages_us = each
            .filter(|(_, us)| *us > 0.0)
            .map(|(stage, us)| (stage.as_str(), us))
            .collect();
        let engine = engine.filter(|_| cell.door != Door::Engine);
        if let Some(engine) = engine.and_then(Legs::all) {
            let found = attribute(explained.us(), &stages, engine.us());
            row.stages = found.shares;
            row.unexplained = Some(found.unexplained);
        }
    }
    Some(row)
}

/// CPU time beyond the embedded door's, with nothing behind either; of the embedded door beyond
/// the bare service's.
fn tax(door: Door, legs: &Legs, engine: Option<&Legs>, embedded: Option<&Legs>) -> Option<f64> {
    let beside = match door {
        Door::Engine => return None,
        Door::Embedded => engine?,
        _ => embedded?,
    };
    if legs.null.is_empty() || beside.null.is_empty() {
        return None;
    }
    Some(pairs(&legs.null, &beside.null, |a, b| {
        a.cpu_us() - b.cpu_us()
    }))
}

/// The median over turns of something between two doors.
fn pairs(a: &[Leg], b: &[Leg], of: impl Fn(&Leg, &Leg) -> f64) -> f64 {
    let beside = |leg: &Leg| b.iter().find(|other| other.turn == leg.turn);
    let both = a.iter().filter_map(|leg| Some((leg, beside(leg)?)));
    Spread::of(both.map(|(a, b)| of(a, b))).median
}

impl Climb {
    /// The row of a door, an op and a batch.
    pub fn row(&self, door: &str, op: Op, batch: usize) -> Option<&Row> {
        let is_it = |row: &&Row| row.door == door && row.op == op.name() && row.batch == batch;
        self.rows.iter().find(is_it)
    }
}
