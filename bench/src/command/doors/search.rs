//! One query per request through each door: what it takes beyond the engine's own time, next to
//! bare round trips, with idle cores and with busy ones.

use std::ops::Range;
use std::time::{Duration, Instant};

use nearfield::{Context, Database, Metric, Search, Stage};

use super::beside::Beside;
use super::busy::Busy;
use super::door::Door;
use super::owner::{self, Owner};
use super::{Doors, ROWS};
use crate::Result;
use crate::clock::micros;
use crate::place::Place;
use crate::report::{Cell, Table};
use crate::server::Server;
use crate::statistics::percentile;
use crate::store::{self, Engine};
use crate::workload::{Columns, Points, Pool};

const COLLECTION: &str = "searched";
const LIMIT: usize = 10;
/// How the cores are otherwise.
const CONDITIONS: [&str; 2] = ["idle", "busy"];
/// Searches before the clock starts.
const WARM: usize = 200;
/// Searches in a row, before bare round trips have their turn.
const TURN: usize = 50;

/// What the searches of one leg took, each in microseconds.
#[derive(Default)]
struct Leg {
    totals: Vec<f64>,
    /// The engine's own time.
    engine: Vec<f64>,
    beyond: Vec<f64>,
    /// What bare round trips took meanwhile, by primitive.
    beside: Vec<Vec<f64>>,
    /// By stage, of all searches.
    stages: [Duration; Stage::ALL.len()],
}

/// A door that is open, and what was measured of it by condition: idle cores, busy ones.
struct Open {
    door: Door,
    database: Database,
    _server: Option<Server>,
    _owner: Option<Owner>,
    beside: Vec<Beside>,
    legs: [Vec<Leg>; 2],
}

pub(super) fn measure(doors: &Doors, place: &Place, pool: &Pool) -> Result<[Table; 3]> {
    let mut open = Vec::new();
    for door in &doors.door {
        open.push(fill(doors, place, pool, *door)?);
    }
    for round in 0..doors.rounds {
        for condition in 0..2 {
            let _busy = if condition == 1 {
                Busy::start()?
            } else {
                Busy::default()
            };
            for turn in 0..open.len() {
                let number = (turn + round) % open.len();
                let leg = open[number].leg(pool, doors.searches)?;
                open[number].legs[condition].push(leg);
            }
        }
    }
    Ok([latencies(&open), above_bare(&open), stages(&open)])
}

fn fill(doors: &Doors, place: &Place, pool: &Pool, door: Door) -> Result<Open> {
    let path = place.fresh(&format!("searched-{door}"))?;
    let (mut server, mut owner) = (None, None);
    let database = if door == Door::Embedded {
        store::open(&path, Engine::default())?
    } else if door.is_local() {
        let owner = owner.insert(Owner::start(&path)?);
        owner::connect(door, owner.socket())?
    } else {
        door.connect(server.insert(Server::start(doors.program.as_deref(), &path)?))?
    };
    let collection = database.create_collection(COLLECTION, doors.dim, Metric::Euclidean)?;
    let columns = Columns::all(Points::default(), ROWS, doors.batch)?;
    store::upsert_all(&collection, &columns, pool, doors.durability())?;
    Ok(Open {
        door,
        database,
        _server: server,
        _owner: owner,
        beside: Beside::of(door, place.path())?,
        legs: [Vec::new(), Vec::new()],
    })
}

impl Open {
    /// Searches, in turns with bare round trips.
    fn leg(&mut self, pool: &Pool, searches: usize) -> Result<Leg> {
        let mut warm = Leg::default();
        self.search(pool, 0..WARM, &mut warm)?;
        for beside in &mut self.beside {
            beside.round_trips(&warm.engine)?;
        }
        let mut leg = Leg {
            beside: vec![Vec::new(); self.beside.len()],
            ..Leg::default()
        };
        let mut first = 0;
        while first < searches {
            let next = searches.min(first + TURN);
            self.search(pool, first..next, &mut leg)?;
            for (beside, took) in self.beside.iter_mut().zip(&mut leg.beside) {
                took.extend(beside.round_trips(&leg.engine[first..next])?);
            }
            first = next;
        }
        Ok(leg)
    }

