//! The end of the log, where records are appended.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use nearfield_model::{Error, Result};

use super::file::{FILE_BYTES_MAX, FILE_HEADER_BYTES, FileHeader, LogFile, file_name};
use super::record::{ALIGNMENT, Header, Section};
use super::syncer::Syncer;
use crate::io::{File, Io};
use crate::storage;

/// The first log file's planned size; each further one is twice as large, up to the bound.
const FIRST_FILE_BYTES: u64 = 1 << 20;
/// Zeros are written ahead in steps of this many bytes.
const ZERO_STEP: usize = 1 << 20;
/// Bytes written per wait for the disk up to which writing zeros ahead pays.
const ZEROS_PAY_BYTES: u64 = 128 << 10;
/// Zeros for a file's header, whose sync then takes no longer than it must.
const HEADER_ZEROS: u64 = 4_096;
const PADDING: [u8; ALIGNMENT as usize] = [0; ALIGNMENT as usize];

/// What a log is made of, for whoever makes its files.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) io: Arc<dyn Io>,
    /// The folder of the log's files.
    pub(crate) directory: PathBuf,
    /// The collection's own mark, repeated in every file.
    pub(crate) collection: [u8; 16],
    /// Bytes at which a file is full.
    pub(crate) file_bytes: u64,
}

impl Place {
    /// The planned size of a file.
    pub(crate) fn planned_bytes(&self, number: u64) -> u64 {
        let doublings = number.saturating_sub(1).min(32) as u32;
        (FIRST_FILE_BYTES << doublings)
            .min(self.file_bytes)
            .max(FIRST_FILE_BYTES)
    }

    pub(crate) fn path(&self, number: u64, generation: u32) -> PathBuf {
        self.directory.join(file_name(number, generation))
    }

    /// Makes an empty file for `number`, filled with `zeros` bytes that are on disk.
    fn make(&self, number: u64, zeros: u64) -> std::io::Result<Arc<dyn File>> {
        let path = self.path(number, 0);
        let file = self.io.create(&path)?;
        let filled = (|| {
            let block = vec![0; ZERO_STEP];
            let mut at = 0;
            while at < zeros {
                let step = (zeros - at).min(ZERO_STEP as u64);
                file.write_at(at, &[IoSlice::new(&block[..step as usize])])?;
                at += step;
            }
            if zeros > 0 {
                file.sync_data()?;
            }
            self.io.sync_directory(&self.directory)
        })();
        if let Err(error) = filled {
            let _half_made = self.io.remove(&path);
            return Err(error);
        }
        Ok(file)
    }
}

/// The end of the log. Whoever holds it may append.
#[derive(Debug)]
pub(crate) struct Writer {
    place: Place,
    syncer: Arc<Syncer>,
    file: Arc<LogFile>,
    /// Where the next record goes.
    position: u64,
    /// How far the file may grow before the next one is begun.
    limit: u64,
    sequence: u64,
    rows: u32,
    /// The checksum of the last record.
    previous: u64,
    /// The next file, made ahead.
    ahead: Ahead,
    /// How often writers had waited for the disk when the file was begun.
    waits: u64,
    /// The write that the last mark stands behind.
    marked: u64,
}

/// The next file, made ahead by another thread, which holds this meanwhile.
pub(crate) type Ahead = Arc<Mutex<Option<(u64, Arc<dyn File>)>>>;

/// Where the log ends, as recovery found it.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) file: Arc<LogFile>,
    pub(crate) position: u64,
    pub(crate) sequence: u64,
    pub(crate) rows: u32,
    pub(crate) previous: u64,
}

/// The sections of a record that is to be appended.
#[derive(Debug, Default)]
pub(crate) struct Sections<'a> {
    pub(crate) ids: &'a [u8],
    pub(crate) list: &'a [u8],
    pub(crate) matrix: &'a [u8],
    pub(crate) scales: &'a [u8],
    pub(crate) metadata: [&'a [u8]; 2],
}

impl Sections<'_> {
    /// Puts the sections' sizes and checksums into a header.
    pub(crate) fn describe(&self, header: &mut Header) -> Result<()> {
        let narrow = |length: usize| {
            u32::try_from(length).map_err(|_| Error::too_large("a section is over 4 GiB"))
        };
        header.ids_bytes = narrow(self.ids.len())?;
        header.listed = narrow(self.list.len() / 4)?;
        header.matrix_bytes = self.matrix.len().next_multiple_of(4) as u64;
        header.scales_bytes = narrow(self.scales.len())?;
        header.metadata_bytes = narrow(self.metadata[0].len() + self.metadata[1].len())?;
        header.checksums = [
            super::record::checksum(&[self.ids, self.list]),
            super::record::checksum(&[self.matrix, self.gap(), self.scales]),
            super::record::checksum(&self.metadata),
        ];
        Ok(())
    }

    /// Zeros between a matrix of `f16` and its scales.
    fn gap(&self) -> &'static [u8] {
        &PADDING[..self.matrix.len().next_multiple_of(4) - self.matrix.len()]
    }
}

