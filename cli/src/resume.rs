//! How far an import came, kept in the folder of the store, so that the same command goes on
//! where it was stopped.
//!
//! A small file, `.nearfield-import-<hash of what is imported>`, holds the row to go on at. It
//! is written only after the rows before it are as durable as the import promises, so it may
//! lag behind the store but never runs ahead. Rows that it lags behind are sent again: they
//! bear the same ids, so no point is doubled, and their batches bear the request ids of the
//! first time, so the store does not even write them twice. The file names a point and the
//! write that put it there; where the store holds neither (it was dropped, or a snapshot was
//! restored), the import starts over.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use nearfield::limits::OUTCOMES_PER_CLIENT_MAX;
use nearfield::{Description, Id, RequestId};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use crate::failure::{Failure, Outcome};
use crate::show::Output;
use crate::source::Files;
use crate::store::Store;

/// The layout of the file; others are not read.
const VERSION: u32 = 1;

/// Batches that may be sent again, at most: the store has to remember the outcomes of all.
const BATCHES_MAX: u64 = OUTCOMES_PER_CLIENT_MAX as u64 / 2;

/// How far an import came.
pub(crate) struct Resume {
    place: Option<PathBuf>,
    record: Record,
    saved: Instant,
    every: Duration,
    save_failed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    version: u32,
    collection: String,
    files: Vec<FileState>,
    batch: usize,
    /// Half of the request id of each batch; the number of the batch is the other half.
    client: [u8; 16],
    batches: u64,
    next_row: u64,
    sequence: u64,
    last_id: Option<Id>,
}

/// A file as it was when the import started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileState {
    path: String,
    bytes: u64,
    modified_nanoseconds: u64,
}

/// What tells one import from another.
pub(crate) struct Import<'a> {
    /// Where to.
    pub(crate) description: &'a Description,
    /// Where from.
    pub(crate) files: &'a Files,
    /// Rows passed over on purpose.
    pub(crate) skip: u64,
    /// Rows per batch.
    pub(crate) batch: usize,
}

impl Resume {
    /// Looks for an import of the same files into the same collection that was stopped, and
    /// otherwise starts one at row `skip`. The file is written about once per `every`.
    pub(crate) fn find(
        store: &Store,
        import: &Import<'_>,
        every: Duration,
        output: Output,
    ) -> Outcome<Self> {
        let mut client = [0; 16];
        getrandom::fill(&mut client).map_err(|error| {
            Failure::input(format!("the system gives no random bytes: {error}"))
        })?;
        let files = states(import.files);
        let fresh = Record {
            version: VERSION,
            collection: import.description.collection.clone(),
            files: files.clone().unwrap_or_default(),
            batch: import.batch,
            client,
            batches: 0,
            next_row: import.skip,
            sequence: import.description.sequence,
            last_id: None,
        };
        // Stdin cannot be told from other input, so nothing is kept for it.
        let place = store
            .folder()
            .zip(files)
            .map(|(folder, files)| folder.join(name(&files, import)));
        let record = match place.as_deref().and_then(read) {
            Some(kept) => kept.checked(fresh, store, import, output)?,
            None => fresh,
        };
        let mut resume = Resume {
            place,
            record,
            saved: Instant::now(),
            every,
            save_failed: false,
        };
        resume.save(output);
        Ok(resume)
    }

    /// Where the import goes on.
    pub(crate) fn next_row(&self) -> u64 {
        self.record.next_row
    }

    /// Whether the same command can go on later.
    pub(crate) fn is_kept(&self) -> bool {
        self.place.is_some() && !self.save_failed
    }

    /// The request id of the batch `ahead` batches after the last one recorded.
    pub(crate) fn request_id(&self, ahead: u64) -> RequestId {
        RequestId {
            client: self.record.client,
            number: self.record.batches + ahead + 1,
        }
    }

    /// Whether it is time to record again, with `batches` acknowledged since the last time.
    pub(crate) fn is_due(&self, batches: u64) -> bool {
        batches >= BATCHES_MAX || self.saved.elapsed() >= self.every
    }

    /// Records that all rows before `next_row` are stored and as durable as promised.
    pub(crate) fn record(
        &mut self,
        batches: u64,
        next_row: u64,
        sequence: u64,
        last_id: Option<Id>,
        output: Output,
    ) {
        self.record.batches += batches;
        self.record.next_row = next_row;
        self.record.sequence = sequence;
        self.record.last_id = last_id;
        self.save(output);
    }

