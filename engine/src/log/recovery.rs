//! Finding the end of the log after a crash: replaying what is whole, cutting what was never
//! confirmed, and refusing to go on where something confirmed is missing.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearfield_model::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::file::{FILE_HEADER_BYTES, FileHeader, LogFile, corruption, parse_file_name};
use super::record::{ALIGNMENT, HEADER_BYTES, Header, Kind, Section, checksum, salt};
use super::writer::{End, Place};
use crate::io::File;
use crate::manifest::Manifest;
use crate::storage;

/// What is wrong with a file that is not there.
const MISSING: &str = "the file is missing: it";

/// Where replay begins: behind what a checkpoint holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// The file, or 0 for the beginning of the log.
    pub(crate) file: u64,
    pub(crate) position: u64,
    pub(crate) sequence: u64,
    pub(crate) rows: u32,
    /// The checksum of the last record that the checkpoint holds.
    pub(crate) previous: u64,
}

/// What was cut from the end of the log: bytes of writes that were never confirmed as synced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// The file that was cut.
    pub(crate) file: String,
    /// Where.
    pub(crate) offset: u64,
    /// How many bytes, files behind it included.
    pub(crate) bytes: u64,
    /// The last write that was kept.
    pub(crate) sequence: u64,
}

/// A log whose end was found.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) files: Vec<Arc<LogFile>>,
    pub(crate) end: End,
    pub(crate) cut: Option<Cut>,
}

/// Takes what a recovery finds.
pub(crate) trait Replay {
    /// A file was opened; its records follow.
    fn opened(&mut self, file: &Arc<LogFile>) -> Result<()>;

    /// A record is whole; it lies at `offset` of `file`.
    fn record(&mut self, file: &Arc<LogFile>, offset: u64, header: &Header) -> Result<()>;
}

/// Opens the log in `place` and hands every record behind `start` to `replay`.
///
/// `manifest` names the files that compaction replaced or took, and the place up
/// to which all is known to have been on disk; `same_boot` tells that the machine has not restarted since
/// the log was last written, so that the operating system lost nothing. With `repair`, what was
/// never confirmed is cut, and what is kept is written again and synced; without, nothing is
/// changed.
pub(crate) fn recover(
    place: &Place,
    manifest: &Manifest,
    start: Start,
    same_boot: bool,
    repair: bool,
    replay: &mut dyn Replay,
) -> Result<Recovered> {
    let confirmed = manifest.start;
    let paths = log_paths(place, manifest)?;
    let mut search = Search {
        place,
        salt: salt(&place.collection),
        start,
        confirmed,
        followed: 0,
        synced: confirmed.sequence,
        sequence: start.sequence,
        rows: start.rows,
        previous: start.previous,
        position: 0,
        files: Vec::new(),
        buffer: Vec::new(),
        repair,
    };
    let mut fault = None;
    for (number, path) in &paths {
        match search.file(*number, path, replay)? {
            Ending::Clean => {}
            Ending::Fault(offset) if search.is_complete(&paths, *number, offset)? => {
                search.mark(offset)?;
            }
            Ending::Fault(offset) => {
                fault = Some((*number, offset));
                break;
            }
        }
    }
    let last = paths.last_key_value().map_or(0, |(number, _)| *number);
    if search.followed > 0 && search.followed == last {
        let path = place.path(last + 1, 0);
        return Err(corruption(&path, 0, MISSING));
    }
    let cut = match fault {
        Some((number, offset)) => {
            let written = search.judge(&paths, number, offset, same_boot)?;
            let cut = search.cut(&paths, number, offset)?;
            // Only zeros: a file that was made ahead and never used.
            written.then_some(cut)
        }
        None => None,
    };
    search.finish(cut)
}

/// The log's files by number, without those that compaction replaced or took.
fn log_paths(place: &Place, manifest: &Manifest) -> Result<BTreeMap<u64, PathBuf>> {
    let names = place
        .io
        .list(&place.directory)
        .map_err(|error| storage::error("list", &place.directory, &error))?;
    let mut paths = BTreeMap::new();
    for name in names {
        if let Some((number, generation)) = parse_file_name(&name)
            && manifest.generation(number) == Some(generation)
        {
            paths.insert(number, place.directory.join(name));
        }
    }
    // Files are numbered from 1 without gaps but for those that are gone, and each was made
    // durably before the next.
    let named = manifest.generations.last_key_value();
    let named = named.map_or(0, |(number, _)| *number);
    let last = paths.last_key_value().map_or(1, |(number, _)| *number);
    let last = last.max(named).max(manifest.start.file);
    let mut number = manifest.gone.behind(1);
    while number <= last {
        if !paths.contains_key(&number) {
            let generation = manifest.generation(number).unwrap_or(0);
            return Err(corruption(&place.path(number, generation), 0, MISSING));
        }
        number = manifest.gone.behind(number + 1);
    }
    Ok(paths)
}

