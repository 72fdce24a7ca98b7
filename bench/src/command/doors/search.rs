//! One query per request through each door: what it takes beyond the engine's own time, next to a
//! bare round trip, with idle cores and with busy ones.

use std::time::{Duration, Instant};

use nearfield::{Context, Database, Metric, Search, Stage};

use super::Doors;
use super::bare::Bare;
use super::busy::Busy;
use super::door::Door;
use super::echo::Echo;
use super::ingest::ROWS;
use super::owner::{self, Owner};
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
/// Searches before the clock starts.
const WARM: usize = 200;

/// What the searches of one leg took, each in microseconds.
struct Leg {
    totals: Vec<f64>,
    /// The engine's own time.
    engine: Vec<f64>,
    beyond: Vec<f64>,
    /// By stage, of all searches.
    stages: [Duration; Stage::ALL.len()],
}

/// What bare round trips took, in microseconds, by round.
#[derive(Default)]
struct Echoes {
    /// Where the system puts both sides, which may be one core.
    free: Vec<f64>,
    /// Between two cores.
    apart: Vec<f64>,
}

/// A door that is open, and what was measured of it by condition: idle cores, busy ones.
struct Open {
    door: Door,
    database: Database,
    _server: Option<Server>,
    _owner: Option<Owner>,
    /// The primitive that the door stands on, if it leads to an owner.
    bare: Option<Bare>,
    legs: [Vec<Leg>; 2],
    /// What the primitive took, by condition and round.
    bares: [Vec<Bares>; 2],
}

/// What bare round trips took, in microseconds.
struct Bares {
    /// Answered at once.
    at_once: f64,
    /// Answered after as long as the engine took, without that time: as long as a waiter has to
    /// wait.
    after_a_while: f64,
}

pub(super) fn measure(doors: &Doors, place: &Place, pool: &Pool) -> Result<[Table; 3]> {
    let mut open = Vec::new();
    for door in &doors.door {
        open.push(fill(doors, place, pool, *door)?);
    }
    let mut echo = Echo::start()?;
    let mut apart = Echo::start_apart()?;
    let mut echoes = [Echoes::default(), Echoes::default()];
    for round in 0..doors.rounds {
        for (condition, echoes) in echoes.iter_mut().enumerate() {
            let _busy = if condition == 1 {
                Busy::start()?
            } else {
                Busy::default()
            };
            echoes.free.push(p50(&mut echo, doors.searches)?);
            if let Some(apart) = &mut apart {
                echoes.apart.push(p50(apart, doors.searches)?);
            }
            for turn in 0..open.len() {
                let number = (turn + round) % open.len();
                let open = &mut open[number];
                let leg = leg(&open.database, pool, doors.searches)?;
                if let Some(bare) = &mut open.bare {
                    let bares = bares(bare, &leg, doors.searches)?;
                    open.bares[condition].push(bares);
                }
                open.legs[condition].push(leg);
            }
        }
    }
    Ok([latencies(&open, &echoes), above_bare(&open), stages(&open)])
}

/// The median of what one byte takes to another process and back.
fn p50(echo: &mut Echo, count: usize) -> Result<f64> {
    echo.round_trips(WARM)?;
    Ok(percentile(&echo.round_trips(count)?, 0.5))
}

fn bares(bare: &mut Bare, leg: &Leg, count: usize) -> Result<Bares> {
    let mut p50 = |hold| -> Result<f64> {
        bare.round_trips(WARM, hold)?;
        Ok(percentile(&bare.round_trips(count, hold)?, 0.5))
    };
    let engine = Duration::from_secs_f64(percentile(&leg.engine, 0.5) / 1e6);
    Ok(Bares {
        at_once: p50(Duration::ZERO)?,
        after_a_while: p50(engine)?,
    })
}

fn fill(doors: &Doors, place: &Place, pool: &Pool, door: Door) -> Result<Open> {
    let path = place.fresh(&format!("searched-{door}"))?;
    let (mut server, mut owner, mut bare) = (None, None, None);
    let database = if door == Door::Embedded {
        store::open(&path, Engine::default())?
    } else if door.is_local() {
        bare = Some(Bare::start(door, place.path())?);
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
        bare,
        legs: [Vec::new(), Vec::new()],
        bares: [Vec::new(), Vec::new()],
    })
}

