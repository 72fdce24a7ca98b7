//! What a run of the ladder is asked to do.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use nearfield::Durability;
use serde::Serialize;

use super::door::Door;
use crate::Result;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Vectors are written.
    Ingest,
    /// The ten nearest are searched for.
    Search,
}

impl Op {
    /// `ingest` or `search`.
    pub fn name(self) -> &'static str {
        match self {
            Op::Ingest => "ingest",
            Op::Search => "search",
        }
    }

    /// `vectors/s` or `queries/s`.
    pub fn unit(self) -> &'static str {
        match self {
            Op::Ingest => "vectors/s",
            Op::Search => "queries/s",
        }
    }
}

/// What stands behind the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Behind {
    /// The engine.
    Real,
    /// Nothing: requests are answered at once, and nothing is kept.
    Null,
}

/// Whether writes wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wait {
    /// Each write is on disk when it is acknowledged.
    Sync,
    /// Each write is in the operating system's hands when it is acknowledged.
    Os,
}

/// Measures every door on one workload, and explains what each adds to the bare engine.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Ladder {
    /// Vectors to write, and to search among [default: 100000; with --quick 20000]
    #[arg(long, value_name = "N")]
    vectors: Option<usize>,
    /// Components per vector of generated data
    #[arg(long, value_name = "D", default_value_t = 128)]
    dim: usize,
    /// Vectors per write [default: 1,10,100,1000,10000; with --quick 1,1000]
    #[arg(long, value_name = "B", value_delimiter = ',')]
    batch: Vec<usize>,
    /// The doors to measure [default: all that this machine offers]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    door: Vec<Door>,
    /// Whether to write or to search [default: both]
    #[arg(long, value_delimiter = ',')]
    op: Vec<Op>,
    /// The vectors: `clustered`, `random`, or a .npy or .fvecs file
    #[arg(long, value_name = "FILE", default_value = "clustered")]
    data: String,
    /// Whether writes wait for the disk
    #[arg(long, value_enum, default_value_t = Wait::Os)]
    durability: Wait,
    /// How often each measurement is repeated; doors take turns [default: 3; with --quick 1]
    #[arg(long, value_name = "R")]
    rounds: Option<usize>,
    /// Seconds that one measurement may take at most [default: 1.5; with --quick 0.3]
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// What stands behind the doors; `null` answers at once and keeps nothing
    #[arg(long, value_enum, default_value_t = Behind::Real)]
    engine: Behind,
    /// A shorter run, under a minute
    #[arg(long)]
    quick: bool,
    /// The Python interpreter for Python's doors [default: python3 if it has nearfield and numpy,
    /// else one that is made in the source tree]
    #[arg(
        long,
        value_name = "FILE",
        env = "NEARFIELD_PYTHON",
        hide_env_values = true
    )]
    python: Option<PathBuf>,
    /// The folder to work in, on a disk [default: beside the program]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// The same, with nothing left open.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Plan {
    pub(super) vectors: usize,
    pub(super) dim: usize,
    pub(super) batches: Vec<usize>,
    #[serde(skip)]
    pub(super) doors: Vec<Door>,
    pub(super) ops: Vec<Op>,
    pub(super) data: String,
    pub(super) durability: Wait,
    pub(super) rounds: usize,
    pub(super) seconds: f64,
    pub(super) engine: Behind,
    #[serde(skip)]
    pub(super) python: Option<PathBuf>,
    #[serde(skip)]
    pub(super) path: Option<PathBuf>,
}

impl Ladder {
    /// A short run of writes through these doors.
    pub fn brief(doors: &[Door], vectors: usize, path: PathBuf) -> Ladder {
        Ladder {
            vectors: Some(vectors),
            dim: 128,
            batch: vec![1_000],
            door: doors.to_vec(),
            op: vec![Op::Ingest],
            data: "clustered".to_owned(),
            durability: Wait::Os,
            rounds: Some(1),
            seconds: Some(0.2),
            engine: Behind::Real,
            quick: true,
            python: None,
            path: Some(path),
        }
    }

    pub(super) fn plan(&self) -> Result<Plan> {
        let or = |usual, quick| if self.quick { quick } else { usual };
        let batches = match (&self.batch[..], self.quick) {
            ([], false) => vec![1, 10, 100, 1_000, 10_000],
            ([], true) => vec![1, 1_000],
            (batches, _) => unique(batches),
        };
        let plan = Plan {
            vectors: self.vectors.unwrap_or(or(100_000, 20_000)),
            dim: self.dim,
            batches,
            doors: match &self.door[..] {
                [] => Door::ALL.to_vec(),
                doors => Door::ALL
                    .into_iter()
                    .filter(|door| doors.contains(door))
                    .collect(),
            },
            ops: match &self.op[..] {
                [] => vec![Op::Ingest, Op::Search],
                ops => unique(ops),
            },
            data: self.data.clone(),
            durability: self.durability,
            rounds: self.rounds.unwrap_or(or(3, 1)),
            seconds: self.seconds.unwrap_or(if self.quick { 0.3 } else { 1.5 }),
            engine: self.engine,
            python: self.python.clone(),
            path: self.path.clone(),
        };
        let some = plan.vectors > 0 && plan.dim > 0 && plan.rounds > 0;
        if !some || plan.batches.contains(&0) || !(plan.seconds > 0.0 && plan.seconds < 1e6) {
            return Err("give at least one vector, component, round, and some time".into());
        }
        Ok(plan)
    }
}

impl Plan {
    /// The command line of the same run, files left out.
    pub(super) fn command(&self) -> String {
        let list = |names: Vec<String>| names.join(",");
        let mut command = format!(
            "nearfield ladder --vectors {} --dim {} --batch {} --op {} --durability {} --rounds {} \
             --seconds {}",
            self.vectors,
            self.dim,
            list(self.batches.iter().map(usize::to_string).collect()),
            list(self.ops.iter().map(|op| op.name().to_owned()).collect()),
            self.durability().as_str(),
            self.rounds,
            self.seconds,
        );
        if self.doors.len() < Door::ALL.len() {
            let doors = self.doors.iter().map(|door| door.name().to_owned());
            command += &format!(" --door {}", list(doors.collect()));
        }
        if self.data != "clustered" {
            let name = Path::new(&self.data).file_name().unwrap_or_default();
            command += &format!(" --data {}", name.to_string_lossy());
        }
        if self.engine == Behind::Null {
            command += " --engine null";
        }
        command
    }

    pub(super) fn durability(&self) -> Durability {
        match self.durability {
            Wait::Sync => Durability::Sync,
            Wait::Os => Durability::Os,
        }
    }
}

/// Each once, in the order of their first places.
fn unique<T: Copy + PartialEq>(values: &[T]) -> Vec<T> {
    let mut kept = Vec::new();
    for value in values {
        if !kept.contains(value) {
            kept.push(*value);
        }
    }
    kept
}
