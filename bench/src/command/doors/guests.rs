//! Several guests at once, in processes of their own: their rate together, and how even it is.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::Instant;

use clap::Args;
use nearfield::{Durability, Metric};

use super::door::Door;
use super::owner::{self, Owner};
use super::{Doors, ROWS};
use crate::Result;
use crate::command::child::tell;
use crate::place::Place;
use crate::report::{Cell, Table};
use crate::store;
use crate::workload::{Columns, Points, Pool};

/// Guests at once.
const GUESTS: usize = 4;

/// The process that is a guest: says a line when it is connected, begins when it is told to, and tells
/// its rate.
#[derive(Args, Debug)]
pub(crate) struct Child {
    #[arg(long)]
    socket: PathBuf,
    #[arg(long)]
    memory: bool,
    #[arg(long)]
    name: String,
    #[arg(long)]
    vectors: usize,
    #[arg(long)]
    dim: usize,
    #[arg(long)]
    batch: usize,
    #[arg(long)]
    sync: bool,
}

impl Child {
    pub(crate) fn run(&self) -> Result<()> {
        let door = if self.memory { Door::Shm } else { Door::Unix };
        let database = owner::connect(door, &self.socket)?;
        let pool = Pool::new(ROWS, self.dim, self.batch);
        let columns = Columns::all(Points::default(), ROWS, self.batch)?;
        let durability = match self.sync {
            true => Durability::Sync,
            false => Durability::Os,
        };
        let warm = database.create_collection(
            format!("{}-warm", self.name),
            self.dim,
            Metric::Euclidean,
        )?;
        store::upsert_all(&warm, &columns, &pool, durability)?;
        tell("ready")?;
        std::io::stdin().lock().read_line(&mut String::new())?;
        let start = Instant::now();
        let count = self.vectors.div_ceil(ROWS);
        for number in 0..count {
            let name = format!("{}-{number}", self.name);
            let collection = database.create_collection(name, self.dim, Metric::Euclidean)?;
            store::upsert_all(&collection, &columns, &pool, durability)?;
        }
        let rate = (count * ROWS) as f64 / start.elapsed().as_secs_f64();
        tell(&rate.to_string())
    }
}

/// A guest that is started.
struct Guest {
    child: process::Child,
    out: BufReader<process::ChildStdout>,
}

impl Guest {
    fn start(doors: &Doors, door: Door, socket: &Path, name: String) -> Result<Guest> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("guest-child").arg("--socket").arg(socket);
        command.args(["--name", &name]);
        for (option, number) in [
            ("--vectors", doors.vectors),
            ("--dim", doors.dim),
            ("--batch", doors.batch),
        ] {
            command.arg(option).arg(number.to_string());
        }
        command.args((door == Door::Shm).then_some("--memory"));
        command.args(doors.sync.then_some("--sync"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or("a guest without a voice")?;
        let mut guest = Guest {
            child,
            out: BufReader::new(out),
        };
        guest.hear()?;
        Ok(guest)
    }

    fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn begin(&mut self) -> Result<()> {
        let voice = self.child.stdin.as_mut().ok_or("a guest without an ear")?;
        Ok(writeln!(voice)?)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(super) fn measure(doors: &Doors, place: &Place) -> Result<Table> {
    let columns = [
        "door",
        "one guest, vectors/s",
        "four guests together",
        "to one",
        "slowest to mean",
        "fastest to mean",
    ];
    let mut table = Table::new("four guests at once", &columns);
    for door in doors.door.iter().filter(|door| door.is_local()) {
        let (mut ones, mut all) = (Vec::new(), Vec::new());
        for _ in 0..doors.rounds {
            ones.push(rates(doors, place, *door, 1)?.iter().sum::<f64>());
            all.push(rates(doors, place, *door, GUESTS)?);
        }
        let sum = |rates: &Vec<f64>| rates.iter().sum::<f64>();
        let to_mean = |of: fn(f64, f64) -> f64| {
            Cell::spread(all.iter().map(move |rates| {
                let mean = rates.iter().sum::<f64>() / rates.len() as f64;
                rates.iter().copied().reduce(of).unwrap_or(mean) / mean
            }))
        };
        table.row(vec![
            door.to_string().into(),
            Cell::spread(ones.iter().copied()),
            Cell::spread(all.iter().map(sum)),
            Cell::spread(all.iter().map(sum).zip(&ones).map(|(all, one)| all / one)),
            to_mean(f64::min),
            to_mean(f64::max),
        ]);
    }
    Ok(table)
}

/// The rate of each of `count` guests.
fn rates(doors: &Doors, place: &Place, door: Door, count: usize) -> Result<Vec<f64>> {
    let owner = Owner::start(&place.fresh("guests")?)?;
    let mut guests = (0..count)
        .map(|number| Guest::start(doors, door, owner.socket(), format!("guest-{number}")))
        .collect::<Result<Vec<_>>>()?;
    for guest in &mut guests {
        guest.begin()?;
    }
    guests
        .iter_mut()
        .map(|guest| Ok(guest.hear()?.parse()?))
        .collect()
}
