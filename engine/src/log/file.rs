//! A file of the log: its header, its map, and where its rows are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use nearfield_model::{Error, ErrorKind, IdRef, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::ids;
use super::record::{ALIGNMENT, HEADER_BYTES, Header, Section, checksum, salt};
use crate::io::{File, Io, Map};
use crate::storage::{self, Schema};

/// Bytes of a file's header.
pub(crate) const FILE_HEADER_BYTES: u64 = 64;
const MAGIC: [u8; 8] = *b"NFLOG\0\0\x01";
const CHECKED_BYTES: usize = FILE_HEADER_BYTES as usize - 8;
/// A file never grows beyond this, so that offsets in units of [`ALIGNMENT`] fit in 32 bits.
pub(crate) const FILE_BYTES_MAX: u64 = (u32::MAX as u64) * ALIGNMENT;
/// What a map covers beyond which a file that is being written does not grow.
const MAP_SLACK_BYTES: u64 = 1 << 20;

/// What stands at the start of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    /// The collection that the file belongs to.
    pub(crate) collection: [u8; 16],
    /// Its place in the log, from 1.
    pub(crate) number: u64,
    /// How often it was compacted.
    pub(crate) generation: u32,
    /// The row number that its first record follows on.
    pub(crate) first_row: u32,
    /// The checksum of the last record of the file before.
    pub(crate) previous: u64,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; FILE_HEADER_BYTES as usize] {
        let mut bytes = [0; FILE_HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(&self.collection);
        bytes[24..32].copy_from_slice(&self.number.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.generation.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.first_row.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.previous.to_le_bytes());
        let checksum = xxh3_64(&bytes[..CHECKED_BYTES]);
        bytes[CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; FILE_HEADER_BYTES as usize]) -> Option<FileHeader> {
        let checksum = u64::from_le_bytes(bytes[CHECKED_BYTES..].try_into().ok()?);
        if bytes[..8] != MAGIC || checksum != xxh3_64(&bytes[..CHECKED_BYTES]) {
            return None;
        }
        Some(FileHeader {
            collection: bytes[8..24].try_into().ok()?,
            number: u64::from_le_bytes(bytes[24..32].try_into().ok()?),
            generation: u32::from_le_bytes(bytes[32..36].try_into().ok()?),
            first_row: u32::from_le_bytes(bytes[36..40].try_into().ok()?),
            previous: u64::from_le_bytes(bytes[40..48].try_into().ok()?),
        })
    }
}

/// The name of a log file.
pub(crate) fn file_name(number: u64, generation: u32) -> String {
    format!("{number:010}.{generation}.log")
}