    /// The import is complete: nothing is left to go on with.
    pub(crate) fn finish(self) {
        if let Some(place) = &self.place {
            // A file that stays is harmless: it leads to the end of the same file.
            let _ = fs::remove_file(place);
        }
    }

    fn save(&mut self, output: Output) {
        let Some(place) = &self.place else {
            return;
        };
        self.saved = Instant::now();
        if let Err(error) = write(place, &self.record)
            && !self.save_failed
        {
            self.save_failed = true;
            output.note(&format!(
                "note: {}: cannot write it: {error}; if this import is stopped, it starts over",
                place.display()
            ));
        }
    }
}

impl Record {
    /// This record where it can be trusted, and otherwise the fresh one.
    fn checked(
        self,
        fresh: Record,
        store: &Store,
        import: &Import<'_>,
        output: Output,
    ) -> Outcome<Record> {
        if self.files != fresh.files {
            output.note("note: the file was changed since its import was stopped; starting over");
            return Ok(fresh);
        }
        let there = match &self.last_id {
            Some(id) => store
                .call(
                    nearfield::Get::new(&self.collection, id.clone())
                        .with_vectors(false)
                        .with_metadata(false),
                )?
                .points
                .iter()
                .all(Option::is_some),
            None => true,
        };
        if !there || self.sequence > import.description.sequence {
            output.note("note: the store does not hold what was imported before; starting over");
            return Ok(fresh);
        }
        if self.batch != fresh.batch {
            // Batches are cut elsewhere now, so they need request ids of their own.
            return Ok(Record {
                next_row: self.next_row,
                sequence: self.sequence,
                last_id: self.last_id,
                ..fresh
            });
        }
        Ok(self)
    }
}

/// Whether a file of the store's folder belongs to an import.
fn name(files: &[FileState], import: &Import<'_>) -> String {
    let mut hash = Xxh3Default::new();
    for text in [
        import.description.collection.as_str(),
        &format!("{:?} {}", import.files.format, import.skip),
    ]
    .into_iter()
    .chain(files.iter().map(|file| file.path.as_str()))
    {
        hash.update(text.as_bytes());
        hash.update(&[0]);
    }
    format!(".nearfield-import-{:016x}", hash.digest())
}

/// The files as they are now; `None` for stdin and where they cannot be told.
fn states(files: &Files) -> Option<Vec<FileState>> {
    [
        Some(&files.points),
        files.ids.as_ref(),
        files.metadata.as_ref(),
    ]
    .into_iter()
    .flatten()
    .map(|path| state(path))
    .collect()
}

fn state(path: &Path) -> Option<FileState> {
    if path == Path::new("-") {
        return None;
    }
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(FileState {
        path: fs::canonicalize(path).ok()?.to_string_lossy().into_owned(),
        bytes: metadata.len(),
        modified_nanoseconds: u64::try_from(modified.as_nanos()).ok()?,
    })
}

/// A record that was written whole and is of this version.
fn read(place: &Path) -> Option<Record> {
    let text = fs::read(place).ok()?;
    serde_json::from_slice(&text)
        .ok()
        .filter(|record: &Record| record.version == VERSION)
}

fn write(place: &Path, record: &Record) -> std::io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".nearfield-import-")
        .suffix(".part")
        .tempfile_in(folder)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    file.persist(place).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_and_torn_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("record");
        let record = Record {
            version: VERSION,
            collection: "docs".into(),
            files: vec![],
            batch: 1_000,
            client: [7; 16],
            batches: 3,
            next_row: 3_000,
            sequence: 9,
            last_id: Some(Id::from("blue")),
        };
        write(&place, &record).unwrap();
        assert_eq!(read(&place).unwrap(), record);
        let text = fs::read_to_string(&place).unwrap();
        fs::write(&place, &text[..text.len() / 2]).unwrap();
        assert_eq!(read(&place), None);
        fs::write(&place, text.replace("\"version\":1", "\"version\":2")).unwrap();
        assert_eq!(read(&place), None);
        assert_eq!(read(&folder.path().join("nowhere")), None);
    }

    #[test]
    fn stdin_has_no_state_and_a_changed_file_has_another() {
        assert_eq!(state(Path::new("-")), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        fs::write(&path, "one").unwrap();
        let before = state(&path).unwrap();
        fs::write(&path, "three").unwrap();
        assert_ne!(state(&path).unwrap(), before);
        assert_eq!(state(folder.path()), None);
    }
}
