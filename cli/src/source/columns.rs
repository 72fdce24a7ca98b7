//! Vectors, ids and metadata as columns, each a file of its own.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use nearfield::Ids;
use nearfield::limits::DIMENSION_MAX;

use super::BATCH_BYTES;
use super::block::{Block, Joined};
use super::files::{Files, Format, open};
use super::lines::Lines;
use super::npy::Npy;
use super::vecs::{Component, Vecs};
use crate::failure::{Failure, Outcome};
use crate::ids;
use crate::show::number;

/// Bytes that the metadata of a point are expected to take, where batches are cut.
const METADATA_BYTES: usize = 4_096;

/// Open columns.
pub(super) struct Columns {
    name: String,
    vectors: VectorColumn,
    ids: Option<IdColumn>,
    metadata: Option<TextColumn>,
    /// Components per vector.
    pub(super) dimension: usize,
    /// Vectors in the file.
    pub(super) rows: u64,
}

enum VectorColumn {
    Npy(Npy<BufReader<File>>),
    Vecs(Vecs<BufReader<File>>),
}

enum IdColumn {
    Npy(String, Npy<BufReader<File>>),
    Text(TextColumn),
}

/// A text file with one line per vector.
struct TextColumn {
    name: String,
    lines: Lines<BufReader<File>>,
}

impl Columns {
    /// Opens the files and compares their numbers of rows.
    pub(super) fn open(files: &Files, name: &str, dimension: Option<usize>) -> Outcome<Self> {
        let within = |failure: Failure| failure.within(name);
        let vectors = VectorColumn::open(files, dimension).map_err(within)?;
        let (rows, dimension) = (vectors.rows(), vectors.dimension().map_err(within)?);
        let ids = files
            .ids
            .as_deref()
            .map(|path| IdColumn::open(path, rows))
            .transpose()?;
        let metadata = files
            .metadata
            .as_deref()
            .map(|path| TextColumn::open(path, rows))
            .transpose()?;
        Ok(Columns {
            name: name.to_owned(),
            vectors,
            ids,
            metadata,
            dimension,
            rows,
        })
    }

    /// Whether there is a column of ids.
    pub(super) fn has_ids(&self) -> bool {
        self.ids.is_some()
    }

    /// Passes over the first rows. Tells whether there are so many.
    pub(super) fn skip(&mut self, rows: u64) -> Outcome<bool> {
        if self.rows < rows {
            return Ok(false);
        }
        self.vectors
            .seek_row(rows)
            .map_err(|failure| failure.within(&self.name))?;
        match &mut self.ids {
            Some(IdColumn::Npy(name, npy)) => {
                npy.seek_row(rows).map_err(|failure| failure.within(name))?;
            }
            Some(IdColumn::Text(text)) => text.skip(rows)?,
            None => {}
        }
        if let Some(metadata) = &mut self.metadata {
            metadata.skip(rows)?;
        }
        Ok(true)
    }

    /// The next rows, `rows_max` at most.
    pub(super) fn next(&mut self, first_row: u64, rows_max: usize) -> Outcome<Block> {
        let metadata_bytes = if self.metadata.is_some() {
            METADATA_BYTES
        } else {
            0
        };
        let row_bytes = self.dimension * 4 + metadata_bytes;
        let rows_max = rows_max.min(BATCH_BYTES / row_bytes).max(1) as u64;
        let mut values = Vec::new();
        let rows = self
            .vectors
            .read_values(rows_max, &mut values)
            .map_err(|failure| failure.within(&self.name))?;
        let ids = match &mut self.ids {
            Some(column) => column.read(rows)?,
            None => Ids::from((first_row..first_row + rows).collect::<Vec<u64>>()),
        };
        let metadata = self
            .metadata
            .as_mut()
            .map(|column| {
                let mut joined = Joined::default();
                column.read(rows, |line| {
                    joined.push(match line.trim() {
                        "null" => "",
                        text => text,
                    })
                })?;
                joined.finish()
            })
            .transpose()?;
        Ok(Block {
            first_row,
            bytes_read: 0,
            ids,
            values,
            metadata,
            lines: Vec::new(),
        })
    }
}

impl VectorColumn {
    fn open(files: &Files, dimension: Option<usize>) -> Outcome<Self> {
        if files.points == Path::new("-") {
            return Err(Failure::usage("stdin is read as lines of JSON")
                .hint("save the vectors in a file and give its path"));
        }
        let reader = BufReader::with_capacity(1 << 16, open(&files.points)?);
        let component = match files.format {
            Format::Fvecs => Component::F32,
            Format::Bvecs => Component::U8,
            Format::Ivecs => Component::I32,
            Format::Npy | Format::Jsonl => {
                return vectors_of(Npy::open(reader)?, dimension).map(VectorColumn::Npy);
            }
        };
        Vecs::open(reader, component).map(VectorColumn::Vecs)
    }

    fn rows(&self) -> u64 {
        match self {
            VectorColumn::Npy(npy) => npy.rows(),
            VectorColumn::Vecs(vecs) => vecs.rows(),
        }
    }

    fn dimension(&self) -> Outcome<usize> {
        let components = match self {
            VectorColumn::Npy(npy) => npy.row_len()?,
            VectorColumn::Vecs(vecs) => vecs.dimension(),
        };
        usize::try_from(components)
            .ok()
            .filter(|components| (1..=DIMENSION_MAX).contains(components))
            .ok_or_else(|| {
                Failure::input(format!(
                    "its vectors have {} components; from 1 to {} are possible",
                    number(components),
                    number(DIMENSION_MAX as u64)
                ))
            })
    }

