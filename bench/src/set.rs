//! What is written and what is searched for: generated, or from files.

use std::path::{Path, PathBuf};

use clap::Args;
use nearfield::Metric;
use serde::{Serialize, Serializer};

use crate::Result;
use crate::data::{DESCRIPTOR_SCALE, Generator, Shape, Stream};
use crate::npy::{self, Matrix};
use crate::rows::Rows;

/// Rows that are generated unless said otherwise.
const ROWS: usize = 1_000_000;

/// Files of vectors instead of generated ones.
#[derive(Args, Clone, Debug, Serialize)]
pub(crate) struct Files {
    /// Take the first rows of a .npy file (float32 or uint8) instead of generated ones
    #[arg(long)]
    #[serde(serialize_with = "name_alone")]
    pub(crate) data: Option<PathBuf>,
    /// Query vectors for them
    #[arg(long, requires = "data")]
    #[serde(serialize_with = "name_alone")]
    pub(crate) query_file: Option<PathBuf>,
}

/// Reports tell the name of a file, and not where it is.
fn name_alone<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    let name = path.as_deref().and_then(Path::file_name);
    name.map(|name| name.to_string_lossy()).serialize(to)
}

/// Where vectors come from.
#[derive(Args, Clone, Debug, Serialize)]
pub(crate) struct Source {
    /// Points to write; 1,000,000 unless said otherwise, or what the file has
    #[arg(long)]
    vectors: Option<usize>,
    /// Dimension of generated vectors
    #[arg(long, default_value_t = 128)]
    dim: usize,
    /// Generated query vectors
    #[arg(long, default_value_t = 1_000)]
    queries: usize,
    /// How nearness is measured: cosine, dot or euclidean
    #[arg(long, value_parser = metric, default_value = "euclidean")]
    metric: Metric,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    shape: Shape,
}

fn metric(name: &str) -> Result<Metric, String> {
    [Metric::Cosine, Metric::Dot, Metric::Euclidean]
        .into_iter()
        .find(|metric| metric.as_str() == name)
        .ok_or_else(|| "use cosine, dot or euclidean".to_owned())
}

impl Source {
    /// `per_point` rows for each point, and the query vectors. Of generated rows, those past the
    /// first `pool` are these again with noise.
    pub(crate) fn set(&self, per_point: usize, pool: usize) -> Result<Set> {
        if self.vectors == Some(0) || self.dim == 0 || self.queries == 0 || pool == 0 {
            return Err("give at least one vector, query and dimension".into());
        }
        let rows = self.vectors.map(|vectors| vectors * per_point);
        let mut set = match &self.files.data {
            Some(base) => Set::read(base, self.files.query_file.as_deref(), rows)?,
            None => {
                let rows = rows.unwrap_or(ROWS * per_point);
                Set::generated(&self.shape, self.dim, rows, pool, self.queries)
            }
        };
        set.measure_by(self.metric);
        Ok(set)
    }
}

/// Rows and queries.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) base: Rows,
    pub(crate) queries: Matrix,
    pub(crate) metric: Metric,
    /// 1/norm of each row, under cosine.
    scales: Vec<f32>,
}

impl Set {
    /// Generated rows, those past the first `pool` with noise, under the euclidean metric.
    pub(crate) fn generated(
        shape: &Shape,
        dimension: usize,
        rows: usize,
        pool: usize,
        queries: usize,
    ) -> Set {
        let generator = Generator::new(shape, dimension);
        let matrix = |stream, rows| Matrix {
            values: generator.rows(stream, 0, rows),
            columns: dimension,
        };
        let step = if shape.descriptor {
            1.0
        } else {
            1.0 / DESCRIPTOR_SCALE
        };
        Set {
            base: Rows::repeated(matrix(Stream::Base, rows.min(pool)), rows, step),
            queries: matrix(Stream::Queries, queries),
            metric: Metric::Euclidean,
            scales: Vec::new(),
        }
    }

    /// The first `rows` of a file, by default all, under the euclidean metric.
    pub(crate) fn read(base: &Path, queries: Option<&Path>, rows: Option<usize>) -> Result<Set> {
        let mut base = npy::read(base)?;
        let queries = match queries {
            Some(queries) => npy::read(queries)?,
            None => Matrix {
                values: Vec::new(),
                columns: base.columns,
            },
        };
        if base.columns != queries.columns {
            return Err("rows and queries have different dimensions".into());
        }
        let rows = rows.unwrap_or(base.rows());
        if base.rows() < rows || rows == 0 {
            return Err(format!("the file has {} rows, not {rows}", base.rows()).into());
        }
        base.values.truncate(rows * base.columns);
        Ok(Set {
            base: base.into(),
            queries,
            metric: Metric::Euclidean,
            scales: Vec::new(),
        })
    }

    fn measure_by(&mut self, metric: Metric) {
        self.metric = metric;
        if metric == Metric::Cosine {
            let scale = |number| {
                let row = self.base.row(number);
                dot(&row, &row).sqrt().recip()
            };
            self.scales = (0..self.base.len()).map(scale).collect();
        }
    }

    /// # Errors
    /// If there are no query vectors.
    pub(crate) fn check_queries(&self) -> Result<()> {
        match self.queries.rows() {
            0 => Err("there are no query vectors; give --query-file too".into()),
            _ => Ok(()),
        }
    }

    /// How far a query is from a vector, the row `number`: less is nearer. Of use to compare
    /// rows for one query alone.
    pub(crate) fn distance(&self, query: &[f32], vector: &[f32], number: usize) -> f32 {
        match self.metric {
            Metric::Euclidean => squared(query, vector),
            Metric::Dot => -dot(query, vector),
            Metric::Cosine => -dot(query, vector) * self.scales[number],
        }
    }

    /// How far a query vector is from a row, for comparison with other query vectors.
    pub(crate) fn query_distance(&self, row: &[f32], query: usize) -> f32 {
        let query = self.queries.row(query);
        match self.metric {
            Metric::Euclidean => squared(row, query),
            Metric::Dot => -dot(row, query),
            Metric::Cosine => -dot(row, query) / dot(query, query).sqrt(),
        }
    }

    /// Rows and dimension, for titles.
    pub(crate) fn size(&self) -> String {
        format!("{} x {}", self.base.len(), self.base.dimension())
    }
}

/// The squared distance.
fn squared(a: &[f32], b: &[f32]) -> f32 {
    sum(a, b, |a, b| (a - b) * (a - b))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum(a, b, |a, b| a * b)
}

/// The sum over components, in lanes that the compiler can keep in registers.
fn sum(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += of(*a, *b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| of(*a, *b));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}
