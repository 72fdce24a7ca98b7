//! Ingest through each door, in turns: rate, and the CPU time of both sides.

use std::time::{Duration, Instant};

use nearfield::{Collection, Database, Metric};

use super::Doors;
use super::door::Door;
use super::owner::{self, Owner};
use crate::Result;
use crate::clock::process_cpu;
use crate::place::Place;
use crate::report::{Cell, Table};
use crate::server::Server;
use crate::store::{self, Engine};
use crate::verify::{check_count, verify};
use crate::workload::{Columns, Points, Pool};

/// Rows of one collection: fewer than an index is built for.
pub(super) const ROWS: usize = 15_000;
/// Fewer rows than this never get codes: groups are coded whole.
const GROUP_ROWS: u64 = 256;
/// Between two looks whether rows have codes, and how long they may take.
const NAP: Duration = Duration::from_millis(5);
const CODES_MAX: Duration = Duration::from_secs(10);

struct Leg {
    rate: f64,
    client_us: f64,
    server_us: f64,
}

impl Leg {
    fn cpu_us(&self) -> f64 {
        self.client_us + self.server_us
    }
}

pub(super) fn measure(doors: &Doors, place: &Place, pool: &Pool) -> Result<Table> {
    let mut legs: Vec<Vec<Leg>> = doors.door.iter().map(|_| Vec::new()).collect();
    for round in 0..doors.rounds {
        for turn in 0..doors.door.len() {
            let number = (turn + round) % doors.door.len();
            legs[number].push(leg(doors, place, pool, doors.door[number])?);
        }
    }
    let embedded = doors.door.iter().position(|door| *door == Door::Embedded);
    let columns = [
        "door",
        "vectors/s",
        "to embedded",
        "client CPU us/vector",
        "server CPU us/vector",
        "tax, CPU us/vector",
        "rate if the tax were all",
    ];
    let mut table = Table::new(format!("ingest, batches of {}", doors.batch), &columns);
    for (door, its) in doors.door.iter().zip(&legs) {
        let beside = embedded
            .filter(|_| *door != Door::Embedded)
            .map(|at| &legs[at]);
        let pairs = || beside.into_iter().flat_map(|other| its.iter().zip(other));
        table.row(vec![
            door.to_string().into(),
            Cell::spread(its.iter().map(|leg| leg.rate)),
            Cell::spread(pairs().map(|(a, b)| a.rate / b.rate)),
            Cell::spread(its.iter().map(|leg| leg.client_us)),
            Cell::spread(its.iter().map(|leg| leg.server_us)),
            Cell::spread(pairs().map(|(a, b)| a.cpu_us() - b.cpu_us())),
            // e / (e + D) of the embedded rate, with e the embedded door's CPU time.
            Cell::spread(pairs().map(|(a, b)| b.rate * b.cpu_us() / a.cpu_us())),
        ]);
    }
    Ok(table)
}

fn leg(doors: &Doors, place: &Place, pool: &Pool, door: Door) -> Result<Leg> {
    let path = place.fresh("store")?;
    if door == Door::Embedded {
        let database = store::open(&path, Engine::default())?;
        return ingest(doors, pool, &database, &|| Ok(0.0));
    }
    if door.is_local() {
        let owner = Owner::start(&path)?;
        let database = owner::connect(door, owner.socket())?;
        return ingest(doors, pool, &database, &|| owner.cpu_seconds());
    }
    let server = Server::start(doors.program.as_deref(), &path)?;
    let database = door.connect(&server)?;
    ingest(doors, pool, &database, &|| server.cpu_seconds())
}

fn ingest(
    doors: &Doors,
    pool: &Pool,
    database: &Database,
    server_cpu: &dyn Fn() -> Result<f64>,
) -> Result<Leg> {
    let columns = Columns::all(Points::default(), ROWS, doors.batch)?;
    // Connections are made, and the first pages touched, before the clock starts.
    let collection = database.create_collection("warm", doors.dim, Metric::Euclidean)?;
    store::upsert_all(&collection, &columns, pool, doors.durability())?;
    database.drop_collection("warm")?;
    let (mut seconds, mut client, mut server) = (0.0, 0.0, 0.0);
    let count = doors.vectors.div_ceil(ROWS);
    for number in 0..count {
        let name = format!("leg-{number}");
        let collection = database.create_collection(&name, doors.dim, Metric::Euclidean)?;
        let (client_before, server_before) = (process_cpu(), server_cpu()?);
        let ends = store::upsert_all(&collection, &columns, pool, doors.durability())?;
        seconds += ends.last().copied().unwrap_or_default().as_secs_f64();
        wait_for_codes(&collection)?;
        client += (process_cpu() - client_before).as_secs_f64();
        server += server_cpu()? - server_before;
        if number == 0 {
            verify(&collection, pool, Points::default(), ROWS)?;
        }
        check_count(&collection, ROWS)?;
        database.drop_collection(name)?;
    }
    let vectors = (count * ROWS) as f64;
    Ok(Leg {
        rate: vectors / seconds,
        client_us: client * 1e6 / vectors,
        server_us: server * 1e6 / vectors,
    })
}

/// Waits until the rows have codes, so that this work counts; looks seldom, so that looking does
/// not.
fn wait_for_codes(collection: &Collection) -> Result<()> {
    let start = Instant::now();
    while collection.describe()?.unencoded >= GROUP_ROWS {
        if start.elapsed() > CODES_MAX {
            return Err("rows stay without codes".into());
        }
        std::thread::sleep(NAP);
    }
    Ok(())
}
