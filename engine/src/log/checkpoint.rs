//! A checkpoint: what replaying the log up to a point gives, so that opening need not replay
//! it. Blocks, each with a kind and a checksum, as `docs/format.md` draws them.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearfield_model::{RequestId, Result, Value, ValueRef};
use roaring::RoaringBitmap;

use super::file::{LogFile, RecordPlace, corruption};
use super::outcomes::{Outcome, Outcomes};
use super::record::checksum;
use crate::filter::Fields;
use crate::filter::column::{Column, Entry};
use crate::filter::field::{Columns, Field, Values};
use crate::index::tail::{CHUNK_ROWS, Chunk, Tail};
use crate::index::{CodeGroup, GROUP_ROWS};
use crate::io::{File, Io};
use crate::points::View;
use crate::points::tombstones::Tombstones;
use crate::storage::{self, Schema};

const MAGIC: [u8; 8] = *b"NFCHKPT\x01";
/// Bytes of a block's header: kind, zeros, length, checksum.
const BLOCK_HEADER_BYTES: usize = 24;
const BLOCK_BYTES_MAX: u64 = 1 << 36;

/// Memory of a block's body that is kept for the next block.
const BODY_BYTES_KEPT: usize = 4 << 20;

const STATE: u32 = 1;
const TOMBSTONES: u32 = 2;
const RECORDS: u32 = 3;
const CHUNK: u32 = 4;
const FIELD: u32 = 5;
const OUTCOMES: u32 = 6;
const UNINDEXED: u32 = 7;
const END: u32 = 8;

/// What a checkpoint holds, besides what it puts straight into the tail.
#[derive(Debug, Default)]
pub(crate) struct Checkpoint {
    pub(crate) sequence: u64,
    pub(crate) rows: u32,
    pub(crate) tombstones: Tombstones,
    /// The places of records, by file.
    pub(crate) records: Vec<(u64, Vec<RecordPlace>)>,
    pub(crate) fields: Fields,
    pub(crate) outcomes: Outcomes,
}

/// Writes a checkpoint of `view` to `path` and syncs it. The metadata index is held for one
/// field at a time.
pub(crate) fn write(
    io: &dyn Io,
    path: &Path,
    view: &View,
    chunks: &[Arc<Chunk>],
    fields: &std::sync::RwLock<Fields>,
    outcomes: &Outcomes,
) -> Result<()> {
    let fail = |error| storage::error("write", path, &error);
    let file = io.create(path).map_err(fail)?;
    let mut out = Out {
        file: &*file,
        position: 0,
        body: Vec::new(),
    };
    file.write_at(0, &[IoSlice::new(&MAGIC)]).map_err(fail)?;
    out.position = MAGIC.len() as u64;

    out.u64(view.sequence).u32(view.rows);
    out.block(STATE).map_err(fail)?;
    for (number, words) in view.tombstones.blocks() {
        out.u32(number);
        words.iter().for_each(|word| {
            out.u64(*word);
        });
        out.block(TOMBSTONES).map_err(fail)?;
    }
    for log_file in view.files.iter() {
        out.u64(log_file.header.number);
        let places = log_file
            .records()
            .filter(|place| place.first_row < view.rows);
        places.for_each(|place| {
            out.body.extend_from_slice(&place.to_bytes());
        });
        out.block(RECORDS).map_err(fail)?;
    }
    for (number, chunk) in chunks.iter().enumerate() {
        let first = number as u32 * CHUNK_ROWS;
        let (sample, centroid, groups) = chunk.parts();
        // Codes of rows that came after this view may be lost with those rows.
        let groups =
            groups.filter(|(group, _)| first + (group + 1) * GROUP_ROWS as u32 <= view.rows);
        out.u32(sample);
        centroid.iter().for_each(|component| {
            out.u32(component.to_bits());
        });
        for (number, group) in groups {
            out.u32(number);
            group.write_to(&mut out.body);
        }
        out.block(CHUNK).map_err(fail)?;
    }
    let lock = || {
        fields
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    let paths: Vec<Box<str>> = lock().fields.keys().cloned().collect();
    for path in paths {
        let Some(field) = lock().fields.get(&path).cloned() else {
            continue;
        };
        out.text(&path).field(&field, view.rows);
        out.block(FIELD).map_err(fail)?;
    }
    {
        let fields = lock();
        out.u32(fields.overflowed.into());
        fields.unindexed().for_each(|path| {
            out.text(path);
        });
    }
    out.block(UNINDEXED).map_err(fail)?;
    for (request, outcome) in outcomes.iter() {
        out.body.extend_from_slice(&request.client);
        out.u64(request.number)
            .u64(outcome.sequence)
            .u64(outcome.affected);
        out.u32(outcome.kind.into());
    }
    out.block(OUTCOMES).map_err(fail)?;
    out.block(END).map_err(fail)?;
    file.sync_data()
        .and_then(|()| io.sync_directory(path.parent().unwrap_or(Path::new("."))))
        .map_err(fail)
}

struct Out<'a> {
    file: &'a dyn File,
    position: u64,
    body: Vec<u8>,
}

