//! `nearfield export`

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use nearfield::{Description, Filter, Id, Point, Scan};
use serde::Serialize;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::failure::{Failure, Outcome};
use crate::ids;
use crate::interrupt::Interrupt;
use crate::search::parse_filter;
use crate::show::{Bar, Output, duration, plural, rate, written};
use crate::source::npy_header;
use crate::store::{CollectionName, Store, StorePath};

/// Bytes of a page, about; pages of wide vectors hold fewer points.
const PAGE_BYTES: usize = 16 << 20;

/// Write the points of a collection into files that `import` reads
#[derive(Args, Debug)]
#[command(after_help = "\
--jsonl keeps everything in one file; the other options write columns, row by
row in the same order. Files take their names when they are complete, so a
stopped export leaves none.

Examples:
  nearfield export ./data --jsonl docs.jsonl
  nearfield export ./data --collection docs --jsonl - | gzip > docs.jsonl.gz
  nearfield export ./data --vectors docs.npy --ids ids.txt --metadata more.jsonl
  nearfield export ./data --jsonl jazz.jsonl --filter 'genre = \"jazz\"'")]
pub(crate) struct Export {
    #[command(flatten)]
    store: StorePath,

    #[command(flatten)]
    collection: CollectionName,

    /// Write lines of id, vector and metadata; - is stdout
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,

    /// Write vectors as NumPy f32
    #[arg(long, value_name = "FILE.npy")]
    vectors: Option<PathBuf>,

    /// Write ids: one per line, or as NumPy u64 where the name ends in .npy
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,

    /// Write metadata, one JSON object or null per line
    #[arg(long, value_name = "FILE.jsonl")]
    metadata: Option<PathBuf>,

    /// Write only points whose metadata match
    #[arg(short, long)]
    filter: Option<String>,
}

impl Export {
    pub(crate) fn run(self, output: Output) -> Outcome {
        if [&self.jsonl, &self.vectors, &self.ids, &self.metadata]
            .iter()
            .all(|file| file.is_none())
        {
            return Err(Failure::usage("no file to write is given")
                .hint("give --jsonl FILE, or some of --vectors, --ids and --metadata"));
        }
        let filter = parse_filter(self.filter.as_deref())?;
        self.check_names(output)?;
        let store = Store::open(&self.store, "export")?;
        let collection = store.choose(&self.collection)?;
        let description = store.describe(&collection)?;
        let mut columns = self.columns(description.dimension)?;
        let interrupt = Interrupt::listen();
        let start = Instant::now();
        let total = filter.is_none().then_some(description.count);
        let mut bar = Bar::new(output, "wrote", "points", 0, total);
        let rows = write_points(
            &store,
            &description,
            filter,
            &mut columns,
            &interrupt,
            &mut bar,
        )?;
        bar.finish();
        let mut names = Vec::new();
        for column in columns {
            names.extend(column.finish(rows)?);
        }
        let time = start.elapsed();
        if self.to_stdout() {
            // Stdout holds the points, so the summary goes beside it.
            output.note(&format!("wrote {}", plural(rows, "point", "points")));
            return Ok(());
        }
        output.json(&json!({
            "collection": collection,
            "count": rows,
            "files": names,
            "seconds": time.as_secs_f64(),
        }))?;
        output.text(&format!(
            "wrote {} of {collection} in {}, {} points/s, to {}\n",
            plural(rows, "point", "points"),
            duration(time),
            rate(rows, time),
            names.join(", ")
        ))
    }

    fn to_stdout(&self) -> bool {
        self.jsonl.as_deref() == Some(Path::new("-"))
    }