impl Writer {
    /// Goes on where recovery found the end.
    pub(crate) fn new(place: Place, syncer: Arc<Syncer>, end: End) -> Writer {
        let limit = place
            .planned_bytes(end.file.header.number)
            .max(end.position);
        Writer {
            place,
            syncer,
            limit,
            file: end.file,
            position: end.position,
            sequence: end.sequence,
            rows: end.rows,
            previous: end.previous,
            ahead: Ahead::default(),
            waits: 0,
            marked: 0,
        }
    }

    /// Makes the first file of a log.
    pub(crate) fn first_file(place: &Place) -> Result<LogFile> {
        let zeros = if place.io.writes_ahead() {
            FIRST_FILE_BYTES
        } else {
            0
        };
        begin_file(place, place.make(1, zeros), 1, 0, 0)
    }

    /// The number of the last write.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Where the next record goes: file, offset, and the checksum it will name.
    pub(crate) fn end(&self) -> (&Arc<LogFile>, u64, u64) {
        (&self.file, self.position, self.previous)
    }

    /// The row number that the next row gets.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// Appends a record: gives `header` its number, rows and place in the chain, and writes
    /// it. The bytes are with the operating system when this returns.
    ///
    /// # Errors
    /// `WritesStopped` if a write failed, now or before; `TooLarge` if the row numbers are
    /// used up. Nothing was changed then.
    pub(crate) fn append(&mut self, header: &mut Header, sections: &Sections<'_>) -> Result<u64> {
        let synced = self.syncer.checked_synced()?;
        if self
            .rows
            .checked_add(header.rows)
            .is_none_or(|rows| rows == u32::MAX)
        {
            return Err(Error::too_large(
                "the collection has used up its 2^32 row numbers; copy it into a new one",
            ));
        }
        let bytes = header.record_bytes();
        if bytes > FILE_BYTES_MAX - FILE_HEADER_BYTES {
            return Err(Error::too_large("the write makes a record over 256 GiB"));
        }
        // An empty file that is too small stays empty: it is not mapped far enough.
        if self.position + bytes > self.limit {
            self.roll(bytes)?;
        }
        header.sequence = self.sequence + 1;
        header.synced = synced;
        header.first_row = self.rows;
        header.previous = self.previous;

        let offset = self.position;
        let checksum = write_record(&self.file, offset, header, sections)
            .map_err(|error| self.syncer.fail(&self.file.path, &error))?;
        self.file.settle(offset + bytes)?;
        self.position += bytes;
        self.sequence = header.sequence;
        self.rows += header.rows;
        self.previous = checksum;
        self.syncer.wrote(self.sequence, &self.file);
        Ok(offset)
    }

    /// Puts a mark behind the last record if the disk has all records: it tells a later
    /// recovery that none of them may be missing. The next record replaces it.
    pub(crate) fn mark(&mut self) -> Result<()> {
        if self.marked == self.sequence
            || self.syncer.check().is_err()
            || self.syncer.synced() < self.sequence
        {
            return Ok(());
        }
        self.write_mark(false)?;
        self.marked = self.sequence;
        Ok(())
    }

    /// Writes a mark behind the last record, which tells whether another file follows.
    fn write_mark(&self, followed: bool) -> Result<()> {
        let header = Header {
            sequence: self.sequence,
            synced: self.syncer.synced(),
            first_row: self.rows,
            previous: self.previous,
            ..Header::mark(followed)
        };
        let (head, _) = header.encode(self.file.salt);
        self.file
            .file
            .write_at(self.position, &[IoSlice::new(&head)])
            .map_err(|error| self.syncer.fail(&self.file.path, &error))
    }

    /// Begins the next file, so that all records are in files that are final.
    pub(crate) fn seal(&mut self) -> Result<()> {
        self.syncer.check()?;
        if self.position > FILE_HEADER_BYTES {
            self.roll(0)
        } else {
            Ok(())
        }
    }

    /// Begins the next file, large enough for a record of `bytes`.
    fn roll(&mut self, bytes: u64) -> Result<()> {
        let number = self.file.header.number + 1;
        // Waits for a file that is being made right now.
        let ahead = self
            .ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let made = match ahead {
            Some((ahead, file)) if ahead == number => Ok(file),
            _ => self.place.make(number, 0),
        };
        let path = self.place.path(number, 0);
        let made = made.map_err(|error| self.syncer.fail(&path, &error))?;
        let limit = self
            .place
            .planned_bytes(number)
            .max(FILE_HEADER_BYTES + bytes);
        let begun = begin_file_sized(&self.place, made, number, self.rows, self.previous, limit)
            .map_err(|error| {
                self.syncer
                    .fail(&path, &std::io::Error::other(error.to_string()))
            })?;
        // The next file is on disk, and from here on may not be missing. What was written ahead
        // of the old one's end is of no more use.
        self.write_mark(true)?;
        self.file
            .file
            .set_len(self.position + super::record::HEADER_BYTES as u64)
            .map_err(|error| self.syncer.fail(&self.file.path, &error))?;
        self.syncer.marked(&self.file);
        self.file = Arc::new(begun);
        self.position = FILE_HEADER_BYTES;
        self.limit = limit;
        self.waits = self.syncer.waits();
        Ok(())
    }