impl Out<'_> {
    fn u32(&mut self, number: u32) -> &mut Self {
        self.body.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.body.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.u32(text.len() as u32);
        self.body.extend_from_slice(text.as_bytes());
        self
    }

    /// A bitmap without the rows from `rows` on.
    fn bitmap(&mut self, bitmap: &RoaringBitmap, rows: u32) -> &mut Self {
        let mut bitmap = bitmap.clone();
        bitmap.remove_range(rows..);
        self.u32(bitmap.serialized_size() as u32);
        // Writing to a vector does not fail.
        let _written = bitmap.serialize_into(&mut self.body);
        self
    }

    fn column(&mut self, column: &Column, rows: u32) -> &mut Self {
        let entries = || column.iter().filter(|entry| entry.row < rows);
        let count = entries().count();
        self.body.reserve_exact(4 + count * size_of::<Entry>());
        self.u32(count as u32);
        for entry in entries() {
            self.u64(entry.key).u32(entry.tag).u32(entry.row);
        }
        self
    }

    fn field(&mut self, field: &Field, rows: u32) -> &mut Self {
        self.bitmap(&field.rows, rows);
        match &field.values {
            Values::Few(bitmaps) => {
                self.u32(0).u32(bitmaps.len() as u32);
                for (value, bitmap) in bitmaps {
                    match value.as_ref() {
                        ValueRef::Bool(flag) => self.u32(0).u32(flag.into()),
                        ValueRef::Number(number) => self.u32(1).text(&number.to_string()),
                        ValueRef::String(text) => self.u32(2).text(text),
                    };
                    self.bitmap(bitmap, rows);
                }
            }
            Values::Many(columns) => {
                self.u32(1)
                    .bitmap(&columns.bools[0], rows)
                    .bitmap(&columns.bools[1], rows);
                self.column(&columns.numbers, rows)
                    .column(&columns.strings, rows);
                self.column(&columns.times, rows);
            }
        }
        self
    }

    fn block(&mut self, kind: u32) -> std::io::Result<()> {
        let mut header = [0; BLOCK_HEADER_BYTES];
        header[..4].copy_from_slice(&kind.to_le_bytes());
        header[8..16].copy_from_slice(&(self.body.len() as u64).to_le_bytes());
        let sum = checksum(&[&header[..16], &self.body]);
        header[16..].copy_from_slice(&sum.to_le_bytes());
        self.file.write_at(
            self.position,
            &[IoSlice::new(&header), IoSlice::new(&self.body)],
        )?;
        self.position += (header.len() + self.body.len()) as u64;
        self.body.clear();
        self.body.shrink_to(BODY_BYTES_KEPT);
        Ok(())
    }
}

