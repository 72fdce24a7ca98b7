//! The store under measurement, opened the way that programs open it.

use std::path::Path;
use std::time::{Duration, Instant};

use nearfield::{Builder, Collection, Database, Durability, Metric};

use crate::Result;
use crate::workload::{Columns, Pool};

const COLLECTION: &str = "bench";
/// Fewer rows than this never get codes: groups are coded whole.
const GROUP_ROWS: u64 = 256;
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
pub(crate) fn create(path: &Path, dimension: usize) -> Result<(Database, Collection)> {
    let database = open(path, None)?;
    let collection = database.create_collection(COLLECTION, dimension, Metric::Euclidean)?;
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
        let batch = columns.batch(pool);
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
    let mut least = u64::MAX;
    let mut since = Instant::now();
    loop {
        let unencoded = collection.describe()?.unencoded;
        if unencoded < GROUP_ROWS {
            return Ok(());
        }
        if unencoded < least {
            (least, since) = (unencoded, Instant::now());
        } else if since.elapsed() > STALL {
            // Whatever keeps rows from being coded keeps searches from reading them.
            let zeros = vec![0.0; collection.describe()?.dimension];
            let reason = match collection.search(&zeros[..]).run() {
                Ok(_) => "searches work".to_owned(),
                Err(error) => format!("a search fails: {error}"),
            };
            return Err(format!("{unencoded} rows stay without codes; {reason}").into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