    /// What makes the next file ahead, if it is time, so that no writer waits for that. Where
    /// writers wait for the disk with little each, it is filled with zeros: syncing bytes over
    /// zeros that are on disk takes half as long. Large writes fill the disk by themselves, and
    /// would wait for the zeros.
    pub(crate) fn wants_ahead(&self) -> Option<MakeAhead> {
        if !self.place.io.writes_ahead() || self.position == FILE_HEADER_BYTES {
            return None;
        }
        let number = self.file.header.number + 1;
        let waits = self.syncer.waits() - self.waits;
        let zeros = if waits > 0 && self.position / waits < ZEROS_PAY_BYTES {
            self.place.planned_bytes(number)
        } else {
            HEADER_ZEROS
        };
        Some(MakeAhead {
            number,
            zeros,
            place: self.place.clone(),
            ahead: self.ahead.clone(),
        })
    }

    /// Cuts what was written ahead, when the store closes.
    pub(crate) fn trim(&mut self) -> Result<()> {
        let end = self.position
            + if self.marked == self.sequence && self.sequence > 0 {
                super::record::HEADER_BYTES as u64
            } else {
                0
            };
        let ahead = self
            .ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((number, _)) = ahead {
            let _left_over = self.place.io.remove(&self.place.path(number, 0));
        }
        self.file
            .file
            .set_len(end)
            .map_err(|error| storage::error("trim", &self.file.path, &error))
    }
}

/// Writes a record at `offset`; gives its checksum.
pub(crate) fn write_record(
    file: &LogFile,
    offset: u64,
    header: &Header,
    sections: &Sections<'_>,
) -> std::io::Result<u64> {
    let (head, checksum) = header.encode(file.salt);
    let padding = |section: Section| {
        let (start, length) = header.section(section);
        IoSlice::new(&PADDING[..(super::record::align(start + length) - start - length) as usize])
    };
    let parts = [
        IoSlice::new(&head),
        IoSlice::new(sections.ids),
        IoSlice::new(sections.list),
        padding(Section::Ids),
        IoSlice::new(sections.matrix),
        IoSlice::new(sections.gap()),
        IoSlice::new(sections.scales),
        padding(Section::Vectors),
        IoSlice::new(sections.metadata[0]),
        IoSlice::new(sections.metadata[1]),
        padding(Section::Metadata),
    ];
    // The system looks at each part, also at those that are empty.
    let mut full = [IoSlice::new(&[]); 11];
    let mut count = 0;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        full[count] = *part;
        count += 1;
    }
    file.file.write_at(offset, &full[..count])?;
    Ok(checksum)
}

/// Makes the next file ahead, without holding the writer.
#[derive(Debug)]
pub(crate) struct MakeAhead {
    number: u64,
    zeros: u64,
    place: Place,
    ahead: Ahead,
}

impl MakeAhead {
    /// Makes the file, with zeros that are on disk, unless it is there. If it cannot be
    /// made, the writer tries again when it needs it, and reports.
    pub(crate) fn run(self) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead.is_none()
            && let Ok(file) = self.place.make(self.number, self.zeros)
        {
            *ahead = Some((self.number, file));
        }
    }
}

fn begin_file(
    place: &Place,
    made: std::io::Result<Arc<dyn File>>,
    number: u64,
    first_row: u32,
    previous: u64,
) -> Result<LogFile> {
    let path = place.path(number, 0);
    let file = made.map_err(|error| storage::error("make", &path, &error))?;
    begin_file_sized(
        place,
        file,
        number,
        first_row,
        previous,
        place.planned_bytes(number),
    )
}

fn begin_file_sized(
    place: &Place,
    file: Arc<dyn File>,
    number: u64,
    first_row: u32,
    previous: u64,
    limit: u64,
) -> Result<LogFile> {
    let path = place.path(number, 0);
    let header = FileHeader {
        collection: place.collection,
        number,
        generation: 0,
        first_row,
        previous,
    };
    // A checkpoint may name the file before its first record is synced.
    file.write_at(0, &[IoSlice::new(&header.encode())])
        .and_then(|()| file.sync_data())
        .map_err(|error| storage::error("begin", &path, &error))?;
    LogFile::new(header, path, file, limit)
}
