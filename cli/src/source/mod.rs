//! Where an import reads its points from: a file of vectors with columns of ids and metadata
//! beside it, or lines that hold whole points.

mod jsonl;
mod lines;
mod npy;
mod vecs;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};

use nearfield::limits::{DIMENSION_MAX, METADATA_BYTES_MAX};
use nearfield::{Batch, Id, Ids, MetadataColumn};

use crate::failure::{Failure, Outcome};
use crate::ids;
use crate::show::number;

pub(crate) use jsonl::vector as json_vector;
pub(crate) use npy::{Npy, header as npy_header};

use lines::Lines;
use vecs::{Component, Vecs};

/// A batch is ended before its size passes this, whatever its number of rows. Far below the
/// limit of an upsert, so that one more row always fits.
const BATCH_BYTES: usize = 32 << 20;

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// NumPy array
    Npy,
    /// TEXMEX vectors of f32
    Fvecs,
    /// TEXMEX vectors of u8
    Bvecs,
    /// TEXMEX vectors of i32
    Ivecs,
    /// One JSON object per line
    Jsonl,
}

impl Format {
    /// The format that the ending of a name stands for.
    pub(crate) fn of(path: &Path) -> Outcome<Self> {
        if path == "-" {
            return Ok(Format::Jsonl);
        }
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        let advice = match ending.as_str() {
            "npy" => return Ok(Format::Npy),
            "fvecs" => return Ok(Format::Fvecs),
            "bvecs" => return Ok(Format::Bvecs),
            "ivecs" => return Ok(Format::Ivecs),
            "jsonl" | "ndjson" => return Ok(Format::Jsonl),
            "json" => "turn the array into lines first: `jq -c '.[]' points.json > points.jsonl`",
            "npz" => "save each array by itself with numpy.save",
            "gz" | "zst" | "bz2" | "xz" | "zip" => "unpack it first",
            "parquet" | "arrow" | "csv" | "hdf5" | "h5" => {
                "read it with Python and save the vectors with numpy.save, or write lines of JSON"
            }
            _ => "say what it is with --format npy, fvecs, bvecs, ivecs or jsonl",
        };
        Err(Failure::usage(format!(
            "{}: the ending {ending:?} stands for no format that can be imported",
            path.display()
        ))
        .hint(advice))
    }
}

/// Files that together hold points.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// Vectors, or whole points; `-` is stdin.
    pub(crate) points: PathBuf,
    /// The layout of `points`.
    pub(crate) format: Format,
    /// Ids, one per vector.
    pub(crate) ids: Option<PathBuf>,
    /// Metadata, one line per vector.
    pub(crate) metadata: Option<PathBuf>,
}

/// An open source of points.
pub(crate) struct Source {
    name: String,
    dimension: usize,
    rows: Option<u64>,
    bytes: Option<u64>,
    has_ids: bool,
    next_row: u64,
    kind: Kind,
}

enum Kind {
    Columns {
        vectors: VectorColumn,
        ids: Option<IdColumn>,
        metadata: Option<TextColumn>,
    },
    Points {
        lines: Lines<Box<dyn BufRead + Send>>,
        first: Option<(u64, String)>,
    },
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

/// Points that were read, ready to be written.
pub(crate) struct Block {
    /// The row of the first one, counted from 0.
    pub(crate) first_row: u64,
    /// Bytes of the file up to here, where rows are not known beforehand.
    pub(crate) bytes_read: u64,
    ids: Ids<'static>,
    values: Vec<f32>,
    metadata: Option<MetadataColumn<'static>>,
    /// Line numbers, where the file has lines.
    lines: Vec<u64>,
}

impl Source {
    /// Opens the files. Ids that the files do not name are row numbers.
    pub(crate) fn open(files: &Files, dimension: Option<usize>) -> Outcome<Self> {
        let name = match files.points == Path::new("-") {
            true => "stdin".to_owned(),
            false => files.points.display().to_string(),
        };
        match files.format {
            Format::Jsonl => Source::open_points(files, name),
            _ => Source::open_columns(files, name, dimension),
        }
    }