    fn seek_row(&mut self, row: u64) -> Outcome {
        match self {
            VectorColumn::Npy(npy) => npy.seek_row(row),
            VectorColumn::Vecs(vecs) => vecs.seek_row(row),
        }
    }

    fn read_values(&mut self, rows: u64, values: &mut Vec<f32>) -> Outcome<u64> {
        match self {
            VectorColumn::Npy(npy) => npy.read_values(rows, values),
            VectorColumn::Vecs(vecs) => vecs.read_values(rows, values),
        }
    }
}

impl IdColumn {
    fn open(path: &Path, rows: u64) -> Outcome<Self> {
        if path.extension().is_none_or(|ending| ending != "npy") {
            return TextColumn::open(path, rows).map(IdColumn::Text);
        }
        let name = path.display().to_string();
        let npy =
            Npy::open(BufReader::new(open(path)?)).map_err(|failure| failure.within(&name))?;
        if npy.dimensions() > 2 || npy.row_len()? != 1 {
            return Err(Failure::input(format!(
                "{name}: ids are an array of one dimension"
            )));
        }
        if npy.rows() != rows {
            return Err(uneven(&name, "ids", npy.rows(), rows));
        }
        Ok(IdColumn::Npy(name, npy))
    }

    fn read(&mut self, rows: u64) -> Outcome<Ids<'static>> {
        let mut read = Vec::new();
        match self {
            IdColumn::Npy(name, npy) => {
                npy.read_ids(rows, &mut read)
                    .map_err(|failure| failure.within(name))?;
            }
            IdColumn::Text(column) => column.read(rows, |line| match line {
                "" => Err(Failure::input("an id is empty")),
                line => {
                    read.push(ids::parse(line));
                    Ok(())
                }
            })?,
        }
        Ok(Ids::from(read))
    }
}

impl TextColumn {
    /// Opens the file and compares its lines with the rows there are, before anything is
    /// written.
    fn open(path: &Path, rows: u64) -> Outcome<Self> {
        let name = path.display().to_string();
        let mut file = open(path)?;
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, &file));
        while lines
            .skip()
            .map_err(|failure| failure.within(&name))?
            .is_some()
        {}
        let there = lines.number();
        if there != rows {
            return Err(uneven(&name, "lines", there, rows));
        }
        file.rewind()
            .map_err(|error| Failure::file(path, "read", &error))?;
        Ok(TextColumn {
            name,
            lines: Lines::new(BufReader::with_capacity(1 << 16, file)),
        })
    }

    fn skip(&mut self, rows: u64) -> Outcome {
        for _ in 0..rows {
            self.lines
                .skip()
                .map_err(|failure| failure.within(&self.name))?;
        }
        Ok(())
    }

    fn read(&mut self, rows: u64, mut take: impl FnMut(&str) -> Outcome) -> Outcome {
        for _ in 0..rows {
            let at = self.lines.number() + 1;
            match self.lines.next() {
                Ok(Some(line)) => take(line)
                    .map_err(|failure| failure.within(format_args!("line {}", number(at)))),
                Ok(None) => Err(Failure::input("it became shorter while it was read")),
                Err(failure) => Err(failure),
            }
            .map_err(|failure| failure.within(&self.name))?;
        }
        Ok(())
    }
}

fn uneven(name: &str, things: &str, there: u64, rows: u64) -> Failure {
    Failure::input(format!(
        "{name}: it has {} {things}, and there are {} vectors",
        number(there),
        number(rows)
    ))
    .hint("give one per vector, in the same order")
}

/// The array as rows of vectors.
fn vectors_of<R: Read + Seek>(mut npy: Npy<R>, dimension: Option<usize>) -> Outcome<Npy<R>> {
    if !npy.is_numeric() {
        return Err(Failure::input("it holds text, not numbers")
            .hint("ids are given with --ids, beside a file of vectors"));
    }
    match npy.dimensions() {
        2 => {}
        // A flat array is one vector, unless the caller says how long vectors are.
        0 | 1 => npy.reshape(dimension.map_or(npy.rows(), |dimension| dimension as u64))?,
        more => {
            return Err(
                Failure::input(format!("it has {more} dimensions; vectors have 2")).hint(
                    "reshape it: numpy.save(\"vectors.npy\", array.reshape(-1, array.shape[-1]))",
                ),
            );
        }
    }
    Ok(npy)
}

/// Reads all vectors of a small array: rows and their length.
pub(crate) fn read_vectors(path: &Path) -> Outcome<(Vec<f32>, usize)> {
    let name = path.display().to_string();
    let read = || {
        let npy = Npy::open(BufReader::new(open(path)?))?;
        let mut npy = vectors_of(npy, None)?;
        let row_len = usize::try_from(npy.row_len()?).unwrap_or(usize::MAX);
        if row_len == 0 || row_len > DIMENSION_MAX {
            return Err(Failure::input(format!(
                "its vectors have {} components",
                number(row_len as u64)
            )));
        }
        let mut values = Vec::new();
        npy.read_values(
            nearfield::limits::SEARCH_VECTORS_MAX as u64 + 1,
            &mut values,
        )?;
        Ok((values, row_len))
    };
    read().map_err(|failure: Failure| failure.within(name))
}