    fn check_names(&self, output: Output) -> Outcome {
        if self.to_stdout() && output.is_json() {
            return Err(Failure::usage(
                "stdout cannot hold both the points and the answer of --json",
            )
            .hint("leave out --json, or export to a file"));
        }
        let mut names: Vec<&PathBuf> = [&self.jsonl, &self.vectors, &self.ids, &self.metadata]
            .into_iter()
            .flatten()
            .collect();
        names.sort();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Failure::usage("two options name the same file"));
        }
        let others = [&self.vectors, &self.ids, &self.metadata];
        if others
            .into_iter()
            .flatten()
            .any(|path| path == Path::new("-"))
        {
            return Err(Failure::usage("only --jsonl can write to stdout"));
        }
        Ok(())
    }

    fn columns(&self, dimension: usize) -> Outcome<Vec<Column>> {
        let mut columns = Vec::new();
        if let Some(path) = &self.jsonl {
            let sink = match self.to_stdout() {
                true => Sink::Stdout(Box::new(BufWriter::new(io::stdout()))),
                false => Sink::file(path)?,
            };
            columns.push(Column {
                sink,
                kind: Kind::Points,
            });
        }
        if let Some(path) = &self.vectors {
            let sink = Sink::file(path)?;
            columns.push(Column {
                sink,
                kind: Kind::Vectors { dimension },
            });
        }
        if let Some(path) = &self.ids {
            let kind = match path.extension() == Some(OsStr::new("npy")) {
                true => Kind::IdNumbers,
                false => Kind::IdLines,
            };
            columns.push(Column {
                sink: Sink::file(path)?,
                kind,
            });
        }
        if let Some(path) = &self.metadata {
            columns.push(Column {
                sink: Sink::file(path)?,
                kind: Kind::Metadata,
            });
        }
        for column in &mut columns {
            column.start(0)?;
        }
        Ok(columns)
    }
}

fn write_points(
    store: &Store,
    description: &Description,
    filter: Option<Filter>,
    columns: &mut [Column],
    interrupt: &Interrupt,
    bar: &mut Bar,
) -> Outcome<u64> {
    let limit = (PAGE_BYTES / (description.dimension * 4)).clamp(1, 1_000);
    let wants = |test: fn(&Kind) -> bool| columns.iter().any(|column| test(&column.kind));
    let mut request = Scan::new(&description.collection)
        .limit(limit)
        .with_vectors(wants(|kind| {
            matches!(kind, Kind::Points | Kind::Vectors { .. })
        }))
        .with_metadata(wants(|kind| matches!(kind, Kind::Points | Kind::Metadata)));
    request.filter = filter;
    let mut rows = 0;
    loop {
        if interrupt.is_set() {
            return Err(Failure::interrupted("stopped; no file was written"));
        }
        let page = store.call(request.clone())?;
        for point in &page.points {
            for column in columns.iter_mut() {
                column.write(point)?;
            }
        }
        rows += page.points.len() as u64;
        bar.advance(rows, rows);
        match page.next {
            Some(next) => request.cursor = Some(next),
            None => return Ok(rows),
        }
    }
}

/// One file under way.
struct Column {
    sink: Sink,
    kind: Kind,
}

/// What a file holds.
enum Kind {
    Points,
    Vectors { dimension: usize },
    IdNumbers,
    IdLines,
    Metadata,
}

/// Where a file's bytes go.
enum Sink {
    Stdout(Box<BufWriter<io::Stdout>>),
    /// A file beside the one that it becomes.
    File {
        writer: Box<BufWriter<NamedTempFile>>,
        path: PathBuf,
    },
}

/// A line of `--jsonl`, in the order in which it is written.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a Id,
    vector: &'a [f32],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a nearfield::Metadata>,
}

impl Column {
    /// Writes what stands before the rows. The number of rows is written over once it is
    /// known.
    fn start(&mut self, rows: u64) -> Outcome {
        let header = match self.kind {
            Kind::Vectors { dimension } => npy_header("<f4", rows, Some(dimension)),
            Kind::IdNumbers => npy_header("<u8", rows, None),
            Kind::Points | Kind::IdLines | Kind::Metadata => return Ok(()),
        };
        self.sink.write(&header)
    }

