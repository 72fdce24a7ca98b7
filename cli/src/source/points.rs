//! Lines of JSON, one point each.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use nearfield::{Id, Ids};

use super::BATCH_BYTES;
use super::block::{Block, Joined};
use super::files::{Files, open};
use super::jsonl;
use super::lines::Lines;
use crate::failure::{Failure, Outcome};
use crate::show::number;

type Reader = Box<dyn BufRead + Send>;

/// An open file of points.
pub(super) struct Points {
    lines: Lines<Reader>,
    /// The first line with its number, which was read to learn the dimension.
    first: Option<(u64, String)>,
    /// Components per vector.
    pub(super) dimension: usize,
    /// Whether the points have ids.
    pub(super) has_ids: bool,
    /// Bytes of the file, where that is known.
    pub(super) bytes: Option<u64>,
}

impl Points {
    /// Opens the file and reads its first point.
    pub(super) fn open(files: &Files) -> Outcome<Self> {
        if files.ids.is_some() || files.metadata.is_some() {
            return Err(
                Failure::usage("lines of JSON hold ids and metadata themselves")
                    .hint("leave out --ids and --metadata, or give the vectors as .npy"),
            );
        }
        let (reader, bytes): (Reader, _) = match files.points == Path::new("-") {
            true => (Box::new(BufReader::new(io::stdin())), None),
            false => {
                let file = open(&files.points)?;
                let bytes = file.metadata().ok().map(|metadata| metadata.len());
                (Box::new(BufReader::with_capacity(1 << 16, file)), bytes)
            }
        };
        let mut lines = Lines::new(reader);
        let first = loop {
            match lines.next()? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => break line.to_owned(),
                None => return Err(Failure::input("it holds no points")),
            }
        };
        let at = lines.number();
        let mut values = Vec::new();
        let has_ids = jsonl::parse(&first, &mut values)
            .map_err(|failure| failure.within(format_args!("line {}", number(at))))?
            .id
            .is_some();
        Ok(Points {
            lines,
            first: Some((at, first)),
            dimension: values.len(),
            has_ids,
            bytes,
        })
    }

    /// Passes over points. Tells whether there were so many.
    pub(super) fn skip(&mut self, rows: u64) -> Outcome<bool> {
        let mut passed = u64::from(rows > 0 && self.first.take().is_some());
        while passed < rows {
            match self.lines.skip()? {
                Some(holds_any) => passed += u64::from(holds_any),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The next points, `rows_max` at most.
    pub(super) fn next(&mut self, first_row: u64, rows_max: usize) -> Outcome<Block> {
        let mut points = PointBlock::new(self.dimension, self.has_ids, first_row);
        if let Some((at, line)) = self.first.take() {
            points.add(at, &line)?;
        }
        while points.lines.len() < rows_max && points.bytes() < BATCH_BYTES {
            let at = self.lines.number() + 1;
            match self.lines.next()? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => points.add(at, line)?,
                None => break,
            }
        }
        points.finish(self.lines.bytes())
    }
}

/// Points under way from lines to a [`Block`].
struct PointBlock {
    dimension: usize,
    has_ids: bool,
    first_row: u64,
    ids: Vec<Id>,
    values: Vec<f32>,
    metadata: Joined,
    lines: Vec<u64>,
}

impl PointBlock {
    fn new(dimension: usize, has_ids: bool, first_row: u64) -> Self {
        PointBlock {
            dimension,
            has_ids,
            first_row,
            ids: Vec::new(),
            values: Vec::new(),
            metadata: Joined::default(),
            lines: Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        self.values.len() * 4 + self.metadata.text.len()
    }

    fn add(&mut self, at: u64, line: &str) -> Outcome {
        self.add_point(line)
            .map_err(|failure| failure.within(format_args!("line {}", number(at))))?;
        self.lines.push(at);
        Ok(())
    }

    fn add_point(&mut self, line: &str) -> Outcome {
        let before = self.values.len();
        let point = jsonl::parse(line, &mut self.values)?;
        let components = self.values.len() - before;
        if components != self.dimension {
            return Err(Failure::input(format!(
                "its vector has {} components, and the first has {}",
                number(components as u64),
                number(self.dimension as u64)
            )));
        }
        let row = self.first_row + self.ids.len() as u64;
        self.ids.push(match (self.has_ids, point.id) {
            (true, Some(id)) => id,
            (false, None) => Id::U64(row),
            (true, None) => {
                return Err(
                    Failure::input("it has no \"id\", and the first line has one")
                        .hint("give all lines an id, or none"),
                );
            }
            (false, Some(_)) => {
                return Err(
                    Failure::input("it has an \"id\", and the first line has none")
                        .hint("give all lines an id, or none"),
                );
            }
        });
        self.metadata.push(point.metadata.unwrap_or_default())
    }

    fn finish(self, bytes_read: u64) -> Outcome<Block> {
        let metadata = match self.metadata.text.is_empty() {
            true => None,
            false => Some(self.metadata.finish()?),
        };
        Ok(Block {
            first_row: self.first_row,
            bytes_read,
            ids: Ids::from(self.ids),
            values: self.values,
            metadata,
            lines: self.lines,
        })
    }
}
