//! `nearfield import`

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use half::f16;
use nearfield::{
    Context, DescribeCollection, Description, DropCollection, ErrorKind, Flush, Storage, Upsert,
};
use serde_json::json;

use crate::create::Schema;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::resume::{self, Resume};
use crate::show::{Bar, Output, bytes, duration, number, per_second, plural, rate};
use crate::source::{Block, Files, Format, Source};
use crate::store::{CollectionName, Store, StorePath};

/// Batches that are read ahead of the one being written.
const BATCHES_AHEAD: usize = 2;
/// How long the wait for input lasts before Ctrl-C is looked at.
const WAIT: Duration = Duration::from_millis(100);

/// Write the points of a file into a collection, and make both if need be
#[derive(Args, Debug)]
#[command(after_help = "\
FILE is one of
  .npy                    NumPy, f16 f32 f64 or any integers, a point per row
  .fvecs .bvecs .ivecs    the files of the TEXMEX data sets
  .jsonl .ndjson or -     lines such as
                          {\"id\": 7, \"vector\": [0.1], \"metadata\": {\"a\": 1}}
                          where id and metadata may be left out; - is stdin

Points without ids get the number of their row, from 0 on. In a text file of
ids, digits are a number and all else is text. A point whose id is there already
is replaced.

An import that was stopped, by Ctrl-C or by a crash, goes on when the same
command is run again. Input from stdin starts over; pass over what is there with
--skip.

Examples:
  nearfield import ./data vectors.npy --collection docs
  nearfield import ./data vectors.npy -c docs --ids ids.txt --metadata m.jsonl
  gzip -dc points.jsonl.gz | nearfield import ./data - -c docs --metric dot")]
pub(crate) struct Import {
    #[command(flatten)]
    store: StorePath,

    /// The file of vectors or points; - is stdin
    file: PathBuf,

    #[command(flatten)]
    collection: CollectionName,

    /// One id per vector: a text file, or .npy of integers or text
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,

    /// One JSON object, or null, per vector and line
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,

    #[command(flatten)]
    schema: Schema,

    /// Components per vector; checked against the file, and needed only where a .npy file has
    /// one dimension
    #[arg(short, long, env = "NEARFIELD_DIMENSION", hide_env_values = true)]
    dimension: Option<usize>,

    /// What FILE is, where its name does not say so
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Points per batch; each batch is stored whole or not at all
    #[arg(
        short,
        long,
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=1 << 20),
        env = "NEARFIELD_BATCH",
        hide_env_values = true
    )]
    batch: u32,

    /// What a batch survives once it is acknowledged
    #[arg(
        long,
        value_enum,
        default_value_t = Durability::Sync,
        env = "NEARFIELD_DURABILITY",
        hide_env_values = true
    )]
    durability: Durability,

    /// Points to pass over at the start of FILE
    #[arg(long, value_name = "POINTS", default_value_t = 0)]
    skip: u64,

    /// Let row numbers replace points of the collection that have other vectors
    #[arg(long)]
    replace: bool,
}

/// What a batch survives once it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// A crash of the machine
    Sync,
    /// A crash of the program; the end of the import makes all of it survive the machine's
    Os,
}

impl From<Durability> for nearfield::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Sync => nearfield::Durability::Sync,
            Durability::Os => nearfield::Durability::Os,
        }
    }
}

impl Durability {
    /// How often the place to go on from is recorded. Under `os` that needs a flush.
    fn record_every(self) -> Duration {
        match self {
            Durability::Sync => Duration::from_millis(200),
            Durability::Os => Duration::from_secs(2),
        }
    }
}

impl Import {
    pub(crate) fn run(self, output: Output) -> Outcome {
        if self.store.path == ":memory:" {
            return Err(
                Failure::usage("a store in memory is gone when the import ends")
                    .hint("give the path of a folder"),
            );
        }
        let format = match self.format {
            Some(format) => format,
            None => Format::of(&self.file)?,
        };
        let files = Files {
            points: self.file.clone(),
            format,
            ids: self.ids.clone(),
            metadata: self.metadata.clone(),
        };
        let interrupt = Interrupt::listen();
        let mut source = Source::open(&files, self.dimension)?;
        self.check_dimension(&source)?;
        let store = Store::open_or_create(&self.store, "import")?;
        let collection = store.choose(&self.collection)?;
        let (description, made) = self.collection(&store, &collection, &source)?;
        let import = resume::Import {
            description: &description,
            files: &files,
            skip: self.skip,
            batch: self.batch as usize,
        };
        let resume = Resume::find(&store, &import, self.durability.record_every(), output)?;
        let first_row = resume.next_row();
        source.skip(first_row)?;
        if first_row > self.skip {
            output.note(&format!(
                "going on after {}",
                plural(first_row, "point", "points")
            ));
        }
        let bar = match (source.rows(), source.bytes()) {
            (Some(rows), _) => Bar::new(output, "stored", "vectors", first_row, Some(rows)),
            (None, bytes) => Bar::new(output, "stored", "vectors", 0, bytes),
        };
        let name = source.name().to_owned();
        let mut writer = Writer {
            store: &store,
            collection: &collection,
            durability: self.durability,
            name: &name,
            made,
            replaces: self.replace
                || source.has_ids()
                || first_row > self.skip
                || description.count == 0,
            storage: description.storage,
            resume,
            bar,
            output,
            batches: 0,
            stored: 0,
            next_row: first_row,
            last: None,
        };
        let start = Instant::now();
        let (blocks, reader) = read_ahead(source, self.batch as usize);
        let outcome = writer.write_all(blocks, &interrupt).and_then(|()| {
            reader
                .join()
                .map_err(|_| Failure::input(format!("{name}: the reader ended early")))
        });
        writer.bar.finish();
        writer.end(outcome, start, first_row)
    }

