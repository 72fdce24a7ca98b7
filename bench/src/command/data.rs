//! `data`: generated vectors for other programs.

use std::path::PathBuf;

use clap::Args;

use crate::Result;
use crate::data::{Generator, Shape, Stream};
use crate::npy::{self, Matrix};

/// Writes generated vectors to a .npy file
#[derive(Args, Debug)]
pub(crate) struct Data {
    /// The file of the rows
    #[arg(long)]
    out: PathBuf,
    /// The file of the query vectors
    #[arg(long)]
    queries_out: Option<PathBuf>,
    #[arg(long, default_value_t = 200_000)]
    rows: usize,
    #[arg(long, default_value_t = 500)]
    queries: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[command(flatten)]
    shape: Shape,
}

impl Data {
    pub(crate) fn run(&self) -> Result<()> {
        let generator = Generator::new(&self.shape, self.dim);
        let write = |path: &PathBuf, stream, rows| {
            let matrix = Matrix {
                values: generator.rows(stream, 0, rows),
                columns: self.dim,
            };
            npy::write(path, &matrix, self.shape.descriptor)
        };
        write(&self.out, Stream::Base, self.rows)?;
        match &self.queries_out {
            Some(path) => write(path, Stream::Queries, self.queries),
            None => Ok(()),
        }
    }
}