fn leg(database: &Database, pool: &Pool, searches: usize) -> Result<Leg> {
    let mut leg = Leg {
        totals: Vec::with_capacity(searches),
        engine: Vec::with_capacity(searches),
        beyond: Vec::with_capacity(searches),
        stages: Default::default(),
    };
    for number in 0..WARM + searches {
        let row = number % ROWS;
        let search = Search::new(COLLECTION, pool.slice(row, 1)).limit(LIMIT);
        let mut context = Context::default();
        let start = Instant::now();
        let found = database.call_with(&mut context, search)?;
        let total = micros(start.elapsed());
        let first = found.results.first().and_then(|hits| hits.first());
        if first.is_none_or(|hit| hit.id != (row as u64).into()) {
            return Err(format!("a search does not find point {row}").into());
        }
        if number < WARM {
            continue;
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
    Ok(leg)
}

fn latencies(open: &[Open], echoes: &[Echoes; 2]) -> Table {
    let columns = [
        "cores",
        "door",
        "p50 us",
        "p99 us",
        "engine p50 us",
        "beyond the engine p50 us",
        "above the bare round trip us",
        "above the one between cores us",
    ];
    let mut table = Table::new("one query per request, 10 hits", &columns);
    for (condition, name) in ["idle", "busy"].into_iter().enumerate() {
        let echo = &echoes[condition];
        for (what, its) in [
            ("bare round trip", &echo.free),
            ("bare round trip between cores", &echo.apart),
        ] {
            let mut row = vec![name.into(), what.into(), Cell::spread(its.iter().copied())];
            row.resize_with(columns.len(), || Cell::Nothing);
            table.row(row);
        }
        for door in open {
            let legs = &door.legs[condition];
            let over = |of: fn(&Leg) -> &[f64], share| {
                legs.iter().map(move |leg| percentile(of(leg), share))
            };
            let beyond = || over(|leg| &leg.beyond, 0.5);
            let above = beyond().zip(&echo.free).map(|(beyond, echo)| beyond - echo);
            let between = beyond()
                .zip(&echo.apart)
                .map(|(beyond, echo)| beyond - echo);
            let has_wire = door.door != Door::Embedded && !door.door.is_local();
            table.row(vec![
                name.into(),
                door.door.to_string().into(),
                Cell::spread(over(|leg| &leg.totals, 0.5)),
                Cell::spread(over(|leg| &leg.totals, 0.99)),
                Cell::spread(over(|leg| &leg.engine, 0.5)),
                Cell::spread(beyond().filter(|_| door.door != Door::Embedded)),
                Cell::spread(above.filter(|_| has_wire)),
                Cell::spread(between.filter(|_| has_wire)),
            ]);
        }
    }
    table
}

/// The doors to an owner, next to the primitives that they stand on, with the same waiting.
fn above_bare(open: &[Open]) -> Table {
    let columns = [
        "cores",
        "door",
        "beyond the engine p50 us",
        "bare, answered at once us",
        "bare, answered when the engine would us",
        "above the first us",
        "above the second us",
    ];
    let mut table = Table::new("one query to an owner, next to a bare round trip", &columns);
    for (condition, name) in ["idle", "busy"].into_iter().enumerate() {
        for door in open.iter().filter(|door| door.bare.is_some()) {
            let beyond = || {
                let legs = door.legs[condition].iter();
                legs.map(|leg| percentile(&leg.beyond, 0.5))
            };
            let bares = || door.bares[condition].iter();
            let above = |of: fn(&Bares) -> f64| {
                Cell::spread(
                    beyond()
                        .zip(bares())
                        .map(move |(beyond, bare)| beyond - of(bare)),
                )
            };
            table.row(vec![
                name.into(),
                door.door.to_string().into(),
                Cell::spread(beyond()),
                Cell::spread(bares().map(|bare| bare.at_once)),
                Cell::spread(bares().map(|bare| bare.after_a_while)),
                above(|bare| bare.at_once),
                above(|bare| bare.after_a_while),
            ]);
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