    fn open_points(files: &Files, name: String) -> Outcome<Self> {
        if files.ids.is_some() || files.metadata.is_some() {
            return Err(Failure::usage(format!(
                "{name}: lines of JSON hold ids and metadata themselves"
            ))
            .hint("leave out --ids and --metadata, or give the vectors as .npy"));
        }
        let (reader, bytes): (Box<dyn BufRead + Send>, _) = match files.points == Path::new("-") {
            true => (Box::new(BufReader::new(io::stdin())), None),
            false => {
                let file = open(&files.points)?;
                let bytes = file.metadata().ok().map(|metadata| metadata.len());
                (Box::new(BufReader::with_capacity(1 << 16, file)), bytes)
            }
        };
        let mut lines = Lines::new(reader);
        let first = loop {
            match lines.next().map_err(|failure| failure.within(&name))? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => break line.to_owned(),
                None => return Err(Failure::input(format!("{name}: it holds no points"))),
            }
        };
        let at = lines.number();
        let mut values = Vec::new();
        let has_ids = jsonl::parse(&first, &mut values)
            .map_err(|failure| failure.within(format!("{name}, line {}", number(at))))?
            .id
            .is_some();
        Ok(Source {
            name,
            dimension: values.len(),
            rows: None,
            bytes,
            has_ids,
            next_row: 0,
            kind: Kind::Points {
                lines,
                first: Some((at, first)),
            },
        })
    }

    fn open_columns(files: &Files, name: String, dimension: Option<usize>) -> Outcome<Self> {
        if name == "stdin" {
            return Err(Failure::usage("stdin is read as lines of JSON")
                .hint("save the vectors in a file and give its path"));
        }
        let reader = BufReader::with_capacity(1 << 16, open(&files.points)?);
        let within = |failure: Failure| failure.within(&name);
        let component = match files.format {
            Format::Fvecs => Some(Component::F32),
            Format::Bvecs => Some(Component::U8),
            Format::Ivecs => Some(Component::I32),
            Format::Npy | Format::Jsonl => None,
        };
        let (vectors, rows, components) = match component {
            Some(component) => {
                let vecs = Vecs::open(reader, component).map_err(within)?;
                let (rows, components) = (vecs.rows(), vecs.dimension());
                (VectorColumn::Vecs(vecs), rows, components)
            }
            None => {
                let npy = vectors_of(Npy::open(reader).map_err(within)?, dimension).map_err(within)?;
                let (rows, components) = (npy.rows(), npy.row_len().map_err(within)?);
                (VectorColumn::Npy(npy), rows, components)
            }
        };
        let components = usize::try_from(components)
            .ok()
            .filter(|components| (1..=DIMENSION_MAX).contains(components))
            .ok_or_else(|| {
                within(Failure::input(format!(
                    "its vectors have {} components; from 1 to {} are possible",
                    number(components),
                    number(DIMENSION_MAX as u64)
                )))
            })?;
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
        Ok(Source {
            name,
            dimension: components,
            rows: Some(rows),
            bytes: None,
            has_ids: ids.is_some(),
            next_row: 0,
            kind: Kind::Columns {
                vectors,
                ids,
                metadata,
            },
        })
    }

    /// The file's name, for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Components per vector.
    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Points in the file, where that is known beforehand.
    pub(crate) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Bytes of a file whose number of points is not known beforehand.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Whether the files name the points; otherwise their rows do.
    pub(crate) fn has_ids(&self) -> bool {
        self.has_ids
    }

    /// Passes over points.
    pub(crate) fn skip(&mut self, rows: u64) -> Outcome {
        if rows == 0 {
            return Ok(());
        }
        let name = &self.name;
        let too_few = || {
            Failure::input(format!("{name}: it has fewer than {} points", number(rows)))
        };
        match &mut self.kind {
            Kind::Columns {
                vectors,
                ids,
                metadata,
            } => {
                if self.rows.is_some_and(|there| there < rows) {
                    return Err(too_few());
                }
                match vectors {
                    VectorColumn::Npy(npy) => npy.seek_row(rows),
                    VectorColumn::Vecs(vecs) => vecs.seek_row(rows),
                }
                .map_err(|failure| failure.within(name))?;
                match ids {
                    Some(IdColumn::Npy(name, npy)) => {
                        npy.seek_row(rows).map_err(|failure| failure.within(name))?;
                    }
                    Some(IdColumn::Text(text)) => text.skip(rows)?,
                    None => {}
                }
                if let Some(metadata) = metadata {
                    metadata.skip(rows)?;
                }
            }
            Kind::Points { lines, first } => {
                let mut passed = u64::from(first.take().is_some());
                while passed < rows {
                    match lines.skip().map_err(|failure| failure.within(name))? {
                        Some(holds_any) => passed += u64::from(holds_any),
                        None => return Err(too_few()),
                    }
                }
            }
        }
        self.next_row = rows;
        Ok(())
    }

