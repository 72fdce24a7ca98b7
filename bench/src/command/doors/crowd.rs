//! Many connections at once: most send nothing, some search without a pause.

use std::net::TcpStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use nearfield::{Collection, Metric};

use super::door::Door;
use super::{Doors, ROWS};
use crate::Result;
use crate::clock::micros;
use crate::place::Place;
use crate::report::{Cell, Table};
use crate::server::Server;
use crate::statistics::percentile;
use crate::store;
use crate::threads::join;
use crate::workload::{Columns, Points, Pool};

const TIME: Duration = Duration::from_secs(5);
const MIB: f64 = (1 << 20) as f64;

pub(super) fn measure(doors: &Doors, place: &Place, pool: &Pool) -> Result<Table> {
    let columns = [
        "door",
        "idle connections",
        "busy connections",
        "queries/s",
        "p50 us",
        "p99 us",
        "errors",
        "memory beyond the data, peak MiB",
    ];
    let mut table = Table::new("many connections", &columns);
    let is_far = |door: &&Door| **door != Door::Embedded && !door.is_local();
    for door in doors.door.iter().filter(is_far) {
        let server = Server::start(doors.program.as_deref(), &place.fresh("crowd")?)?;
        let database = door.connect(&server)?;
        let collection = database.create_collection("crowd", doors.dim, Metric::Euclidean)?;
        let columns = Columns::all(Points::default(), ROWS, doors.batch)?;
        store::upsert_all(&collection, &columns, pool, doors.durability())?;
        let before = server.anonymous_bytes();
        let idle: Vec<TcpStream> = (0..doors.idle)
            .map(|_| TcpStream::connect(&server.address))
            .collect::<std::io::Result<_>>()?;
        let (latencies, errors, peak) = busy(doors, *door, &server, pool)?;
        drop(idle);
        table.row(vec![
            door.to_string().into(),
            (doors.idle as f64).into(),
            (doors.busy as f64).into(),
            (latencies.len() as f64 / TIME.as_secs_f64()).into(),
            percentile(&latencies, 0.5).into(),
            percentile(&latencies, 0.99).into(),
            (errors as f64).into(),
            Cell::Number((peak - before) / MIB),
        ]);
    }
    Ok(table)
}

/// What searches took, how many failed, and the most memory that the server had.
fn busy(doors: &Doors, door: Door, server: &Server, pool: &Pool) -> Result<(Vec<f64>, usize, f64)> {
    let start = Barrier::new(doors.busy + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..doors.busy)
            .map(|number| {
                let start = &start;
                scope.spawn(move || -> Result<(Vec<f64>, usize)> {
                    // A client of its own each, and so a connection.
                    let collection = door
                        .connect(server)
                        .and_then(|database| Ok(database.collection("crowd")?));
                    start.wait();
                    Ok(search(&collection?, pool, number))
                })
            })
            .collect();
        start.wait();
        let mut peak = 0.0_f64;
        let began = Instant::now();
        while began.elapsed() < TIME {
            peak = peak.max(server.anonymous_bytes());
            std::thread::sleep(Duration::from_millis(10));
        }
        let (mut latencies, mut errors) = (Vec::new(), 0);
        for thread in threads {
            let (its, failed) = join(thread)?;
            latencies.extend(its);
            errors += failed;
        }
        Ok((latencies, errors, peak))
    })
}

fn search(collection: &Collection, pool: &Pool, first: usize) -> (Vec<f64>, usize) {
    let (mut latencies, mut errors) = (Vec::new(), 0);
    let began = Instant::now();
    for number in first.. {
        if began.elapsed() >= TIME {
            break;
        }
        let start = Instant::now();
        match collection.search(pool.slice(number % ROWS, 1)).run() {
            Ok(_) => latencies.push(micros(start.elapsed())),
            Err(_) => errors += 1,
        }
    }
    (latencies, errors)
}