    /// Asks for some rows of the pool, one by one.
    fn search(&self, pool: &Pool, numbers: Range<usize>, leg: &mut Leg) -> Result<()> {
        for number in numbers {
            let row = number % ROWS;
            let search = Search::new(COLLECTION, pool.slice(row, 1)).limit(LIMIT);
            let mut context = Context::default();
            let start = Instant::now();
            let found = self.database.call_with(&mut context, search)?;
            let total = micros(start.elapsed());
            let first = found.results.first().and_then(|hits| hits.first());
            if first.is_none_or(|hit| hit.id != (row as u64).into()) {
                return Err(format!("a search does not find point {row}").into());
            }
            // In this process the engine is all that there is.
            let engine = match micros(context.stages.get(Stage::Engine)) {
                0.0 => total,
                engine => engine,
            };
            leg.totals.push(total);
            leg.engine.push(engine);
            leg.beyond.push(total - engine);
            for (sum, stage) in leg.stages.iter_mut().zip(Stage::ALL) {
                *sum += context.stages.get(stage);
            }
        }
        Ok(())
    }
}

fn latencies(open: &[Open]) -> Table {
    let columns = [
        "cores",
        "door",
        "p50 us",
        "p99 us",
        "engine p50 us",
        "beyond the engine p50 us",
    ];
    let mut table = Table::new("one query per request, 10 hits", &columns);
    for (condition, name) in CONDITIONS.into_iter().enumerate() {
        for door in open {
            let over = |of: fn(&Leg) -> &[f64], share| {
                let legs = door.legs[condition].iter();
                Cell::spread(legs.map(move |leg| percentile(of(leg), share)))
            };
            table.row(vec![
                name.into(),
                door.door.to_string().into(),
                over(|leg| &leg.totals, 0.5),
                over(|leg| &leg.totals, 0.99),
                over(|leg| &leg.engine, 0.5),
                match door.door {
                    Door::Embedded => Cell::Nothing,
                    _ => over(|leg| &leg.beyond, 0.5),
                },
            ]);
        }
    }
    table
}

/// What doors take beyond the engine, next to what the primitives take that they stand on.
fn above_bare(open: &[Open]) -> Table {
    let columns = [
        "cores",
        "door",
        "bare round trip",
        "beyond the engine p50 us",
        "bare p50 us",
        "above it us",
    ];
    let mut table = Table::new("one query, next to bare round trips in turns", &columns);
    for (condition, name) in CONDITIONS.into_iter().enumerate() {
        for door in open {
            for (number, beside) in door.beside.iter().enumerate() {
                let legs = || door.legs[condition].iter();
                let bare = |leg: &Leg| percentile(&leg.beside[number], 0.5);
                let beyond = |leg: &Leg| percentile(&leg.beyond, 0.5);
                table.row(vec![
                    name.into(),
                    door.door.to_string().into(),
                    beside.name.into(),
                    Cell::spread(legs().map(beyond)),
                    Cell::spread(legs().map(bare)),
                    Cell::spread(legs().map(|leg| beyond(leg) - bare(leg))),
                ]);
            }
        }
    }
    table
}

/// The mean time per stage, with idle cores.
fn stages(open: &[Open]) -> Table {
    let mut columns = vec!["door", "mean us"];
    columns.extend(Stage::ALL.map(Stage::as_str));
    let mut table = Table::new("stages of one query, idle cores, mean us", &columns);
    for door in open.iter().filter(|door| door.door != Door::Embedded) {
        let legs = &door.legs[0];
        let mean = |leg: &Leg, time: f64| time / leg.totals.len().max(1) as f64;
        let total = legs.iter().map(|leg| mean(leg, leg.totals.iter().sum()));
        let mut row = vec![door.door.to_string().into(), Cell::spread(total)];
        row.extend(
            Stage::ALL.iter().enumerate().map(|(at, _)| {
                Cell::spread(legs.iter().map(|leg| mean(leg, micros(leg.stages[at]))))
            }),
        );
        table.row(row);
    }
    table
}
