//! What is written and searched for, the same for every door: in memory, and in files for programs
//! in other languages.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::options::Plan;
use crate::Result;
use crate::data::{Generator, Shape, Stream};
use crate::npy::{self, Matrix};
use crate::random::Random;

/// Query vectors.
pub(super) const QUERIES: usize = 1_000;
/// Components that a file of vectors may have per row; more is taken for a broken file.
const DIMENSION_MAX: usize = 65_536;

/// The vectors of a run.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) values: Vec<f32>,
    pub(super) queries: Vec<f32>,
    pub(super) dim: usize,
    /// The same bytes, for other programs.
    pub(super) values_file: PathBuf,
    pub(super) queries_file: PathBuf,
}

impl Work {
    /// Makes or reads the vectors, and writes the files into `folder`.
    pub(super) fn make(plan: &Plan, folder: &Path) -> Result<Work> {
        let (values, queries, dim) = match plan.data.as_str() {
            "clustered" => clustered(plan.vectors, plan.dim),
            "random" => random(plan.vectors, plan.dim),
            file => read(Path::new(file), plan.vectors)?,
        };
        let (values_file, queries_file) = (folder.join("vectors.f32"), folder.join("queries.f32"));
        std::fs::write(&values_file, bytemuck::cast_slice(&values))?;
        std::fs::write(&queries_file, bytemuck::cast_slice(&queries))?;
        Ok(Work {
            values,
            queries,
            dim,
            values_file,
            queries_file,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.dim
    }

    /// `count` vectors from `first` on.
    pub(super) fn slice(&self, first: usize, count: usize) -> &[f32] {
        &self.values[first * self.dim..][..count * self.dim]
    }

    /// `count` query vectors from `first` on, which goes round.
    pub(super) fn query(&self, first: usize, count: usize) -> &[f32] {
        let starts = QUERIES / count.min(QUERIES);
        let first = first % starts * count;
        &self.queries[first * self.dim..][..count * self.dim]
    }
}

fn clustered(rows: usize, dim: usize) -> (Vec<f32>, Vec<f32>, usize) {
    let shape = Shape {
        descriptor: false,
        ..Shape::default()
    };
    let generator = Generator::new(&shape, dim);
    let values = generator.rows(Stream::Base, 0, rows);
    (values, generator.rows(Stream::Queries, 0, QUERIES), dim)
}

fn random(rows: usize, dim: usize) -> (Vec<f32>, Vec<f32>, usize) {
    let normals = |seed, rows: usize| {
        let mut values = vec![0.0; rows * dim];
        Random::new(seed).fill_normal(&mut values, 1.0);
        values
    };
    (normals(1, rows), normals(2, QUERIES), dim)
}

/// The first rows of a file; queries are middles between two of them.
fn read(file: &Path, rows: usize) -> Result<(Vec<f32>, Vec<f32>, usize)> {
    let matrix = match file.extension().and_then(|name| name.to_str()) {
        Some("npy") => npy::read(file)?,
        Some("fvecs") => read_fvecs(file, rows)?,
        _ => {
            let message = "give `clustered`, `random`, or a .npy or .fvecs file";
            return Err(format!("{}: {message}", file.display()).into());
        }
    };
    if matrix.rows() == 0 {
        return Err(format!("{}: there are no vectors", file.display()).into());
    }
    let dim = matrix.columns;
    let mut chance = Random::new(2);
    let mut queries = Vec::with_capacity(QUERIES * dim);
    for _ in 0..QUERIES {
        let a = matrix.row(chance.below(matrix.rows()));
        let b = matrix.row(chance.below(matrix.rows()));
        queries.extend(a.iter().zip(b).map(|(a, b)| (a + b) / 2.0));
    }
    let mut values = matrix.values;
    values.truncate(rows * dim);
    Ok((values, queries, dim))
}

/// Rows of a `.fvecs` file: each is its dimension as `i32`, and its components.
fn read_fvecs(file: &Path, rows: usize) -> Result<Matrix> {
    let broken = |why: &str| format!("{}: {why}", file.display());
    let opened = File::open(file).map_err(|error| broken(&error.to_string()))?;
    let mut reader = BufReader::new(opened);
    let (mut values, mut columns) = (Vec::new(), 0);
    let mut head = [0; 4];
    for row in 0..rows {
        match reader.read_exact(&mut head) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            read => read?,
        }
        let dim = usize::try_from(i32::from_le_bytes(head)).unwrap_or(0);
        if dim == 0 || dim > DIMENSION_MAX || (row > 0 && dim != columns) {
            return Err(broken("rows are not vectors of one length").into());
        }
        columns = dim;
        let mut bytes = vec![0; dim * 4];
        reader
            .read_exact(&mut bytes)
            .map_err(|_| broken("it ends inside a vector"))?;
        let words = bytes.as_chunks().0.iter();
        values.extend(words.map(|word| f32::from_le_bytes(*word)));
    }
    Ok(Matrix { values, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fvecs_are_read_and_broken_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fvecs");
        let mut bytes = Vec::new();
        for row in [[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]] {
            bytes.extend(2_i32.to_le_bytes());
            bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        }
        std::fs::write(&path, &bytes).unwrap();
        let (values, queries, dim) = read(&path, 2).unwrap();
        assert_eq!((values, dim), (vec![1.0, 2.0, 3.0, 4.0], 2));
        assert_eq!(queries.len(), QUERIES * 2);
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read(&path, 3).is_err());
        std::fs::write(&path, [0; 64]).unwrap();
        assert!(read(&path, 3).is_err());
    }
}
