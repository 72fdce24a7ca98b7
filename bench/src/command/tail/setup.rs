//! What is searched: vectors with metadata of which a known share matches.

use std::fmt::Write;
use std::path::Path;

use nearfield::{Batch, Durability, Filter, MetadataColumn};

use crate::Result;
use crate::data::{Generator, Shape, Stream};
use crate::npy::{self, Matrix};
use crate::random::Random;
use crate::store;

const BATCH: usize = 1_000;

/// Rows and queries.
pub(super) struct Set {
    pub(super) base: Matrix,
    pub(super) queries: Matrix,
}

impl Set {
    pub(super) fn generated(shape: &Shape, dimension: usize, rows: usize, queries: usize) -> Set {
        let generator = Generator::new(shape, dimension);
        let matrix = |stream, rows| Matrix {
            values: generator.rows(stream, 0, rows),
            columns: dimension,
        };
        Set {
            base: matrix(Stream::Base, rows),
            queries: matrix(Stream::Queries, queries),
        }
    }

    pub(super) fn read(base: &Path, queries: &Path, rows: usize) -> Result<Set> {
        let (mut base, queries) = (npy::read(base)?, npy::read(queries)?);
        if base.columns != queries.columns || queries.rows() == 0 {
            return Err("rows and queries have different dimensions, or there are none".into());
        }
        if base.rows() < rows {
            return Err(format!("the file has {} rows, not {rows}", base.rows()).into());
        }
        base.values.truncate(rows * base.columns);
        Ok(Set { base, queries })
    }
}

/// One row in `one_in` matches.
pub(super) struct Share {
    pub(super) label: &'static str,
    field: &'static str,
    one_in: usize,
}

pub(super) const SHARES: [Share; 3] = [
    Share {
        label: "10%",
        field: "tenth",
        one_in: 10,
    },
    Share {
        label: "1%",
        field: "hundredth",
        one_in: 100,
    },
    Share {
        label: "0.1%",
        field: "thousandth",
        one_in: 1_000,
    },
];

impl Share {
    /// The value of a row's field, independent of its vector.
    fn value(&self, row: usize) -> usize {
        Random::at(4, self.one_in as u64, row as u64).below(self.one_in)
    }

    pub(super) fn holds(&self, row: usize) -> bool {
        self.value(row) == 0
    }

    pub(super) fn filter(&self) -> Filter {
        Filter::eq(self.field, 0)
    }
}

/// Writes all rows into a new store at `path`, row numbers for ids, and waits for their codes.
pub(super) fn fill(path: &Path, set: &Set) -> Result<()> {
    let (database, collection) = store::create(path, set.base.columns)?;
    let rows = set.base.rows();
    for first in (0..rows).step_by(BATCH) {
        let end = (first + BATCH).min(rows);
        let ids: Vec<u64> = (first as u64..end as u64).collect();
        let values = &set.base.values[first * set.base.columns..end * set.base.columns];
        let (mut text, mut ends) = (String::new(), Vec::new());
        for row in first..end {
            for (number, share) in SHARES.iter().enumerate() {
                let open = if number == 0 { '{' } else { ',' };
                write!(text, r#"{open}"{}":{}"#, share.field, share.value(row))?;
            }
            text.push('}');
            ends.push(u32::try_from(text.len())?);
        }
        let batch = Batch::new(ids, values).metadata(MetadataColumn::from_parts(text, ends)?);
        collection.upsert(batch).durability(Durability::Os).run()?;
    }
    store::wait_encoded(&collection)?;
    collection.flush()?;
    drop((collection, database));
    Ok(())
}