/// Reads the checkpoint at `path`; codes go into `tail`.
///
/// # Errors
/// `Corruption` if it is not whole. The tail may hold part of it then.
pub(crate) fn read(io: &dyn Io, path: &Path, schema: &Schema, tail: &Tail) -> Result<Checkpoint> {
    let mut input = In::open(io, path)?;
    let mut checkpoint = Checkpoint::default();
    loop {
        let (kind, mut body) = input.block()?;
        let damaged = || corruption(path, input.block_offset, "a block of the checkpoint");
        if kind == END {
            return Ok(checkpoint);
        }
        checkpoint
            .take(kind, &mut body, schema, tail)
            .ok_or_else(damaged)?;
    }
}

impl Checkpoint {
    fn take(&mut self, kind: u32, body: &mut Body, schema: &Schema, tail: &Tail) -> Option<()> {
        match kind {
            STATE => {
                self.sequence = body.u64()?;
                self.rows = body.u32()?;
                self.fields = Fields::without(&[]);
            }
            TOMBSTONES => {
                let number = body.u32()?;
                let mut words = [0; 1024];
                for word in &mut words {
                    *word = body.u64()?;
                }
                self.tombstones.restore(number, words);
            }
            RECORDS => {
                let number = body.u64()?;
                let mut places = Vec::with_capacity(body.rest() / RecordPlace::BYTES);
                while body.rest() > 0 {
                    places.push(RecordPlace::from_bytes(body.bytes(RecordPlace::BYTES)?)?);
                }
                self.records.push((number, places));
            }
            CHUNK => {
                let sample = body.u32()?;
                let mut centroid = Vec::with_capacity(schema.dimension);
                for _ in 0..schema.dimension {
                    centroid.push(f32::from_bits(body.u32()?));
                }
                let padded = tail.rotation.padded();
                let mut groups = Vec::new();
                while body.rest() > 0 {
                    let number = body.u32()?;
                    let bytes = body.bytes(CodeGroup::byte_len(padded))?;
                    groups.push((number, CodeGroup::from_bytes(bytes, padded)?));
                }
                tail.restore(schema, sample, &centroid, groups);
            }
            FIELD => {
                let path = body.text()?.to_owned();
                let field = body.field()?;
                self.fields.fields.insert(path.into(), field);
            }
            UNINDEXED => {
                let overflowed = body.u32()? != 0;
                let mut paths = Vec::new();
                while body.rest() > 0 {
                    paths.push(body.text()?.to_owned());
                }
                let fields = std::mem::take(&mut self.fields.fields);
                self.fields = Fields::without(&paths);
                (self.fields.fields, self.fields.overflowed) = (fields, overflowed);
            }
            OUTCOMES => {
                while body.rest() > 0 {
                    let client = body.bytes(16)?.try_into().ok()?;
                    let request = RequestId {
                        client,
                        number: body.u64()?,
                    };
                    let (sequence, affected) = (body.u64()?, body.u64()?);
                    let kind = u8::try_from(body.u32()?).ok()?;
                    self.outcomes.insert(
                        &request,
                        Outcome {
                            kind,
                            sequence,
                            affected,
                        },
                    );
                }
            }
            _ => return None,
        }
        Some(())
    }
}

struct In {
    file: Arc<dyn File>,
    path: PathBuf,
    position: u64,
    block_offset: u64,
    length: u64,
}

impl In {
    fn open(io: &dyn Io, path: &Path) -> Result<In> {
        let fail = |error| storage::error("read", path, &error);
        let file = io.open(path).map_err(fail)?;
        let length = file.len().map_err(fail)?;
        let mut magic = [0; 8];
        if length >= 8 {
            file.read_at(0, &mut magic).map_err(fail)?;
        }
        if magic != MAGIC {
            return Err(corruption(path, 0, "the checkpoint's header"));
        }
        Ok(In {
            file,
            path: path.to_owned(),
            position: 8,
            block_offset: 8,
            length,
        })
    }

