//! A store that is filled with the rows of a set, row numbers for ids.

use std::path::Path;

use nearfield::{Batch, Collection, Database, Durability, MetadataColumn};

use crate::Result;
use crate::matching::{Matching, write_metadata};
use crate::set::Set;
use crate::store::{self, Engine};
use crate::wait::wait_encoded;

const BATCH: usize = 1_000;

/// Writes the first `rows` rows into a new store at `path`, with fields if there are any, and
/// waits for their codes.
pub(crate) fn load(
    path: &Path,
    engine: Engine,
    set: &Set,
    rows: usize,
    fields: &[&Matching],
) -> Result<(Database, Collection)> {
    let (database, collection) = store::create(path, engine, set.base.dimension(), set.metric)?;
    let mut scratch = Vec::new();
    for first in (0..rows).step_by(BATCH) {
        let end = (first + BATCH).min(rows);
        let ids: Vec<u64> = (first as u64..end as u64).collect();
        let mut batch = Batch::new(ids, set.base.slice(first, end - first, &mut scratch));
        if !fields.is_empty() {
            let (mut text, mut ends) = (String::new(), Vec::new());
            for row in first..end {
                write_metadata(fields.iter().copied(), row, &mut text)?;
                ends.push(u32::try_from(text.len())?);
            }
            batch = batch.metadata(MetadataColumn::from_parts(text, ends)?);
        }
        collection.upsert(batch).durability(Durability::Os).run()?;
    }
    wait_encoded(&collection)?;
    collection.flush()?;
    Ok((database, collection))
}