/// The number and generation that a file name stands for.
pub(crate) fn parse_file_name(name: &str) -> Option<(u64, u32)> {
    let (number, generation) = name.strip_suffix(".log")?.split_once('.')?;
    let parsed = (number.parse().ok()?, generation.parse().ok()?);
    (file_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// Where a record that holds rows lies.
#[derive(Debug)]
pub(crate) struct RecordPlace {
    pub(crate) first_row: u32,
    pub(crate) rows: u32,
    /// The record's offset in units of [`ALIGNMENT`].
    offset: u32,
    /// The matrix's offset in units of [`ALIGNMENT`].
    vectors: u32,
    /// Rows that compaction left.
    pub(crate) stored: u32,
    /// A bit per section that was verified since the file was opened, [`COMPACTED`] and
    /// [`NUMERIC`].
    state: AtomicU8,
}

/// Row numbers, or positions, as they stand in a record.
type RowList<'a> = &'a [[u8; 4]];

const COMPACTED: u8 = 1 << 7;
/// The ids are one array of numbers right behind the header.
const NUMERIC: u8 = 1 << 6;

impl RecordPlace {
    /// The place of the record with this header at `offset`. Its `verified` sections will
    /// not be checked again.
    pub(crate) fn new(offset: u64, header: &Header, verified: bool) -> RecordPlace {
        let vectors = offset + header.section(Section::Vectors).0;
        let state = if verified { 0b111 } else { 0 }
            | if header.compacted { COMPACTED } else { 0 }
            | if header.numeric_ids { NUMERIC } else { 0 };
        RecordPlace {
            first_row: header.first_row,
            rows: header.rows,
            offset: (offset / ALIGNMENT) as u32,
            vectors: (vectors / ALIGNMENT) as u32,
            stored: header.stored,
            state: AtomicU8::new(state),
        }
    }

    /// Bytes of a place in a checkpoint.
    pub(crate) const BYTES: usize = 24;

    /// The place as a checkpoint keeps it.
    pub(crate) fn to_bytes(&self) -> [u8; RecordPlace::BYTES] {
        let mut bytes = [0; RecordPlace::BYTES];
        let state = self.state.load(Ordering::Relaxed);
        let flags = u32::from(state & COMPACTED != 0) | u32::from(state & NUMERIC != 0) << 1;
        let fields = [
            self.first_row,
            self.rows,
            self.offset,
            self.vectors,
            self.stored,
            flags,
        ];
        for (bytes, field) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *bytes = field.to_le_bytes();
        }
        bytes
    }

    /// The place that a checkpoint kept. Its sections are verified at their first touch.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<RecordPlace> {
        let fields: [[u8; 4]; 6] = bytes.as_chunks::<4>().0.try_into().ok()?;
        let [first_row, rows, offset, vectors, stored, flags] = fields.map(u32::from_le_bytes);
        first_row.checked_add(rows)?;
        let [compacted, numeric] = [flags & 1 != 0, flags & 2 != 0];
        let state = if compacted { COMPACTED } else { 0 } | if numeric { NUMERIC } else { 0 };
        Some(RecordPlace {
            first_row,
            rows,
            offset,
            vectors,
            stored,
            state: AtomicU8::new(state),
        })
    }

    /// The record's offset in bytes.
    pub(crate) fn offset(&self) -> u64 {
        u64::from(self.offset) * ALIGNMENT
    }
}

/// Bytes that a place takes in memory, about: it stands in a list that grows by doubling.
pub(crate) const RECORD_PLACE_BYTES: usize = size_of::<RecordPlace>() * 3 / 2;

/// A file of the log, mapped, and the places of its rows.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) header: FileHeader,
    /// What the checksums of its records are made under.
    pub(crate) salt: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    map: Map,
    records: boxcar::Vec<RecordPlace>,
    stored: AtomicU64,
}

impl LogFile {
    /// Takes a file that was opened or made for this header; `map_bytes` is as far as it
    /// will ever reach.
    pub(crate) fn new(
        header: FileHeader,
        path: PathBuf,
        file: Arc<dyn File>,
        map_bytes: u64,
    ) -> Result<LogFile> {
        let map = file
            .map(map_bytes.max(FILE_HEADER_BYTES))
            .map_err(|error| storage::error("map", &path, &error))?;
        Ok(LogFile {
            salt: salt(&header.collection),
            header,
            path,
            file,
            map,
            records: boxcar::Vec::new(),
            stored: AtomicU64::new(0),
        })
    }

    /// Opens a file that is there and reads its header; `None` if there is no valid one.
    pub(crate) fn open(io: &dyn Io, path: &Path, map_bytes: u64) -> Result<Option<LogFile>> {
        let fail = |error| storage::error("open", path, &error);
        let file = io.open(path).map_err(fail)?;
        let length = file.len().map_err(fail)?;
        let mut bytes = [0; FILE_HEADER_BYTES as usize];
        if length < FILE_HEADER_BYTES {
            return Ok(None);
        }
        file.read_at(0, &mut bytes).map_err(fail)?;
        let map_bytes = map_bytes.max(length.saturating_add(MAP_SLACK_BYTES));
        FileHeader::decode(&bytes)
            .map(|header| LogFile::new(header, path.to_owned(), file, map_bytes))
            .transpose()
    }