    fn write(&mut self, point: &Point) -> Outcome {
        let vector = point.vector.as_deref().unwrap_or_default();
        match self.kind {
            Kind::Points => {
                let line = Line {
                    id: &point.id,
                    vector,
                    metadata: point.metadata.as_ref(),
                };
                let mut text = serde_json::to_string(&line)
                    .map_err(|error| Failure::input(format!("point {}: {error}", point.id)))?;
                // Metadata keep the line ends that they were given with.
                if text.contains(['\n', '\r']) {
                    text = text.replace(['\n', '\r'], " ");
                }
                text.push('\n');
                self.sink.write(text.as_bytes())
            }
            Kind::Vectors { .. } => {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                self.sink.write(&bytes)
            }
            Kind::IdNumbers => match point.id {
                Id::U64(number) => self.sink.write(&number.to_le_bytes()),
                _ => Err(Failure::input(format!(
                    "the id {} is no number, which .npy needs",
                    point.id
                ))
                .hint("give --ids a name that ends in .txt, or use --jsonl")),
            },
            Kind::IdLines => {
                let text = point.id.to_string();
                if text.contains(['\n', '\r']) || ids::parse(&text) != point.id {
                    return Err(Failure::input(format!(
                        "the id {text:?} cannot be told from another one in a text file"
                    ))
                    .hint("use --jsonl, which keeps all ids apart"));
                }
                self.sink.write(format!("{text}\n").as_bytes())
            }
            Kind::Metadata => {
                let text = point
                    .metadata
                    .as_ref()
                    .map_or("null", |metadata| metadata.as_str());
                self.sink
                    .write(format!("{}\n", text.replace(['\n', '\r'], " ")).as_bytes())
            }
        }
    }

    /// Completes the file and gives it its name.
    fn finish(mut self, rows: u64) -> Outcome<Option<String>> {
        self.sink.rewind()?;
        if matches!(self.kind, Kind::Vectors { .. } | Kind::IdNumbers) {
            self.start(rows)?;
        }
        self.sink.finish()
    }
}

impl Sink {
    /// A file at `path`, which a complete one replaces at the end: what is there and is no file would be
    /// lost, and a link leads to what is replaced.
    fn file(path: &Path) -> Outcome<Self> {
        let path = &match fs::metadata(path) {
            Ok(found) if found.is_file() => path
                .canonicalize()
                .map_err(|error| Failure::file(path, "write", &error))?,
            Ok(found) if !found.is_dir() => {
                return Err(Failure::usage(format!(
                    "{} is a device or a pipe, not a file; give the path of a file, or write lines to \
                     stdout: --jsonl -",
                    path.display()
                )));
            }
            _ => path.to_owned(),
        };
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".nearfield-export-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any new file; the umask takes away what others may not do.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(folder)
            .map_err(|error| Failure::file(path, "write", &error))?;
        Ok(Sink::File {
            writer: Box::new(BufWriter::with_capacity(1 << 18, file)),
            path: path.to_owned(),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome {
        match self {
            Sink::Stdout(writer) => writer.write_all(bytes).map_err(|error| written(&error)),
            Sink::File { writer, path } => writer
                .write_all(bytes)
                .map_err(|error| Failure::file(path, "write", &error)),
        }
    }

    /// Goes back to the start of a file.
    fn rewind(&mut self) -> Outcome {
        match self {
            Sink::Stdout(_) => Ok(()),
            Sink::File { writer, path } => writer
                .seek(SeekFrom::Start(0))
                .map(|_| ())
                .map_err(|error| Failure::file(path, "write", &error)),
        }
    }

    fn finish(self) -> Outcome<Option<String>> {
        match self {
            Sink::Stdout(mut writer) => {
                writer.flush().map_err(|error| written(&error))?;
                Ok(None)
            }
            Sink::File { writer, path } => {
                let complete = || -> io::Result<()> {
                    let file = writer
                        .into_inner()
                        .map_err(io::IntoInnerError::into_error)?;
                    File::sync_all(file.as_file())?;
                    file.persist(&path).map_err(|error| error.error)?;
                    Ok(())
                };
                complete().map_err(|error| Failure::file(&path, "write", &error))?;
                Ok(Some(path.display().to_string()))
            }
        }
    }
}
