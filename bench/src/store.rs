//! The store under measurement, opened the way that programs open it.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use nearfield::{Builder, Collection, Database, Description, Durability, Metric};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::report::figure;
use crate::workload::{Columns, Pool};

const COLLECTION: &str = "bench";
/// Fewer rows than this never get codes: groups are coded whole.
const GROUP_ROWS: u64 = 256;
/// Fewer rows than this stay in the tail: the index takes rows in by the thousand.
const TAIL_ROWS: u64 = 4_096;
/// How long the codes may make no progress before waiting for them is given up.
const STALL: Duration = Duration::from_secs(10);

/// Opens the store at `path`; `search_threads` of `None` leaves the default.
pub(crate) fn open(path: &Path, search_threads: Option<usize>) -> Result<Database> {
    let target = path.to_str().ok_or("the path is not valid Unicode")?;
    let builder = Builder::new(target).options(|options| {
        options.program = "nearfield-bench".to_owned();
        if let Some(threads) = search_threads {
            options.search_threads = threads;
        }
    });
    Ok(builder.open()?)
}

/// Opens an empty store with the one collection that is measured.
pub(crate) fn create(
    path: &Path,
    dimension: usize,
    metric: Metric,
) -> Result<(Database, Collection)> {
    let database = open(path, None)?;
    let collection = database.create_collection(COLLECTION, dimension, metric)?;
    Ok((database, collection))
}

/// The collection that is measured.
pub(crate) fn collection(database: &Database) -> Result<Collection> {
    Ok(database.collection(COLLECTION)?)
}

/// Writes batches one after the other; gives when each was acknowledged, from the first's start.
pub(crate) fn upsert_all(
    collection: &Collection,
    columns: &[Columns],
    pool: &Pool,
    durability: Durability,
) -> Result<Vec<Duration>> {
    let mut ends = Vec::with_capacity(columns.len());
    let start = Instant::now();
    for columns in columns {
        let batch = columns.batch(pool.slice(columns.first, columns.count));
        collection.upsert(batch).durability(durability).run()?;
        ends.push(start.elapsed());
    }
    Ok(ends)
}

/// Waits until all rows have codes, but for a last group that is not full.
///
/// # Errors
/// If that does not come about.
pub(crate) fn wait_encoded(collection: &Collection) -> Result<()> {
    let period = Duration::from_micros(200);
    let left = wait_below(collection, GROUP_ROWS, STALL, period, |d| d.unencoded)?;
    if left < GROUP_ROWS {
        return Ok(());
    }
    // Whatever keeps rows from being coded keeps searches from reading them.
    let zeros = vec![0.0; collection.describe()?.dimension];
    let reason = match collection.search(&zeros[..]).run() {
        Ok(_) => "searches work".to_owned(),
        Err(error) => format!("a search fails: {error}"),
    };
    Err(format!("{left} rows stay without codes; {reason}").into())
}

/// How long to wait for the index.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub(crate) struct Patience {
    /// Give up waiting for the index when it has taken in no row for so many seconds
    #[arg(long, default_value_t = 30.0)]
    pub(crate) stall: f64,
}

/// How far the index had come when waiting for it ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Indexed {
    /// Rows that no index covers.
    pub(crate) unindexed: u64,
    stall: f64,
}

impl Indexed {
    /// Whether no more rows are left than an index leaves to the tail.
    pub(crate) fn is_full(&self) -> bool {
        self.unindexed < TAIL_ROWS
    }
}

impl fmt::Display for Indexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, stall) = (figure(self.unindexed as f64), self.stall);
        if self.is_full() {
            write!(f, "indexed: all but {rows} rows")
        } else {
            write!(
                f,
                "not indexed: {rows} rows; the index took in none for {stall} s"
            )
        }
    }
}

/// Waits until all rows have codes and the index covers all but a few, or takes in no more.
///
/// # Errors
/// If rows stay without codes.
pub(crate) fn wait_indexed(collection: &Collection, patience: Patience) -> Result<Indexed> {
    wait_encoded(collection)?;
    let stall = Duration::try_from_secs_f64(patience.stall)?;
    let period = Duration::from_millis(5);
    Ok(Indexed {
        unindexed: wait_below(collection, TAIL_ROWS, stall, period, |d| d.unindexed)?,
        stall: patience.stall,
    })
}

/// Waits until a number that a collection tells of itself is below `end`, or has not fallen for
/// `stall`; gives the number.
fn wait_below(
    collection: &Collection,
    end: u64,
    stall: Duration,
    period: Duration,
    of: fn(&Description) -> u64,
) -> Result<u64> {
    let mut least = u64::MAX;
    let mut since = Instant::now();
    loop {
        let number = of(&collection.describe()?);
        if number < least {
            (least, since) = (number, Instant::now());
        }
        if number < end || since.elapsed() > stall {
            return Ok(number);
        }
        std::thread::sleep(period);
    }
}
