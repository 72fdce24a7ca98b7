//! Doors of other languages: a small program climbs them and tells what it took.
//!
//! The program is given `name=value` arguments, and prints one JSON object: how many vectors or
//! queries, the seconds from first to last, those inside of calls, its CPU time, and the ids that
//! its exact searches found. The time of each request goes into a file, as `u64` nanoseconds.

mod c;
mod mojo;
mod python;
mod tree;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use nearfield::Stage;
use serde::Deserialize;

use super::check::QUERIES as EXACT;
use super::climb::{COLLECTION, LIMIT, WARM};
use super::door::Door;
use super::leg::{Cell, Leg, Stages};
use super::options::Op;
use super::work::{QUERIES, Work};
use crate::Result;

/// A program that is ready to climb.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) command: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// What it is to do.
pub(super) struct Job<'j> {
    pub(super) cell: Cell,
    /// What the door opens.
    pub(super) target: String,
    /// Whether there are no collections yet.
    pub(super) is_new: bool,
    pub(super) work: &'j Work,
    pub(super) durability: &'j str,
    pub(super) seconds: f64,
    /// A folder for its files.
    pub(super) folder: &'j Path,
    /// Whether the time behind the door is wanted.
    pub(super) is_explained: bool,
}

/// What it says.
#[derive(Debug, Deserialize)]
struct Told {
    count: usize,
    seconds: f64,
    call_seconds: f64,
    cpu_seconds: f64,
    #[serde(default)]
    found: Vec<Vec<u64>>,
}

impl Program {
    /// Lets it climb. Gives what it took, and the ids that its exact searches found.
    pub(super) fn climb(&self, job: &Job<'_>) -> Result<(Leg, Vec<Vec<String>>)> {
        let times_file = job.folder.join("times");
        let calls_file = job.folder.join("calls");
        let target = match job.is_explained {
            true => format!("timed:{}:{}", calls_file.display(), job.target),
            false => job.target.clone(),
        };
        let (program, arguments) = self.command.split_first().ok_or("no program")?;
        let mut command = Command::new(program);
        command.args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let Cell { door, op, batch } = job.cell;
        for (name, value) in [
            ("door", door.name()),
            ("op", op.name()),
            ("target", &target),
            ("create", if job.is_new { "yes" } else { "no" }),
            ("collection", COLLECTION),
            ("warm", WARM),
            ("values", &job.work.values_file.to_string_lossy()),
            ("rows", &job.work.rows().to_string()),
            ("queries", &job.work.queries_file.to_string_lossy()),
            ("query_rows", &QUERIES.to_string()),
            ("dim", &job.work.dim.to_string()),
            ("batch", &batch.to_string()),
            ("limit", &LIMIT.to_string()),
            ("exact", &EXACT.to_string()),
            ("durability", job.durability),
            ("seconds", &job.seconds.to_string()),
            ("times", &times_file.to_string_lossy()),
        ] {
            command.arg(format!("{name}={value}"));
        }
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.trim_end().lines().last().unwrap_or_default();
            return Err(format!("its program ended with {}: {last}", output.status).into());
        }
        let told: Told = serde_json::from_slice(&output.stdout)?;
        let times = read_times(&times_file)?;
        let stages = match job.is_explained {
            true => Some(stages(&told, times.len(), &calls_file, op)?),
            false => None,
        };
        let leg = Leg {
            turn: 0,
            count: told.count,
            seconds: told.seconds,
            times,
            client_seconds: told.cpu_seconds,
            server_seconds: 0.0,
            stages,
        };
        let ids = |hits: &Vec<u64>| hits.iter().map(u64::to_string).collect();
        Ok((leg, told.found.iter().map(ids).collect()))
    }
}

/// What the calls took before and behind the border of the language, by clocks on both sides.
fn stages(told: &Told, requests: usize, calls_file: &Path, op: Op) -> Result<Stages> {
    let verb = match op {
        Op::Ingest => "upsert ",
        Op::Search => "search ",
    };
    let text = std::fs::read_to_string(calls_file)?;
    let calls: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix(verb)?.parse().ok())
        .collect();
    // The measured calls are the last ones.
    let skipped = calls
        .len()
        .checked_sub(requests)
        .ok_or("calls are missing")?;
    let engine_us = calls[skipped..].iter().sum::<f64>() / 1e3;
    let mut stages = Stages::default();
    stages[Stage::Engine as usize] = engine_us;
    stages[Stage::Ffi as usize] = told.call_seconds * 1e6 - engine_us;
    Ok(stages)
}

fn read_times(file: &Path) -> Result<Vec<f64>> {
    let bytes = std::fs::read(file)?;
    let words = bytes.as_chunks().0.iter();
    Ok(words
        .map(|word| u64::from_ne_bytes(*word) as f64 / 1e3)
        .collect())
}

/// Makes the programs of doors ready.
pub(super) struct Languages<'l> {
    /// The program `nearfield`, beside which parts of other languages may be.
    pub(super) program: &'l Path,
    /// A folder for what is made.
    pub(super) folder: &'l Path,
    /// The interpreter that was asked for.
    pub(super) python: Option<&'l Path>,
    made: HashMap<&'static str, Result<Program, String>>,
}

impl<'l> Languages<'l> {
    pub(super) fn new(program: &'l Path, folder: &'l Path, python: Option<&'l Path>) -> Self {
        Languages {
            program,
            folder,
            python,
            made: HashMap::new(),
        }
    }

    /// The program of a door, or why there is none.
    pub(super) fn prepare(&mut self, door: Door, say: &dyn Fn(&str)) -> Result<Program, String> {
        let (program, folder, python) = (self.program, self.folder, self.python);
        let (language, make): (_, &dyn Fn() -> Result<Program, String>) = match door {
            Door::CSingle | Door::CBatch => ("C", &|| c::prepare(program, folder)),
            Door::PythonList | Door::PythonNumpy | Door::PythonReserve | Door::PythonHttpJson => {
                ("Python", &|| python::prepare(python, program, folder, say))
            }
            Door::Mojo => ("Mojo", &|| mojo::prepare(program, folder)),
            other => return Err(format!("{other} is no door of another language")),
        };
        self.made.entry(language).or_insert_with(make).clone()
    }
}