struct Search<'a> {
    place: &'a Place,
    salt: u64,
    start: Start,
    confirmed: Start,
    /// The last file that is known to have another behind it.
    followed: u64,
    /// The last write that is proven to have been on disk.
    synced: u64,
    sequence: u64,
    rows: u32,
    previous: u64,
    /// Where the last record of the last file ends.
    position: u64,
    files: Vec<Arc<LogFile>>,
    buffer: Vec<u8>,
    repair: bool,
}

/// How a file ends.
enum Ending {
    /// After its last record, with nothing but zeros behind.
    Clean,
    /// With bytes at this offset that are not the next record.
    Fault(u64),
}

impl Search<'_> {
    fn file(&mut self, number: u64, path: &Path, replay: &mut dyn Replay) -> Result<Ending> {
        let io = &*self.place.io;
        let planned = self.place.planned_bytes(number);
        let Some(file) = LogFile::open(io, path, planned)? else {
            // These headers were on disk before anything was acknowledged behind them.
            if self.files.is_empty() || number <= self.confirmed.file {
                return Err(corruption(path, 0, "the file's header"));
            }
            return Ok(Ending::Fault(0));
        };
        let length = file
            .file
            .len()
            .map_err(|error| storage::error("read", path, &error))?;
        let header = file.header;
        if header.collection != self.place.collection || header.number != number {
            return Err(corruption(path, 0, "the file's header"));
        }
        let file = Arc::new(file);
        if number < self.start.file {
            file.settle(length)?;
            replay.opened(&file)?;
            self.files.push(file);
            return Ok(Ending::Clean);
        }
        let mut position = FILE_HEADER_BYTES;
        if number == self.start.file {
            position = self.start.position;
            if length < position {
                return Err(corruption(path, length, "the end of the file"));
            }
        } else if !self.follows(&header) {
            return Ok(Ending::Fault(0));
        }
        file.settle(position)?;
        let relaxed = header.generation > 0 || self.after_compacted(number);
        replay.opened(&file)?;
        self.files.push(file.clone());
        loop {
            self.position = position;
            if (number, position) == (self.confirmed.file, self.confirmed.position) {
                // Compaction may have taken the last writes before.
                self.sequence = self.sequence.max(self.confirmed.sequence);
            }
            match self.record(&file, position, length, relaxed)? {
                Next::Record(header, checksum) => {
                    let end = position + header.record_bytes();
                    file.settle(end)?;
                    self.sequence = header.sequence;
                    self.rows = header.first_row + header.rows;
                    self.previous = checksum;
                    self.synced = self.synced.max(header.synced);
                    replay.record(&file, position, &header)?;
                    position = end;
                }
                Next::Mark(header) => {
                    self.synced = self.synced.max(header.synced);
                    self.sequence = header.sequence;
                    if header.affected > 0 {
                        self.followed = number;
                    }
                    return self.ending(&file, position + HEADER_BYTES as u64, length);
                }
                Next::Nothing => return self.ending(&file, position, length),
            }
        }
    }

    /// Whether compaction may have taken writes right before a file.
    fn after_compacted(&self, number: u64) -> bool {
        let before = self.files.last();
        before.is_some_and(|file| file.header.generation > 0)
            || before.map_or(0, |file| file.header.number) + 1 < number
    }

    /// Whether a file goes on where the one before ended, and taking over from a compacted one.
    fn follows(&mut self, header: &FileHeader) -> bool {
        if self.after_compacted(header.number) || (self.files.is_empty() && header.generation > 0) {
            self.previous = header.previous;
            self.rows = header.first_row;
        }
        header.previous == self.previous && header.first_row == self.rows
    }

    /// The record at `position`, if there is a whole one that follows on the last.
    fn record(
        &mut self,
        file: &LogFile,
        position: u64,
        length: u64,
        relaxed: bool,
    ) -> Result<Next> {
        let fail = |error| storage::error("read", &file.path, &error);
        if position + HEADER_BYTES as u64 > length {
            return Ok(Next::Nothing);
        }
        let mut head = [0; HEADER_BYTES];
        file.file.read_at(position, &mut head).map_err(fail)?;
        let Some((header, header_checksum)) = Header::decode(&head, self.salt) else {
            return Ok(Next::Nothing);
        };
        if header.previous != self.previous {
            return Ok(Next::Nothing);
        }
        if header.kind == Kind::Mark {
            // Compaction may have taken the last writes before it.
            let ours =
                header.sequence == self.sequence || relaxed && header.sequence > self.sequence;
            return Ok(if ours {
                Next::Mark(header)
            } else {
                Next::Nothing
            });
        }
        let in_order = header.sequence == self.sequence + 1 && header.first_row == self.rows
            || relaxed && header.sequence > self.sequence && header.first_row >= self.rows;
        let bytes = header.record_bytes();
        if !in_order || bytes > length - position {
            return Ok(Next::Nothing);
        }
        self.buffer.resize(bytes as usize, 0);
        file.file
            .read_at(position, &mut self.buffer)
            .map_err(fail)?;
        let whole = Section::ALL.into_iter().all(|section| {
            let (start, length) = header.section(section);
            let bytes = self.buffer.get(start as usize..(start + length) as usize);
            bytes.is_some_and(|bytes| checksum(&[bytes]) == header.checksums[section as usize])
        });
        if !whole {
            return Ok(Next::Nothing);
        }
        if self.repair && header.sequence > self.synced {
            // After a failed sync the operating system may take bytes for written that the disk
            // does not have, so they are written once more before they are synced.
            file.file
                .write_at(position, &[IoSlice::new(&self.buffer)])
                .map_err(|error| storage::error("rewrite", &file.path, &error))?;
        }
        Ok(Next::Record(header, header_checksum))
    }

    /// How a file ends that has no record any more from `from` on.
    fn ending(&self, file: &LogFile, from: u64, length: u64) -> Result<Ending> {
        if file.header.number == self.confirmed.file && self.position < self.confirmed.position {
            return Err(corruption(&file.path, self.position, "a record"));
        }
        let mut clean = true;
        each_block(&*file.file, from, length, &file.path, &mut |block| {
            clean = block.iter().all(|byte| *byte == 0);
            clean
        })?;
        Ok(if clean {
            Ending::Clean
        } else {
            Ending::Fault(self.position)
        })
    }

    /// Whether the next file was begun right behind the last whole record of the last file that
    /// was read: then no record is missing, and what lies at `offset` is what a power loss left
    /// of the mark behind them.
    fn is_complete(
        &self,
        paths: &BTreeMap<u64, PathBuf>,
        number: u64,
        offset: u64,
    ) -> Result<bool> {
        let last = self.files.last();
        let (Some(last), Some(path)) = (last, paths.get(&(number + 1))) else {
            return Ok(false);
        };
        let fail = |error| storage::error("read", path, &error);
        let next = self.place.io.open(path).map_err(fail)?;
        let mut header = [0; FILE_HEADER_BYTES as usize];
        if last.header.number != number || next.len().map_err(fail)? < FILE_HEADER_BYTES {
            return Ok(false);
        }
        next.read_at(0, &mut header).map_err(fail)?;
        let follows = FileHeader::decode(&header).is_some_and(|header| {
            header.collection == self.place.collection
                && header.number == number + 1
                && (header.first_row, header.previous) == (self.rows, self.previous)
        });
        let mut clean = follows;
        if follows {
            let length = last.file.len();
            let length = length.map_err(|error| storage::error("read", &last.path, &error))?;
            let behind = offset + HEADER_BYTES as u64;
            each_block(&*last.file, behind, length, &last.path, &mut |block| {
                clean = block.iter().all(|byte| *byte == 0);
                clean
            })?;
        }
        Ok(clean)
    }

    /// Writes the mark at the end of the last file anew, which tells that another follows.
    fn mark(&mut self, offset: u64) -> Result<()> {
        let Some(last) = self.files.last().filter(|_| self.repair) else {
            return Ok(());
        };
        let header = Header {
            sequence: self.sequence,
            synced: self.synced.min(self.sequence),
            first_row: self.rows,
            previous: self.previous,
            ..Header::mark(true)
        };
        let (head, _) = header.encode(self.salt);
        last.file
            .write_at(offset, &[IoSlice::new(&head)])
            .map_err(|error| storage::error("rewrite", &last.path, &error))
    }

    /// Refuses to cut at a fault if something confirmed lies there or behind. True if there
    /// is anything but zeros.
    fn judge(
        &mut self,
        paths: &BTreeMap<u64, PathBuf>,
        number: u64,
        offset: u64,
        same_boot: bool,
    ) -> Result<bool> {
        let path = &paths[&number];
        let salt = self.salt;
        let (mut later, mut written) = (false, false);
        // How far the next write reaches that may be there in part: the process died, or the
        // disk was full, in the middle of it. Nothing can be behind that.
        let mut reach = offset + HEADER_BYTES as u64;
        for (behind, path) in paths.range(number..) {
            let fail = |error| storage::error("read", path, &error);
            let file = self.place.io.open(path).map_err(fail)?;
            let length = file.len().map_err(fail)?;
            let from = if *behind == number { offset } else { 0 };
            let mut carry: Vec<u8> = Vec::new();
            let mut block_offset = from;
            each_block(&*file, from, length, path, &mut |block| {
                if block_offset == offset
                    && *behind == number
                    && let Some(bytes) = block.first_chunk()
                    && let Some((header, _)) = Header::decode(bytes, salt)
                {
                    reach = offset.saturating_add(header.record_bytes());
                }
                if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
                    written = true;
                    // The next file may have been begun before the mark that ends this one.
                    let bound = if *behind > number {
                        FILE_HEADER_BYTES
                    } else {
                        reach
                    };
                    later |= block_offset + last as u64 >= bound;
                }
                block_offset += block.len() as u64;
                carry.extend_from_slice(block);
                let mut at = 0;
                while let Some(bytes) = carry[at..].first_chunk::<HEADER_BYTES>() {
                    if let Some((header, _)) = Header::decode(bytes, salt)
                        && header.sequence > self.sequence
                    {
                        self.synced = self.synced.max(header.synced);
                    }
                    at += ALIGNMENT as usize;
                }
                carry.drain(..at.min(carry.len()));
                true
            })?;
        }
        let expected = self.sequence + 1;
        if self.synced >= expected || number < self.confirmed.file {
            return Err(Error::new(
                ErrorKind::Corruption,
                format!(
                    "{}, offset {offset}: write {expected} was on disk and is not what was written; run \
                     `nearfield doctor` on the store, and restore a snapshot if it confirms this",
                    path.display()
                ),
            ));
        }
        if later && same_boot {
            return Err(Error::new(
                ErrorKind::Corruption,
                format!(
                    "{}, offset {offset}: write {expected} is not what was written, though there is more \
                     behind it and the machine has not restarted since; run `nearfield doctor` on the store, \
                     and restore a snapshot if it confirms this",
                    path.display()
                ),
            ));
        }
        Ok(written)
    }

    /// Cuts the log at a fault.
    fn cut(&mut self, paths: &BTreeMap<u64, PathBuf>, number: u64, offset: u64) -> Result<Cut> {
        let io = &*self.place.io;
        let path = &paths[&number];
        let mut bytes = 0;
        // The last file goes first, so that a crash on the way leaves no gap.
        for (behind, path) in paths.range(number..).rev() {
            let fail = |error| storage::error("cut", path, &error);
            let file = io.open(path).map_err(fail)?;
            let keep = if *behind == number { offset } else { 0 };
            bytes += file.len().map_err(fail)?.saturating_sub(keep);
            if self.repair && *behind == number && offset > 0 {
                file.set_len(offset)
                    .and_then(|()| file.sync_data())
                    .map_err(fail)?;
            } else if self.repair {
                drop(file);
                io.remove(path)
                    .and_then(|()| io.sync_directory(&self.place.directory))
                    .map_err(fail)?;
            }
        }
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Ok(Cut {
            file,
            offset,
            bytes,
            sequence: self.sequence,
        })
    }

    fn finish(self, cut: Option<Cut>) -> Result<Recovered> {
        let Search {
            place,
            start,
            confirmed,
            files,
            sequence,
            rows,
            previous,
            position,
            ..
        } = self;
        let missing = || corruption(&place.directory, 0, "a log file is missing: the log");
        if files.last().map_or(0, |file| file.header.number) < confirmed.file {
            return Err(missing());
        }
        let file = files.last().cloned().ok_or_else(missing)?;
        if self.repair {
            for file in files.iter().filter(|file| file.header.number >= start.file) {
                file.file
                    .sync_data()
                    .map_err(|error| storage::error("sync", &file.path, &error))?;
            }
        }
        Ok(Recovered {
            files,
            end: End {
                file,
                position,
                sequence,
                rows,
                previous,
            },
            cut,
        })
    }
}

enum Next {
    Record(Header, u64),
    Mark(Header),
    Nothing,
}

/// Reads a file block by block from `from` to `length`, until `visit` returns false.
fn each_block(
    file: &dyn File,
    from: u64,
    length: u64,
    path: &Path,
    visit: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<()> {
    let mut block = vec![0; 1 << 20];
    let mut at = from;
    while at < length {
        let step = (length - at).min(block.len() as u64) as usize;
        file.read_at(at, &mut block[..step])
            .map_err(|error| storage::error("read", path, &error))?;
        if !visit(&block[..step]) {
            return Ok(());
        }
        at += step as u64;
    }
    Ok(())
}
