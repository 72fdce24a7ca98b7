//! What is written: a pool of vectors that is gone through again and again under new ids.

use clap::{Args, ValueEnum};
use nearfield::{Batch, Durability, Ids, MetadataColumn};
use serde::Serialize;

use crate::Result;
use crate::random::Random;

/// Rows of the pool.
const POOL_ROWS: usize = 100_000;

/// How points look besides their vectors.
#[derive(Args, Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Points {
    /// Give points strings for ids instead of numbers
    #[arg(long)]
    pub(crate) string_ids: bool,
    /// Give points three metadata fields: one of 50 genres, a year, a price
    #[arg(long)]
    pub(crate) metadata: bool,
}

/// Which durability a command measures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durabilities {
    Sync,
    Os,
    Both,
}

impl Durabilities {
    pub(crate) fn each(self) -> &'static [Durability] {
        match self {
            Durabilities::Sync => &[Durability::Sync],
            Durabilities::Os => &[Durability::Os],
            Durabilities::Both => &[Durability::Sync, Durability::Os],
        }
    }
}

pub(crate) fn name(durability: Durability) -> &'static str {
    match durability {
        Durability::Sync => "sync",
        Durability::Os => "os",
    }
}

/// Vectors for any number of points.
#[derive(Debug)]
pub(crate) struct Pool {
    /// The pool, and its first rows once more, so that every batch is one slice.
    values: Vec<f32>,
    rows: usize,
    pub(crate) dimension: usize,
}

impl Pool {
    /// A pool for `vectors` points that are written in batches of up to `batch`.
    pub(crate) fn new(vectors: usize, dimension: usize, batch: usize) -> Pool {
        let rows = vectors.clamp(1, POOL_ROWS);
        let mut values = vec![0.0; (rows + batch) * dimension];
        Random::new(1).fill_normal(&mut values[..rows * dimension], 1.0);
        for row in rows..rows + batch {
            let from = row % rows * dimension;
            values.copy_within(from..from + dimension, row * dimension);
        }
        Pool {
            values,
            rows,
            dimension,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The vectors of `count` points from `first` on.
    pub(crate) fn slice(&self, first: usize, count: usize) -> &[f32] {
        let start = first % self.rows * self.dimension;
        &self.values[start..start + count * self.dimension]
    }
}

/// The ids and metadata of one batch, made ahead of time.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) ids: Ids<'static>,
    metadata: Option<MetadataColumn<'static>>,
}

impl Columns {
    pub(crate) fn new(points: Points, first: usize, count: usize) -> Result<Columns> {
        let numbers = first as u64..(first + count) as u64;
        let ids = if points.string_ids {
            Ids::from(numbers.map(string_id).collect::<Vec<String>>())
        } else {
            Ids::from(numbers.collect::<Vec<u64>>())
        };
        let metadata = points.metadata.then(|| metadata(first, count));
        Ok(Columns {
            first,
            count,
            ids,
            metadata: metadata.transpose()?,
        })
    }

    /// The columns of all batches.
    pub(crate) fn all(points: Points, vectors: usize, batch: usize) -> Result<Vec<Columns>> {
        (0..vectors)
            .step_by(batch)
            .map(|first| Columns::new(points, first, batch.min(vectors - first)))
            .collect()
    }

    /// The points of these columns with these vectors.
    pub(crate) fn batch<'a>(&'a self, values: &'a [f32]) -> Batch<'a> {
        let batch = Batch::new(self.ids.borrowed(), values);
        match &self.metadata {
            Some(column) => batch.metadata(column.borrowed()),
            None => batch,
        }
    }
}

pub(crate) fn string_id(number: u64) -> String {
    format!("point-{number:010}")
}

/// A keyword of 50 values, a number of 76, and one that hardly repeats.
fn metadata(first: usize, count: usize) -> Result<MetadataColumn<'static>> {
    use std::fmt::Write;
    let mut text = String::with_capacity(count * 56);
    let mut ends = Vec::with_capacity(count);
    for number in first..first + count {
        let mut random = Random::at(2, 0, number as u64);
        let (genre, year) = (random.below(50), 1950 + random.below(76));
        let (whole, cents) = (random.below(100_000), random.below(100));
        write!(
            text,
            r#"{{"genre":"genre-{genre}","year":{year},"price":{whole}.{cents:02}}}"#
        )?;
        ends.push(u32::try_from(text.len())?);
    }
    Ok(MetadataColumn::from_parts(text, ends)?)
}
