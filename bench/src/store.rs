//! The store under measurement, opened the way that programs open it.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use nearfield::{Builder, Collection, Database, Durability, Metric};
use serde::Serialize;

use crate::Result;
use crate::workload::{Columns, Pool};

const COLLECTION: &str = "bench";

/// What is set of the engine; the rest is as it comes.
#[derive(Args, Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Engine {
    /// Keep no 8-bit codes of indexed vectors in memory
    #[arg(long)]
    pub(crate) lean: bool,
    #[arg(skip)]
    #[serde(skip)]
    pub(crate) search_threads: Option<usize>,
    /// Whether all rows stay in the tail.
    #[arg(skip)]
    #[serde(skip)]
    pub(crate) no_index: bool,
}

/// Opens the store at `path`.
pub(crate) fn open(path: &Path, engine: Engine) -> Result<Database> {
    let target = path.to_str().ok_or("the path is not valid Unicode")?;
    let builder = Builder::new(target).options(|options| {
        options.program = "nearfield-bench".to_owned();
        options.lean = engine.lean;
        if let Some(threads) = engine.search_threads {
            options.search_threads = threads;
        }
        if engine.no_index {
            options.index_rows = u32::MAX;
        }
    });
    Ok(builder.open()?)
}

/// Opens an empty store with the one collection that is measured.
pub(crate) fn create(
    path: &Path,
    engine: Engine,
    dimension: usize,
    metric: Metric,
) -> Result<(Database, Collection)> {
    let database = open(path, engine)?;
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