    fn check_dimension(&self, source: &Source) -> Outcome {
        match self.dimension {
            Some(dimension) if dimension != source.dimension() => Err(Failure::input(format!(
                "{}: its vectors have {} components, not {dimension}",
                source.name(),
                source.dimension()
            ))),
            _ => Ok(()),
        }
    }

    /// The collection, made if it is not there, and whether it was.
    fn collection(
        &self,
        store: &Store,
        name: &str,
        source: &Source,
    ) -> Outcome<(Description, bool)> {
        match store.try_call(&mut Context::default(), DescribeCollection::new(name)) {
            Ok(description) => {
                self.check_schema(&description, source)?;
                Ok((description, false))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let create = self.schema.create(name, source.dimension());
                match store.try_call(&mut Context::default(), create) {
                    // Another process made it meanwhile.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        let description = store.describe(name)?;
                        self.check_schema(&description, source)?;
                        Ok((description, false))
                    }
                    Err(error) => Err(Failure::of(&error, store.target())),
                    Ok(_) => Ok((store.describe(name)?, true)),
                }
            }
            Err(error) => Err(Failure::of(&error, store.target())),
        }
    }

    fn check_schema(&self, there: &Description, source: &Source) -> Outcome {
        let name = &there.collection;
        if there.dimension != source.dimension() {
            return Err(Failure::input(format!(
                "{}: its vectors have {} components, and those of {name} have {}",
                source.name(),
                source.dimension(),
                there.dimension
            ))
            .hint("import it into another collection"));
        }
        let wanted = self.schema.create(name, there.dimension);
        if self.schema.metric.is_some() && wanted.metric != there.metric {
            return Err(Failure::input(format!(
                "{name} has the metric {}, not {}",
                there.metric, wanted.metric
            ))
            .hint("leave out --metric, or import into another collection"));
        }
        if self.schema.storage.is_some() && wanted.storage != there.storage {
            return Err(Failure::input(format!(
                "{name} stores {}, not {}",
                there.storage.as_str(),
                wanted.storage.as_str()
            ))
            .hint("leave out --storage, or import into another collection"));
        }
        Ok(())
    }
}

type Blocks = Receiver<Outcome<Block>>;

/// Reads batches in a thread of its own. A fault comes after all batches before it.
fn read_ahead(mut source: Source, batch: usize) -> (Blocks, thread::JoinHandle<()>) {
    let (sender, blocks) = sync_channel(BATCHES_AHEAD);
    let reader = thread::spawn(move || {
        loop {
            let block = match source.next(batch) {
                Ok(Some(block)) => Ok(block),
                Ok(None) => break,
                Err(failure) => Err(failure),
            };
            let fault = block.is_err();
            if sender.send(block).is_err() || fault {
                break;
            }
        }
    });
    (blocks, reader)
}

/// Writes batches and keeps count.
struct Writer<'a> {
    store: &'a Store,
    collection: &'a str,
    durability: Durability,
    name: &'a str,
    /// Whether this import made the collection.
    made: bool,
    /// Whether points that are there may be replaced.
    replaces: bool,
    storage: Storage,
    resume: Resume,
    bar: Bar,
    output: Output,
    /// Batches acknowledged since the last record.
    batches: u64,
    /// Points acknowledged in this run.
    stored: u64,
    next_row: u64,
    last: Option<Last>,
}

/// The batch acknowledged last.
struct Last {
    sequence: u64,
    id: Option<nearfield::Id>,
}