    /// The next points, `rows_max` at most; `None` after the last.
    pub(crate) fn next(&mut self, rows_max: usize) -> Outcome<Option<Block>> {
        let first_row = self.next_row;
        let row_bytes = self.dimension * 4;
        let block = match &mut self.kind {
            Kind::Columns {
                vectors,
                ids,
                metadata,
            } => {
                let with_metadata = row_bytes + if metadata.is_some() { 4_096 } else { 0 };
                let rows_max = rows_max.min(BATCH_BYTES / with_metadata).max(1) as u64;
                next_columns(&self.name, first_row, rows_max, vectors, ids, metadata)?
            }
            Kind::Points { lines, first } => {
                let mut points = PointBlock::new(self.dimension, self.has_ids, first_row);
                points
                    .read(lines, first, rows_max)
                    .map_err(|failure| failure.within(&self.name))?;
                points.finish(lines.bytes())?
            }
        };
        self.next_row += block.len() as u64;
        Ok(Some(block).filter(|block| block.len() > 0))
    }
}

fn next_columns(
    name: &str,
    first_row: u64,
    rows_max: u64,
    vectors: &mut VectorColumn,
    ids: &mut Option<IdColumn>,
    metadata: &mut Option<TextColumn>,
) -> Outcome<Block> {
    let mut values = Vec::new();
    let rows = match vectors {
        VectorColumn::Npy(npy) => npy.read_values(rows_max, &mut values),
        VectorColumn::Vecs(vecs) => vecs.read_values(rows_max, &mut values),
    }
    .map_err(|failure| failure.within(name))?;
    let ids = match ids {
        None => Ids::from((first_row..first_row + rows).collect::<Vec<u64>>()),
        Some(IdColumn::Npy(name, npy)) => {
            let mut ids = Vec::new();
            npy.read_ids(rows, &mut ids)
                .map_err(|failure| failure.within(name))?;
            Ids::from(ids)
        }
        Some(IdColumn::Text(column)) => {
            let mut ids = Vec::new();
            column.read(rows, |line| match line {
                "" => Err(Failure::input("an id is empty")),
                line => {
                    ids.push(ids::parse(line));
                    Ok(())
                }
            })?;
            Ids::from(ids)
        }
    };
    let metadata = metadata
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

    fn read(
        &mut self,
        lines: &mut Lines<Box<dyn BufRead + Send>>,
        first: &mut Option<(u64, String)>,
        rows_max: usize,
    ) -> Outcome {
        if let Some((at, line)) = first.take() {
            self.add(at, &line)?;
        }
        while self.lines.len() < rows_max && self.bytes() < BATCH_BYTES {
            let at = lines.number() + 1;
            match lines.next()? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => self.add(at, line)?,
                None => break,
            }
        }
        Ok(())
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
                return Err(Failure::input("it has no \"id\", and the first line has one")
                    .hint("give all lines an id, or none"));
            }
            (false, Some(_)) => {
                return Err(Failure::input("it has an \"id\", and the first line has none")
                    .hint("give all lines an id, or none"));
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

/// Metadata on its way into a column.
#[derive(Default)]
struct Joined {
    text: String,
    ends: Vec<u32>,
}

impl Joined {
    fn push(&mut self, text: &str) -> Outcome {
        if text.len() > METADATA_BYTES_MAX {
            return Err(Failure::input(format!(
                "its metadata has {} bytes; {} are possible",
                number(text.len() as u64),
                number(METADATA_BYTES_MAX as u64)
            )));
        }
        self.text.push_str(text);
        let end = u32::try_from(self.text.len())
            .map_err(|_| Failure::input("a batch holds over 4 GB of metadata").hint("use a smaller --batch"))?;
        self.ends.push(end);
        Ok(())
    }

    fn finish(self) -> Outcome<MetadataColumn<'static>> {
        MetadataColumn::from_parts(self.text, self.ends)
            .map_err(|error| Failure::input(error.message()))
    }
}