    /// Adds the place of a record; places come in the order of their rows.
    pub(crate) fn push(&self, place: RecordPlace) {
        self.stored
            .fetch_add(place.stored.into(), Ordering::Relaxed);
        self.records.push(place);
    }

    /// Rows that the file stores, dead ones included.
    pub(crate) fn stored_rows(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// Bytes of memory that the places of records take, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.records.count() * RECORD_PLACE_BYTES
    }

    /// The places of records with rows, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = &RecordPlace> {
        self.records.iter().map(|(_, place)| place)
    }

    /// A record with rows, counted from 0.
    pub(crate) fn record_place(&self, position: usize) -> Option<&RecordPlace> {
        self.records.get(position)
    }

    /// The record that `row` is in.
    pub(crate) fn find(&self, row: u32) -> Option<&RecordPlace> {
        let count = self.records.count();
        // Records are mostly of one size.
        let first = self.records.get(0)?;
        let guess = row.checked_sub(first.first_row)? / first.rows.max(1);
        if let Some(place) = self.records.get(guess as usize)
            && row.wrapping_sub(place.first_row) < place.rows
        {
            return Some(place);
        }
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.records.get(middle)?.first_row <= row {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let place = self.records.get(low.checked_sub(1)?)?;
        (row - place.first_row < place.rows).then_some(place)
    }

    /// Bytes of the file that are final.
    pub(crate) fn settled_bytes(&self) -> u64 {
        self.map.readable_len() as u64
    }

    /// Declares everything before `end` final, so that it can be read through the map.
    pub(crate) fn settle(&self, end: u64) -> Result<()> {
        self.file
            .settle(end)
            .map_err(|error| storage::error("settle", &self.path, &error))
    }

    /// The header of the record at `offset`.
    pub(crate) fn record_header(&self, offset: u64) -> Result<Header> {
        self.map
            .bytes(offset, HEADER_BYTES)
            .and_then(|bytes| Header::decode(bytes.first_chunk()?, self.salt))
            .map(|(header, _)| header)
            .ok_or_else(|| self.corrupt(offset, "a record's header"))
    }

    /// Whether there are only zeros where a record's header may be, or no room for one.
    pub(crate) fn is_blank(&self, offset: u64) -> bool {
        let bytes = self.map.bytes(offset, HEADER_BYTES);
        bytes.is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0))
    }

    /// The bytes of a section, whose checksum is verified at the first touch.
    pub(crate) fn section(
        &self,
        place: &RecordPlace,
        header: &Header,
        section: Section,
    ) -> Result<&[u8]> {
        self.verify(place, Some(header), section)?;
        let (start, length) = header.section(section);
        self.bytes(place.offset() + start, length, section)
    }

    fn bytes(&self, offset: u64, length: u64, section: Section) -> Result<&[u8]> {
        self.map
            .bytes(offset, length as usize)
            .ok_or_else(|| self.corrupt(offset, section.as_str()))
    }

    #[inline]
    fn verify(&self, place: &RecordPlace, header: Option<&Header>, section: Section) -> Result<()> {
        if place.state.load(Ordering::Acquire) & 1 << section as u8 != 0 {
            return Ok(());
        }
        let own;
        let header = match header {
            Some(header) => header,
            None => {
                own = self.record_header(place.offset())?;
                &own
            }
        };
        let (start, length) = header.section(section);
        let offset = place.offset() + start;
        if checksum(&[self.bytes(offset, length, section)?]) != header.checksums[section as usize] {
            return Err(self.corrupt(offset, section.as_str()));
        }
        place.state.fetch_or(1 << section as u8, Ordering::Release);
        Ok(())
    }

    /// Verifies all that is not verified yet of a record.
    pub(crate) fn verify_all(&self, place: &RecordPlace) -> Result<()> {
        if place.state.load(Ordering::Acquire) & 0b111 == 0b111 {
            return Ok(());
        }
        let header = self.record_header(place.offset())?;
        Section::ALL
            .into_iter()
            .try_for_each(|section| self.verify(place, Some(&header), section))
    }

    /// Where among the stored rows of its record a row stands; `None` if compaction took it.
    #[inline]
    fn position(&self, place: &RecordPlace, row: u32) -> Result<Option<usize>> {
        let relative = row - place.first_row;
        if place.state.load(Ordering::Acquire) & COMPACTED == 0 {
            return Ok(Some(relative as usize));
        }
        let header = self.record_header(place.offset())?;
        let (list, _) = self.lists(place, &header)?;
        let wanted = |entry: &[u8; 4]| u32::from_le_bytes(*entry).cmp(&relative);
        Ok(list.binary_search_by(wanted).ok())
    }

    /// The row list of a record: the positions within its rows of those that a compaction left,
    /// and the numbers of the rows that it removes.
    fn lists(&self, place: &RecordPlace, header: &Header) -> Result<(RowList<'_>, RowList<'_>)> {
        let bytes = self.section(place, header, Section::Ids)?;
        let list = bytes.get(header.ids_bytes as usize..).unwrap_or_default();
        let list = list.as_chunks().0;
        let left = match header.compacted {
            true => header.stored as usize,
            false => 0,
        };
        list.split_at_checked(left)
            .ok_or_else(|| self.corrupt(place.offset(), "the row list"))
    }

    /// The rows that a record removes, besides those that have the ids of its own.
    pub(crate) fn removed(
        &self,
        place: &RecordPlace,
        header: &Header,
    ) -> Result<impl Iterator<Item = u32>> {
        let (_, removed) = self.lists(place, header)?;
        Ok(removed.iter().map(|row| u32::from_le_bytes(*row)))
    }

    /// Begins to fetch a row's vector from memory, where that is easy.
    #[inline]
    pub(crate) fn prefetch(&self, place: &RecordPlace, row: u32, schema: &Schema) {
        let compacted = place.state.load(Ordering::Relaxed) & COMPACTED != 0;
        if compacted || schema.storage != nearfield_model::Storage::F32 {
            return;
        }
        let relative = u64::from(row - place.first_row) * schema.vector_bytes() as u64;
        let offset = u64::from(place.vectors) * ALIGNMENT + relative;
        if let Some(vector) = self.map.floats(offset, schema.dimension) {
            crate::kernel::prefetch(vector);
        }
    }

    /// The vector of a row, in `scratch` unless it can be borrowed, and its scale: 1 over its
    /// norm under cosine, else 1. `None` if compaction took the row.
    #[inline]
    pub(crate) fn vector<'a>(
        &'a self,
        place: &RecordPlace,
        row: u32,
        schema: &Schema,
        scratch: &'a mut Vec<f32>,
    ) -> Result<Option<(&'a [f32], f32)>> {
        let Some(position) = self.position(place, row)? else {
            return Ok(None);
        };
        self.verify(place, None, Section::Vectors)?;
        let matrix = u64::from(place.vectors) * ALIGNMENT;
        let row_bytes = schema.vector_bytes() as u64;
        let offset = matrix + position as u64 * row_bytes;
        let missing = || self.corrupt(offset, Section::Vectors.as_str());
        let scale = if schema.has_scales() {
            let scales = schema.scales_offset(place.stored as usize) as u64;
            let scale = self.map.floats(matrix + scales + position as u64 * 4, 1);
            *scale.and_then(<[f32]>::first).ok_or_else(missing)?
        } else {
            1.0
        };
        let vector = match schema.storage {
            nearfield_model::Storage::F32 => self
                .map
                .floats(offset, schema.dimension)
                .ok_or_else(missing)?,
            nearfield_model::Storage::F16 => {
                let bytes = self
                    .map
                    .bytes(offset, row_bytes as usize)
                    .ok_or_else(missing)?;
                schema.widen(bytes, scratch);
                scratch
            }
        };
        Ok(Some((vector, scale)))
    }

    /// The id of a row; `None` if compaction took the row.
    pub(crate) fn id(&self, place: &RecordPlace, row: u32) -> Result<Option<IdRef<'_>>> {
        let Some(position) = self.position(place, row)? else {
            return Ok(None);
        };
        let plain = 1 << Section::Ids as u8 | NUMERIC;
        if place.state.load(Ordering::Acquire) & (plain | COMPACTED) == plain {
            let offset = place.offset() + HEADER_BYTES as u64 + position as u64 * 8;
            let bytes = self.bytes(offset, 8, Section::Ids)?;
            let number = bytes.first_chunk().copied().unwrap_or_default();
            return Ok(Some(IdRef::U64(u64::from_le_bytes(number))));
        }
        let header = self.record_header(place.offset())?;
        let bytes = self.section(place, &header, Section::Ids)?;
        let bytes = bytes.get(..header.ids_bytes as usize).unwrap_or_default();
        ids::get(bytes, header.numeric_ids, header.stored as usize, position)
            .map(Some)
            .ok_or_else(|| self.corrupt(place.offset(), "an id"))
    }

    /// Hands the rows that a record stores and their ids to `visit`, in order.
    pub(crate) fn visit_ids(
        &self,
        place: &RecordPlace,
        visit: &mut dyn FnMut(u32, IdRef<'_>),
    ) -> Result<()> {
        let header = self.record_header(place.offset())?;
        let bytes = self.section(place, &header, Section::Ids)?;
        let bytes = bytes.get(..header.ids_bytes as usize).unwrap_or_default();
        let (list, _) = self.lists(place, &header)?;
        for position in 0..header.stored as usize {
            let id = ids::get(bytes, header.numeric_ids, header.stored as usize, position)
                .ok_or_else(|| self.corrupt(place.offset(), "an id"))?;
            let relative = list
                .get(position)
                .map_or(position as u32, |row| u32::from_le_bytes(*row));
            visit(header.first_row + relative, id);
        }
        Ok(())
    }

    /// The metadata of a row, as JSON text, if it has any.
    pub(crate) fn metadata(&self, place: &RecordPlace, row: u32) -> Result<Option<&str>> {
        let header = self.record_header(place.offset())?;
        if header.metadata_bytes == 0 {
            return Ok(None);
        }
        let Some(position) = self.position(place, row)? else {
            return Ok(None);
        };
        let bytes = self.section(place, &header, Section::Metadata)?;
        metadata_text(bytes, header.stored as usize, position)
            .map(|text| Some(text).filter(|text| !text.is_empty()))
            .ok_or_else(|| self.corrupt(place.offset(), "metadata"))
    }

    /// An error that names the file and where in it bytes are not what was written.
    pub(crate) fn corrupt(&self, offset: u64, what: &str) -> Error {
        corruption(&self.path, offset, what)
    }
}

/// The metadata at `position` of a section for `stored` rows.
pub(crate) fn metadata_text(bytes: &[u8], stored: usize, position: usize) -> Option<&str> {
    let (ends, text) = bytes.split_at_checked(stored * 4)?;
    let ends = ends.as_chunks::<4>().0;
    let end = u32::from_le_bytes(*ends.get(position)?) as usize;
    let start = match position.checked_sub(1) {
        Some(before) => u32::from_le_bytes(*ends.get(before)?) as usize,
        None => 0,
    };
    std::str::from_utf8(text.get(start..end)?).ok()
}

/// An error that names a file and where in it bytes are not what was written.
pub(crate) fn corruption(path: &Path, offset: u64, what: &str) -> Error {
    Error::new(
        ErrorKind::Corruption,
        format!(
            "{}, offset {offset}: {what} is not what was written; run `nearfield doctor` on the store, \
             and restore a snapshot if it confirms this",
            path.display()
        ),
    )
}
