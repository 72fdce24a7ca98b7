//! Batches through the doors to an owner, one at a time and several at once.

use std::time::Instant;

use nearfield::{Collection, Database, Metric};

use super::door::Door;
use super::owner::{self, Owner};
use super::{Doors, ROWS};
use crate::Result;
use crate::place::Place;
use crate::report::{Cell, Table};
use crate::store::{self, Engine};
use crate::threads::join;
use crate::verify::{check_count, verify};
use crate::workload::{Columns, Points, Pool};

/// How many batches are under way at once.
const IN_FLIGHT: [usize; 3] = [1, 2, 4];

pub(super) fn measure(doors: &Doors, place: &Place, pool: &Pool) -> Result<Table> {
    let is_near = |door: &Door| *door == Door::Embedded || door.is_local();
    let near: Vec<Door> = doors.door.iter().copied().filter(is_near).collect();
    let legs: Vec<(Door, usize)> = IN_FLIGHT
        .into_iter()
        .flat_map(|count| near.iter().map(move |door| (*door, count)))
        .collect();
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); legs.len()];
    for round in 0..doors.rounds {
        for turn in 0..legs.len() {
            let number = (turn + round) % legs.len();
            let (door, count) = legs[number];
            rates[number].push(leg(doors, place, pool, door, count)?);
        }
    }
    let columns = [
        "door",
        "batches in flight",
        "vectors/s",
        "to embedded with as many",
        "to embedded with one",
    ];
    let title = format!(
        "batches of {} to an owner, several in flight, {}",
        doors.batch,
        crate::workload::name(doors.durability())
    );
    let mut table = Table::new(title, &columns);
    for ((door, count), its) in legs.iter().zip(&rates) {
        let to_embedded = |count| {
            let at = legs.iter().position(|leg| *leg == (Door::Embedded, count));
            let other = at
                .filter(|_| *door != Door::Embedded)
                .map(|at| rates[at].as_slice());
            let pairs = its.iter().zip(other.unwrap_or_default());
            Cell::spread(pairs.map(|(its, other)| its / other))
        };
        table.row(vec![
            door.to_string().into(),
            (*count as f64).into(),
            Cell::spread(its.iter().copied()),
            to_embedded(*count),
            to_embedded(1),
        ]);
    }
    Ok(table)
}

fn leg(doors: &Doors, place: &Place, pool: &Pool, door: Door, count: usize) -> Result<f64> {
    let path = place.fresh("flight")?;
    if door == Door::Embedded {
        return write(doors, pool, &store::open(&path, Engine::default())?, count);
    }
    let owner = Owner::start(&path)?;
    write(doors, pool, &owner::connect(door, owner.socket())?, count)
}

/// The rate at which `count` threads write one collection after the other.
fn write(doors: &Doors, pool: &Pool, database: &Database, count: usize) -> Result<f64> {
    let columns = Columns::all(Points::default(), ROWS, doors.batch)?;
    let make = |name: &str| database.create_collection(name, doors.dim, Metric::Euclidean);
    // Connections are made, and the first pages touched, before the clock starts.
    together(doors, pool, &make("warm")?, &columns, count)?;
    database.drop_collection("warm")?;
    let collections = doors.vectors.div_ceil(ROWS);
    let mut seconds = 0.0;
    for number in 0..collections {
        let name = format!("leg-{number}");
        let collection = make(&name)?;
        let start = Instant::now();
        together(doors, pool, &collection, &columns, count)?;
        seconds += start.elapsed().as_secs_f64();
        if number == 0 {
            verify(&collection, pool, Points::default(), ROWS)?;
        }
        check_count(&collection, ROWS)?;
        database.drop_collection(name)?;
    }
    Ok((collections * ROWS) as f64 / seconds)
}

/// Writes all columns, each thread its share of them.
fn together(
    doors: &Doors,
    pool: &Pool,
    collection: &Collection,
    columns: &[Columns],
    count: usize,
) -> Result<()> {
    let each = columns.len().div_ceil(count).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = columns
            .chunks(each)
            .map(|its| {
                scope.spawn(move || store::upsert_all(collection, its, pool, doors.durability()))
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| join(thread).map(|_| ()))
    })
}