    fn block(&mut self) -> Result<(u32, Body)> {
        let fail = |error| storage::error("read", &self.path, &error);
        let damaged = || corruption(&self.path, self.position, "a block of the checkpoint");
        self.block_offset = self.position;
        let left = self.length.saturating_sub(self.position);
        if left < BLOCK_HEADER_BYTES as u64 {
            return Err(damaged());
        }
        let mut header = [0; BLOCK_HEADER_BYTES];
        self.file
            .read_at(self.position, &mut header)
            .map_err(fail)?;
        let mut fields = Body {
            bytes: header.to_vec(),
            at: 0,
        };
        let (kind, zeros) = (
            fields.u32().ok_or_else(damaged)?,
            fields.u32().ok_or_else(damaged)?,
        );
        let length = fields.u64().ok_or_else(damaged)?;
        let sum = fields.u64().ok_or_else(damaged)?;
        if zeros != 0 || length > BLOCK_BYTES_MAX || length > left - BLOCK_HEADER_BYTES as u64 {
            return Err(damaged());
        }
        let mut bytes = vec![0; length as usize];
        self.file
            .read_at(self.position + BLOCK_HEADER_BYTES as u64, &mut bytes)
            .map_err(fail)?;
        if checksum(&[&header[..16], &bytes]) != sum {
            return Err(damaged());
        }
        self.position += BLOCK_HEADER_BYTES as u64 + length;
        Ok((kind, Body { bytes, at: 0 }))
    }
}

/// A block's content; reading past its end gives `None`.
struct Body {
    bytes: Vec<u8>,
    at: usize,
}

impl Body {
    fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn bytes(&mut self, length: usize) -> Option<&[u8]> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&str> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.bytes(length)?).ok()
    }

    fn bitmap(&mut self) -> Option<RoaringBitmap> {
        let length = self.u32()? as usize;
        RoaringBitmap::deserialize_from(self.bytes(length)?).ok()
    }

    fn column(&mut self) -> Option<Column> {
        let count = self.u32()? as usize;
        if count > self.rest() / size_of::<Entry>() {
            return None;
        }
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(Entry {
                key: self.u64()?,
                tag: self.u32()?,
                row: self.u32()?,
            });
        }
        Some(Column::from_entries(entries))
    }

    fn field(&mut self) -> Option<Field> {
        let rows = self.bitmap()?;
        let values = if self.u32()? == 0 {
            let count = self.u32()?;
            let mut bitmaps = std::collections::BTreeMap::new();
            for _ in 0..count {
                let value = match self.u32()? {
                    0 => Value::Bool(self.u32()? != 0),
                    1 => Value::Number(
                        serde_json::from_str::<serde_json::Number>(self.text()?)
                            .ok()
                            .and_then(number)?,
                    ),
                    _ => Value::String(self.text()?.into()),
                };
                bitmaps.insert(value, self.bitmap()?);
            }
            Values::Few(bitmaps)
        } else {
            let bools = [self.bitmap()?, self.bitmap()?];
            let (numbers, strings, times) = (self.column()?, self.column()?, self.column()?);
            Values::Many(Box::new(Columns {
                bools,
                numbers,
                strings,
                times,
            }))
        };
        Some(Field { rows, values })
    }
}

fn number(number: serde_json::Number) -> Option<nearfield_model::Number> {
    let whole = number
        .as_u64()
        .map(Into::into)
        .or_else(|| number.as_i64().map(Into::into));
    whole.or_else(|| nearfield_model::Number::from_f64(number.as_f64()?))
}

/// Puts the places of a checkpoint into a file that was opened.
pub(crate) fn restore_places(file: &LogFile, places: Vec<RecordPlace>) {
    places.into_iter().for_each(|place| file.push(place));
}
