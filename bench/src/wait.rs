//! Waiting for what the engine does behind the writers' backs.

use std::fmt;
use std::time::{Duration, Instant};

use clap::Args;
use nearfield::{Collection, Description};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Fewer rows than this never get codes: groups are coded whole.
const GROUP_ROWS: u64 = 256;
/// Fewer rows than this stay in the tail: the index takes rows in by the thousand.
const TAIL_ROWS: u64 = 4_096;
/// How long the codes may make no progress before waiting for them is given up.
const STALL: Duration = Duration::from_secs(10);
/// Between two looks at the index.
const PERIOD: Duration = Duration::from_millis(5);

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
    /// Give up waiting for the index when it has made no progress for so many seconds
    #[arg(long, default_value_t = 30.0)]
    stall: f64,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { stall: 30.0 }
    }
}

impl Patience {
    /// The arguments that give another process the same.
    pub(crate) fn arguments(&self) -> [String; 2] {
        ["--stall".to_owned(), self.stall.to_string()]
    }
}

/// How far the index had come when waiting for it ended.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Indexed {
    /// Rows that no index covers.
    pub(crate) unindexed: u64,
    /// Whether nothing was left to do; unknown if that was not waited for.
    settled: Option<bool>,
    stall: f64,
    fault: Option<String>,
}

impl Indexed {
    /// Whether no more rows are left than an index leaves to the tail.
    pub(crate) fn is_full(&self) -> bool {
        self.unindexed < TAIL_ROWS
    }

    /// Whether it was waited for in vain.
    pub(crate) fn is_late(&self) -> bool {
        !self.is_full() || self.settled == Some(false)
    }
}

impl fmt::Display for Indexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, stall) = (self.unindexed, self.stall);
        if self.is_full() {
            write!(f, "indexed: all but {rows} rows")?;
            if self.settled == Some(false) {
                write!(f, "; not settled: no progress for {stall} s")?;
            }
        } else {
            write!(
                f,
                "not indexed: {rows} rows; the index took in none for {stall} s"
            )?;
        }
        match &self.fault {
            Some(fault) => write!(f, "; its last fault: {fault}"),
            None => Ok(()),
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
    let unindexed = wait_below(collection, TAIL_ROWS, stall, PERIOD, |d| d.unindexed)?;
    let index = collection.describe()?.index;
    Ok(Indexed {
        unindexed,
        settled: None,
        stall: patience.stall,
        fault: index.and_then(|index| index.fault),
    })
}

/// Waits until the index has nothing left to do, or makes no progress.
///
/// # Errors
/// If rows stay without codes.
pub(crate) fn wait_settled(collection: &Collection, patience: Patience) -> Result<Indexed> {
    let indexed = wait_indexed(collection, patience)?;
    settle(collection, patience, &indexed)
}

/// The same after the wait for the index, which gave `indexed`.
pub(crate) fn settle(
    collection: &Collection,
    patience: Patience,
    indexed: &Indexed,
) -> Result<Indexed> {
    if !indexed.is_full() {
        return Ok(indexed.clone());
    }
    let stall = Duration::try_from_secs_f64(patience.stall)?;
    let left = wait_below(collection, 1, stall, PERIOD, |d| match &d.index {
        Some(index) if !index.settled => 1 + index.older_epoch_rows + index.segments,
        _ => 0,
    })?;
    let description = collection.describe()?;
    Ok(Indexed {
        unindexed: description.unindexed,
        settled: Some(left == 0),
        fault: description.index.and_then(|index| index.fault),
        ..indexed.clone()
    })
}

/// Waits until a number that a collection tells of itself is below `end`, or has not changed for
/// `stall`; gives the number.
fn wait_below(
    collection: &Collection,
    end: u64,
    stall: Duration,
    period: Duration,
    of: fn(&Description) -> u64,
) -> Result<u64> {
    let mut last = u64::MAX;
    let mut since = Instant::now();
    loop {
        let number = of(&collection.describe()?);
        if number != last {
            (last, since) = (number, Instant::now());
        }
        if number < end || since.elapsed() > stall {
            return Ok(number);
        }
        std::thread::sleep(period);
    }
}