impl Block {
    /// The number of points.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The points.
    pub(crate) fn batch(&self) -> Batch<'_> {
        let batch = Batch::new(self.ids.borrowed(), &self.values);
        match &self.metadata {
            Some(metadata) => batch.metadata(metadata.borrowed()),
            None => batch,
        }
    }

    /// The ids.
    pub(crate) fn ids(&self) -> &Ids<'static> {
        &self.ids
    }

    /// The vectors, one after the other.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Where a person finds a row of the block: `line 7`, or `row 6`.
    pub(crate) fn place(&self, row: usize) -> String {
        match self.lines.get(row) {
            Some(line) => format!("line {}", number(*line)),
            None => format!("row {}", number(self.first_row + row as u64)),
        }
    }
}

impl IdColumn {
    fn open(path: &Path, rows: u64) -> Outcome<Self> {
        if path.extension().is_none_or(|ending| ending != "npy") {
            return TextColumn::open(path, rows).map(IdColumn::Text);
        }
        let name = path.display().to_string();
        let npy = Npy::open(BufReader::new(open(path)?)).map_err(|failure| failure.within(&name))?;
        if npy.dimensions() > 2 || npy.row_len()? != 1 {
            return Err(Failure::input(format!("{name}: ids are an array of one dimension")));
        }
        if npy.rows() != rows {
            return Err(uneven(&name, "ids", npy.rows(), rows));
        }
        Ok(IdColumn::Npy(name, npy))
    }
}

impl TextColumn {
    /// Opens the file and compares its lines with the rows there are, before anything is
    /// written.
    fn open(path: &Path, rows: u64) -> Outcome<Self> {
        let name = path.display().to_string();
        let mut file = open(path)?;
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, &file));
        while lines.skip().map_err(|failure| failure.within(&name))?.is_some() {}
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
fn vectors_of<R: io::Read + Seek>(mut npy: Npy<R>, dimension: Option<usize>) -> Outcome<Npy<R>> {
    if !npy.is_numeric() {
        return Err(Failure::input("it holds text, not numbers")
            .hint("ids are given with --ids, beside a file of vectors"));
    }
    match npy.dimensions() {
        2 => {}
        // A flat array is one vector, unless the caller says how long vectors are.
        0 | 1 => npy.reshape(dimension.map_or(npy.rows(), |dimension| dimension as u64))?,
        more => {
            return Err(Failure::input(format!("it has {more} dimensions; vectors have 2"))
                .hint("reshape it: numpy.save(\"vectors.npy\", array.reshape(-1, array.shape[-1]))"));
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
            return Err(Failure::input(format!("its vectors have {} components", number(row_len as u64))));
        }
        let mut values = Vec::new();
        npy.read_values(nearfield::limits::SEARCH_VECTORS_MAX as u64 + 1, &mut values)?;
        Ok((values, row_len))
    };
    read().map_err(|failure: Failure| failure.within(name))
}