impl Writer<'_> {
    fn write_all(&mut self, blocks: Blocks, interrupt: &Interrupt) -> Outcome {
        loop {
            if interrupt.is_set() {
                return Err(Failure::interrupted("stopped"));
            }
            match blocks.recv_timeout(WAIT) {
                Ok(block) => self.write(&block?)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn write(&mut self, block: &Block) -> Outcome {
        if !self.replaces {
            self.refuse_to_replace(block)?;
            self.replaces = true;
        }
        let mut context = Context {
            request_id: Some(self.resume.request_id(self.batches)),
            ..Context::default()
        };
        let request =
            Upsert::new(self.collection, block.batch()).durability(self.durability.into());
        let upserted = self
            .store
            .try_call(&mut context, request)
            .map_err(|error| match error.row() {
                Some(row) => Failure::of(&without_row(&error), self.store.target())
                    .within(format_args!("{}, {}", self.name, block.place(row))),
                None => Failure::of(&error, self.store.target()),
            })?;
        let rows = block.len() as u64;
        self.batches += 1;
        self.stored += rows;
        self.next_row = block.first_row + rows;
        self.last = Some(Last {
            sequence: upserted.sequence,
            id: block.ids().iter().last().map(nearfield::IdRef::to_id),
        });
        let place = match block.bytes_read {
            0 => self.next_row,
            bytes => bytes,
        };
        self.bar.advance(self.stored, place);
        if self.resume.is_due(self.batches) {
            if self.durability == Durability::Os {
                self.store.call(Flush::new(self.collection))?;
            }
            self.record();
        }
        Ok(())
    }

    /// Row numbers are no names: without a word from the user they must not replace points
    /// that came from elsewhere. Points with the same vectors came from this file.
    fn refuse_to_replace(&self, block: &Block) -> Outcome {
        let request =
            nearfield::Get::new(self.collection, block.ids().borrowed()).with_metadata(false);
        let there = self.store.call(request)?.points;
        let dimension = block.values().len() / block.len().max(1);
        let differs = there
            .iter()
            .zip(block.values().chunks_exact(dimension.max(1)))
            .filter_map(|(point, given)| Some((point.as_ref()?.vector.as_ref()?, given)))
            .any(|(stored, given)| !same(stored, given, self.storage));
        if !differs {
            return Ok(());
        }
        Err(Failure::input(format!(
            "{}: it has no ids, and its row numbers are the ids of other points of {}",
            self.name, self.collection
        ))
        .hint("give --ids FILE, import into another collection, or add --replace to replace those points"))
    }

    fn record(&mut self) {
        if let Some(last) = self.last.take() {
            self.resume.record(
                self.batches,
                self.next_row,
                last.sequence,
                last.id,
                self.output,
            );
            self.batches = 0;
        }
    }

    /// Makes durable what was stored, and tells how it went.
    fn end(mut self, outcome: Outcome, start: Instant, first_row: u64) -> Outcome {
        let time = start.elapsed();
        let flushed = match self.last {
            Some(_) => self.store.call(Flush::new(self.collection)).map(|_| ()),
            None => Ok(()),
        };
        if flushed.is_ok() {
            self.record();
        }
        match (outcome, flushed) {
            (Ok(()), Ok(())) => {}
            (Err(failure), _) if self.made && self.stored == 0 => {
                return Err(self.unmade(failure));
            }
            (Err(failure), flushed) => return Err(self.stopped(failure, flushed.is_ok())),
            (Ok(()), Err(failure)) => return Err(failure),
        }
        let description = self.store.describe(self.collection)?;
        let count = description.count;
        self.output.json(&json!({
            "collection": self.collection,
            "file": self.name,
            "rows": self.next_row,
            "stored": self.stored,
            "resumed_at": first_row,
            "count": count,
            "seconds": time.as_secs_f64(),
            "rate": per_second(self.stored, time),
            "bytes": description.log_bytes,
        }))?;
        let text = format!(
            "stored {} in {}, {} vectors/s, all on disk\n{} holds {}, {} of log\n",
            plural(self.stored, "point", "points"),
            duration(time),
            rate(self.stored, time),
            self.collection,
            plural(count, "point", "points"),
            bytes(description.log_bytes),
        );
        self.resume.finish();
        self.output.text(&text)
    }

    /// Removes the collection that this import made and wrote nothing to.
    fn unmade(self, failure: Failure) -> Failure {
        self.resume.finish();
        // A collection that stays is empty; the next import uses it.
        let _ = self.store.call(DropCollection::new(self.collection));
        failure.further("nothing is stored".to_owned())
    }

    /// Adds what is kept, and how to go on, to a failure.
    fn stopped(self, failure: Failure, durable: bool) -> Failure {
        let kept = match durable {
            true => format!("{} of {} are stored", number(self.next_row), self.name),
            false => format!(
                "{} of {} were acknowledged",
                number(self.next_row),
                self.name
            ),
        };
        let go_on = if self.next_row == 0 {
            self.resume.finish();
            "nothing is stored".to_owned()
        } else if self.resume.is_kept() {
            let skip = match failure.is_interruption() {
                true => String::new(),
                false => format!(
                    "; if the file has to be changed first, add --skip {}",
                    self.next_row
                ),
            };
            format!("the first {kept}; the same command goes on from there{skip}")
        } else {
            format!(
                "the first {kept}; pass over them with --skip {}",
                self.next_row
            )
        };
        failure.further(go_on)
    }
}

/// Whether a stored vector is what was given.
fn same(stored: &[f32], given: &[f32], storage: Storage) -> bool {
    stored.len() == given.len()
        && stored
            .iter()
            .zip(given)
            .all(|(stored, given)| match storage {
                Storage::F32 => stored == given,
                Storage::F16 => *stored == f16::from_f32(*given).to_f32(),
            })
}

/// The error without the row of the batch, which says nothing about the file.
fn without_row(error: &nearfield::Error) -> nearfield::Error {
    nearfield::Error::new(error.kind(), error.message())
}