fn open(path: &Path) -> Outcome<File> {
    let file = File::open(path).map_err(|error| Failure::file(path, "open", &error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Err(Failure::input(format!("{}: it is a folder, not a file", path.display())))
        }
        _ => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::npy::tests::file;
    use super::*;

    fn folder_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn files(folder: &tempfile::TempDir, points: &str, ids: Option<&str>, metadata: Option<&str>) -> Files {
        let path = |name: &str| folder.path().join(name);
        Files {
            points: path(points),
            format: Format::of(&path(points)).unwrap(),
            ids: ids.map(path),
            metadata: metadata.map(path),
        }
    }

    fn array(rows: usize) -> Vec<u8> {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, 2), }}\n");
        file(1, &header, &(0..rows as u8 * 2).collect::<Vec<u8>>())
    }

    #[test]
    fn columns_come_together_in_batches() {
        let folder = folder_with(&[
            ("v.npy", &array(3)),
            ("ids.txt", b"7\nkind-of-blue\n007\n"),
            ("m.jsonl", b"{\"a\": 1}\nnull\n\n"),
        ]);
        let files = files(&folder, "v.npy", Some("ids.txt"), Some("m.jsonl"));
        let mut source = Source::open(&files, None).unwrap();
        assert_eq!((source.dimension(), source.rows(), source.has_ids()), (2, Some(3), true));
        let block = source.next(2).unwrap().unwrap();
        assert_eq!(block.values(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(block.ids().get(0), Some(nearfield::IdRef::U64(7)));
        assert_eq!(block.batch().metadata.unwrap().get(0), Some("{\"a\": 1}"));
        let block = source.next(2).unwrap().unwrap();
        assert_eq!((block.len(), block.first_row), (1, 2));
        assert_eq!(block.ids().get(0), Some(nearfield::IdRef::String("007")));
        assert_eq!(block.place(0), "row 2");
        assert!(source.next(2).unwrap().is_none());

        let mut again = Source::open(&files, None).unwrap();
        again.skip(2).unwrap();
        let block = again.next(9).unwrap().unwrap();
        assert_eq!(block.values(), [4.0, 5.0]);
        assert_eq!(block.ids().get(0), Some(nearfield::IdRef::String("007")));
        assert!(again.skip(4).is_err());
    }

    #[test]
    fn uneven_columns_are_refused_before_anything_is_read() {
        let folder = folder_with(&[("v.npy", &array(3)), ("two.txt", b"1\n2\n")]);
        for (ids, metadata) in [(Some("two.txt"), None), (None, Some("two.txt")), (Some("v.npy"), None)] {
            assert!(Source::open(&files(&folder, "v.npy", ids, metadata), None).is_err());
        }
    }

    #[test]
    fn lines_are_points_and_faults_name_the_line() {
        let folder = folder_with(&[(
            "p.jsonl",
            b"\n{\"vector\": [1, 2]}\n  \n{\"vector\": [3, 4], \"metadata\": {}}\n{\"vector\": [5]}\n" as &[u8],
        )]);
        let files = files(&folder, "p.jsonl", None, None);
        let mut source = Source::open(&files, None).unwrap();
        let block = source.next(2).unwrap().unwrap();
        assert_eq!(block.ids(), &Ids::from([0, 1]));
        assert_eq!((block.place(0), block.place(1)), ("line 2".into(), "line 4".into()));
        let failure = source.next(2).err().unwrap();
        assert!(failure.message().contains("p.jsonl: line 5: its vector has 1"), "{failure:?}");

        let mut again = Source::open(&files, None).unwrap();
        again.skip(1).unwrap();
        let block = again.next(1).unwrap().unwrap();
        assert_eq!((block.ids(), block.values()), (&Ids::from([1]), &[3.0, 4.0][..]));
    }

    #[test]
    fn ids_are_in_all_lines_or_in_none() {
        for (text, fault) in [
            ("{\"id\": 1, \"vector\": [1]}\n{\"vector\": [1]}\n", "has no \"id\""),
            ("{\"vector\": [1]}\n{\"id\": 1, \"vector\": [1]}\n", "has an \"id\""),
        ] {
            let folder = folder_with(&[("p.ndjson", text.as_bytes())]);
            let mut source = Source::open(&files(&folder, "p.ndjson", None, None), None).unwrap();
            let failure = source.next(9).err().unwrap();
            assert!(failure.message().contains(fault), "{failure:?}");
        }
    }

    #[test]
    fn flat_arrays_are_one_vector_or_folded() {
        let flat = file(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }", &[0; 6]);
        let cube = file(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3), }", &[0; 6]);
        let folder = folder_with(&[("flat.npy", &flat), ("cube.npy", &cube)]);
        let flat = files(&folder, "flat.npy", None, None);
        assert_eq!(Source::open(&flat, None).unwrap().dimension(), 6);
        let folded = Source::open(&flat, Some(3)).unwrap();
        assert_eq!((folded.dimension(), folded.rows()), (3, Some(2)));
        assert!(Source::open(&files(&folder, "cube.npy", None, None), None).is_err());
    }

    #[test]
    fn endings_choose_the_format() {
        assert_eq!(Format::of(Path::new("a.NPY")).unwrap(), Format::Npy);
        assert_eq!(Format::of(Path::new("-")).unwrap(), Format::Jsonl);
        for name in ["a.json", "a.csv", "a.npy.gz", "a"] {
            assert!(Format::of(Path::new(name)).is_err());
        }
    }
}
