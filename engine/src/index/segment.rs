//! A segment: the codes of a range of rows, list by list, in a file that never changes.
//!
//! `docs/format.md` draws the file. Rows of a list are in ascending order, in blocks of
//! [`BLOCK_ROWS`]; the last block of a list may have room left.
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearfield_model::Result;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::cell::RowFactors;
use super::coded::CodedRows;
use super::filling::byte_of;
use super::homes::{Homes, Shape};
use crate::io::{File, Io, Map};
use crate::kernel::{
    BLOCK_ROWS, BlockFactors, BlockRef, Factors, Huge, block_bytes, prefetch_bytes,
};
use crate::log::file::corruption;
use crate::points::View;
use crate::storage;

const MAGIC: [u8; 8] = *b"NFSEGM\0\x01";
const HEADER_BYTES: usize = 128;
/// Where the header tells how homes lie.
const HOMES_AT: usize = 56;
const CHECKED_BYTES: usize = HEADER_BYTES - 8;
/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 1 << 17;
/// The row number of an empty place in a block.
const NO_ROW: u32 = u32::MAX;

/// What a segment holds, as its header and the index's manifest say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Extent {
    /// Names the file.
    pub(crate) number: u64,
    /// The epoch whose lists these are.
    pub(crate) epoch: u64,
    /// The rows that it covers.
    pub(crate) first_row: u32,
    pub(crate) end_row: u32,
}

impl Extent {
    /// Rows that it covers, removed ones included.
    pub(crate) fn rows(&self) -> u32 {
        self.end_row - self.first_row
    }
}

/// A segment, mapped.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) extent: Extent,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    pub(crate) bytes: u64,
    map: Map,
    padded: usize,
    homes: Shape,
    /// Rows of each list.
    counts: Box<[u32]>,
    /// The first block of each list.
    starts: Box<[u32]>,
    stored: u32,
}

/// The file of a segment.
pub(crate) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:010}.segment"))
}

/// Bytes of a block with its row numbers.
fn stride(padded: usize) -> usize {
    block_bytes(padded) + BLOCK_ROWS * 4
}

fn homes_offset(lists: usize) -> usize {
    HEADER_BYTES + lists * 4
}

fn blocks_offset(lists: usize, homes: Shape) -> usize {
    (homes_offset(lists) + homes.bytes() as usize).next_multiple_of(64)
}

/// A block of a list.
pub(crate) struct Block<'a> {
    pub(crate) codes: BlockRef<'a>,
    rows: &'a [[u8; 4]],
}

impl Block<'_> {
    /// The row at a place below [`Block::len`].
    #[inline]
    pub(crate) fn row(&self, place: usize) -> u32 {
        u32::from_le_bytes(self.rows[place])
    }

    /// A bit per place: rows that match.
    #[inline]
    pub(crate) fn matching(&self, matches: impl Fn(u32) -> bool) -> u64 {
        let places = self.rows.iter().enumerate();
        places.fold(0, |word, (place, row)| {
            word | u64::from(matches(u32::from_le_bytes(*row))) << place
        })
    }

    /// Rows in the block.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Segment {
    /// Opens a segment and verifies all of it.
    ///
    /// # Errors
    /// `Corruption` if it is not what was written, `Storage` if it cannot be read.
    pub(crate) fn open(
        io: &dyn Io,
        directory: &Path,
        mark: &[u8; 16],
        extent: Extent,
        lists: usize,
        padded: usize,
    ) -> Result<Segment> {
        let path = segment_path(directory, extent.number);
        let fail = |error| storage::error("read", &path, &error);
        let damaged = |offset: usize| corruption(&path, offset as u64, "the segment");
        let file = io.open(&path).map_err(fail)?;
        let bytes = file.len().map_err(fail)?;
        if bytes < HEADER_BYTES as u64 {
            return Err(damaged(0));
        }
        file.settle(bytes).map_err(fail)?;
        let map = file.map(bytes).map_err(fail)?;
        let all = map.bytes(0, bytes as usize).ok_or_else(|| damaged(0))?;
        let (header, body) = all.split_at(HEADER_BYTES);
        let code = header[HOMES_AT..HOMES_AT + 4].first_chunk().copied();
        let homes = Shape::from_code(extent.rows(), u32::from_le_bytes(code.unwrap_or_default()));
        let sums = &header[CHECKED_BYTES - 8..];
        let [body_sum, header_sum] = [0, 8].map(|at| {
            let bytes = sums[at..at + 8].first_chunk().copied();
            u64::from_le_bytes(bytes.unwrap_or_default())
        });
        if xxh3_64(&header[..CHECKED_BYTES]) != header_sum
            || header[..CHECKED_BYTES - 8] != encode(mark, extent, lists, padded, homes)
        {
            return Err(damaged(0));
        }
        let blocks_at = blocks_offset(lists, homes);
        if xxh3_64(body) != body_sum || all.len() < blocks_at {
            return Err(damaged(HEADER_BYTES));
        }
        let counts = all[HEADER_BYTES..homes_offset(lists)].as_chunks().0;
        let counts: Vec<u32> = counts
            .iter()
            .map(|count| u32::from_le_bytes(*count))
            .collect();
        let rows: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        if rows > u64::from(extent.rows()) {
            return Err(damaged(HEADER_BYTES));
        }
        let segment = Segment::new(
            extent,
            path.clone(),
            file,
            map.clone(),
            padded,
            homes,
            counts,
        );
        let blocks = segment.blocks() as usize;
        if all.len() != blocks_at + blocks * stride(padded) || !segment.is_sound() {
            return Err(damaged(blocks_at));
        }
        Ok(segment)
    }

    /// Whether homes are lists that there are, and the rows of each list ascend within the range.
    fn is_sound(&self) -> bool {
        let Extent {
            first_row, end_row, ..
        } = self.extent;
        let lists = self.counts.len();
        let homes = (first_row..end_row).filter_map(|row| self.home(row));
        let of_list = |list| {
            let blocks = self.list(list);
            blocks.flat_map(|block| (0..block.len()).map(move |place| block.row(place)))
        };
        homes.map(usize::from).all(|list| list < lists)
            && (0..lists).all(|list| {
                let mut next = first_row;
                of_list(list).all(|row| {
                    let ascends = (next..end_row).contains(&row);
                    next = row.saturating_add(1);
                    ascends
                })
            })
    }

    fn new(
        extent: Extent,
        path: PathBuf,
        file: Arc<dyn File>,
        map: Map,
        padded: usize,
        homes: Shape,
        counts: Vec<u32>,
    ) -> Segment {
        let mut next = 0;
        let starts = counts.iter().map(|count| {
            let start = next;
            next += count.div_ceil(BLOCK_ROWS as u32);
            start
        });
        Segment {
            starts: starts.collect(),
            stored: counts.iter().sum(),
            counts: counts.into(),
            extent,
            path,
            file,
            bytes: map.readable_len() as u64,
            map,
            padded,
            homes,
        }
    }

    fn blocks(&self) -> u32 {
        match (self.starts.last(), self.counts.last()) {
            (Some(start), Some(count)) => start + count.div_ceil(BLOCK_ROWS as u32),
            _ => 0,
        }
    }

    /// Rows in its lists.
    pub(crate) fn stored(&self) -> u32 {
        self.stored
    }

    /// Rows of a list.
    #[inline]
    pub(crate) fn count(&self, list: usize) -> u32 {
        self.counts[list]
    }

    /// The bytes of a list's blocks.
    #[inline]
    fn list_bytes(&self, list: usize) -> &[u8] {
        let count = self.counts[list] as usize;
        let stride = stride(self.padded);
        let offset =
            blocks_offset(self.counts.len(), self.homes) + self.starts[list] as usize * stride;
        self.map
            .bytes(offset as u64, count.div_ceil(BLOCK_ROWS) * stride)
            .unwrap_or_default()
    }

    /// The blocks of a list, in order.
    #[inline]
    pub(crate) fn list(&self, list: usize) -> impl Iterator<Item = Block<'_>> {
        let mut left = self.counts[list] as usize;
        let codes = block_bytes(self.padded);
        let blocks = self.list_bytes(list).chunks_exact(stride(self.padded));
        blocks.filter_map(move |bytes| {
            // Behind the end of a list the next begins: fetching that is no waste either.
            let ahead = bytes.as_ptr().wrapping_add(2 * bytes.len());
            prefetch_bytes(ahead, bytes.len());
            let (block, rows) = bytes.split_at(codes);
            let count = left.min(BLOCK_ROWS);
            left -= count;
            Some(Block {
                codes: BlockRef::from_bytes(block, self.padded)?,
                rows: &rows.as_chunks().0[..count],
            })
        })
    }

    /// Begins to fetch a list from memory. Nothing but speed depends on it.
    #[inline]
    pub(crate) fn prefetch(&self, list: usize) {
        const BYTES_MAX: usize = 4096;
        let bytes = self.list_bytes(list);
        prefetch_bytes(bytes.as_ptr(), bytes.len().min(BYTES_MAX));
    }

    /// The list that a row is in, if it is in one.
    #[inline]
    pub(crate) fn home(&self, row: u32) -> Option<u16> {
        let place = row.checked_sub(self.extent.first_row)?;
        if row >= self.extent.end_row {
            return None;
        }
        let start = homes_offset(self.counts.len()) as u64;
        self.homes.find(&self.map, start, place)
    }

    /// Bytes of memory besides the map.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Segment>() + self.counts.len() * 8
    }

    /// How many of its stored rows are dead in a view.
    pub(crate) fn dead_rows(&self, view: &View) -> u32 {
        self.stored
            .saturating_sub(view.live_between(self.extent.first_row, self.extent.end_row))
    }
}

/// The header of a segment, without its checksums.
fn encode(
    mark: &[u8; 16],
    extent: Extent,
    lists: usize,
    padded: usize,
    homes: Shape,
) -> [u8; CHECKED_BYTES - 8] {
    let mut bytes = [0; CHECKED_BYTES - 8];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..24].copy_from_slice(mark);
    bytes[24..32].copy_from_slice(&extent.number.to_le_bytes());
    bytes[32..40].copy_from_slice(&extent.epoch.to_le_bytes());
    bytes[40..44].copy_from_slice(&extent.first_row.to_le_bytes());
    bytes[44..48].copy_from_slice(&extent.end_row.to_le_bytes());
    bytes[48..52].copy_from_slice(&(lists as u32).to_le_bytes());
    bytes[52..56].copy_from_slice(&(padded as u32).to_le_bytes());
    bytes[HOMES_AT..HOMES_AT + 4].copy_from_slice(&homes.code().to_le_bytes());
    bytes
}

/// Writes a segment, list by list.
struct Writer<'a> {
    file: Arc<dyn File>,
    path: &'a Path,
    /// Behind what was written.
    position: u64,
    gathered: Vec<u8>,
    sum: Xxh3,
    padded: usize,
    /// The block in the making, and the rows in it.
    codes: Vec<u8>,
    factors: BlockFactors,
    rows: Vec<u32>,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum.update(bytes);
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        self.file
            .write_at(self.position, &[IoSlice::new(&self.gathered)])
            .map_err(|error| storage::error("write", self.path, &error))?;
        self.position += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }

    /// Adds a row to the present list.
    fn push(&mut self, row: u32, bits: &[u8], factors: RowFactors) -> Result<()> {
        let place = self.rows.len();
        let at = byte_of(place);
        for (column, byte) in self.codes.chunks_exact_mut(BLOCK_ROWS).zip(bits) {
            column[at] = *byte;
        }
        self.factors.add[place] = factors.add;
        self.factors.scale[place] = factors.scale;
        self.factors.error[Factors::error_at(place)] = factors.error;
        self.rows.push(row);
        if self.rows.len() == BLOCK_ROWS {
            self.end_block()?;
        }
        Ok(())
    }

    /// Ends the present list: the next row begins a block.
    fn end_list(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.end_block()
    }

    fn end_block(&mut self) -> Result<()> {
        self.rows.resize(BLOCK_ROWS, NO_ROW);
        let codes = std::mem::take(&mut self.codes);
        self.put(&codes)?;
        let factors = std::mem::replace(&mut self.factors, BlockFactors::ZERO);
        self.put(factors.bytes())?;
        let rows: Vec<u8> = self.rows.iter().flat_map(|row| row.to_le_bytes()).collect();
        self.put(&rows)?;
        self.rows.clear();
        self.codes = codes;
        self.codes.fill(0);
        Ok(())
    }
}

/// Where segments are made.
pub(crate) struct Workshop<'a> {
    pub(crate) io: &'a dyn Io,
    pub(crate) directory: &'a Path,
    pub(crate) mark: &'a [u8; 16],
    pub(crate) lists: usize,
    pub(crate) padded: usize,
}

impl Workshop<'_> {
    /// Writes a segment whose lists have `counts` rows and whose rows have these `homes`;
    /// `fill` pushes the rows, list by list. A file that is half made is removed.
    fn write(
        &self,
        extent: Extent,
        counts: Vec<u32>,
        homes: &Homes,
        fill: impl FnOnce(&mut Writer<'_>) -> Result<()>,
    ) -> Result<Segment> {
        let path = segment_path(self.directory, extent.number);
        let fail = |error| storage::error("write", &path, &error);
        // Left over from a try that could not remove it.
        if self.io.exists(&path).map_err(fail)? {
            self.io.remove(&path).map_err(fail)?;
        }
        let made = (|| {
            let mut writer = Writer {
                file: self.io.create(&path).map_err(fail)?,
                path: &path,
                position: HEADER_BYTES as u64,
                gathered: Vec::with_capacity(WRITE_BYTES + stride(self.padded)),
                sum: Xxh3::new(),
                padded: self.padded,
                codes: vec![0; self.padded / 8 * BLOCK_ROWS],
                factors: BlockFactors::ZERO,
                rows: Vec::with_capacity(BLOCK_ROWS),
            };
            // Only little-endian machines are built for.
            let counts_bytes: &[u8] = bytemuck::cast_slice(&counts);
            // No more at a time than there is room for.
            for bytes in std::iter::once(counts_bytes).chain(homes.parts()) {
                for part in bytes.chunks(stride(self.padded)) {
                    writer.put(part)?;
                }
            }
            let shape = homes.shape();
            let there = homes_offset(counts.len()) + shape.bytes() as usize;
            let gap = blocks_offset(counts.len(), shape) - there;
            writer.put(&[0; 64][..gap])?;
            fill(&mut writer)?;
            writer.write()?;
            let Writer {
                file,
                sum,
                position,
                padded,
                ..
            } = writer;
            let mut header = [0; HEADER_BYTES];
            header[..CHECKED_BYTES - 8].copy_from_slice(&encode(
                self.mark,
                extent,
                counts.len(),
                padded,
                shape,
            ));
            header[CHECKED_BYTES - 8..CHECKED_BYTES].copy_from_slice(&sum.digest().to_le_bytes());
            let header_sum = xxh3_64(&header[..CHECKED_BYTES]);
            header[CHECKED_BYTES..].copy_from_slice(&header_sum.to_le_bytes());
            file.write_at(0, &[IoSlice::new(&header)]).map_err(fail)?;
            file.sync_data().map_err(fail)?;
            self.io.sync_directory(self.directory).map_err(fail)?;
            file.settle(position).map_err(fail)?;
            let map = file.map(position).map_err(fail)?;
            Ok(Segment::new(
                extent,
                path.clone(),
                file,
                map,
                padded,
                shape,
                counts,
            ))
        })();
        if made.is_err() {
            let _half_made = self.io.remove(&path);
        }
        made
    }

    /// Makes a segment of rows that were coded for its epoch, in parts of at most 65,536 rows.
    pub(crate) fn build(&self, extent: Extent, coded: &[CodedRows]) -> Result<Segment> {
        let rows: usize = coded.iter().map(|part| part.rows.len()).sum();
        let mut counts = vec![0_u32; self.lists];
        let mut homes = Homes::new(extent.rows());
        for (row, list) in coded
            .iter()
            .flat_map(|part| part.rows.iter().zip(&part.lists))
        {
            counts[usize::from(*list)] += 1;
            homes.put(row - extent.first_row, *list);
        }
        // Counting sort: it leaves the rows of a list in order.
        let mut next = vec![0_u32; self.lists];
        let mut sum = 0;
        for (next, count) in next.iter_mut().zip(&counts) {
            *next = sum;
            sum += count;
        }
        // A part in the upper half, a row of it in the lower.
        let mut order = Huge::zeros(rows);
        for (number, part) in coded.iter().enumerate() {
            for (position, list) in part.lists.iter().enumerate() {
                let next = &mut next[usize::from(*list)];
                order[*next as usize] = (number << 16 | position) as u32;
                *next += 1;
            }
        }
        let sizes = counts.clone();
        self.write(extent, counts, &homes, |writer| {
            let mut order = order.iter().copied();
            let width = self.padded / 8;
            for size in sizes {
                for position in order.by_ref().take(size as usize) {
                    let (part, position) = (&coded[(position >> 16) as usize], position as u16);
                    let position = usize::from(position);
                    let bits = &part.bits[position * width..][..width];
                    writer.push(part.rows[position], bits, part.factors[position])?;
                }
                writer.end_list()?;
            }
            Ok(())
        })
    }

    /// Makes one segment of several of one epoch that follow on each other, without the rows
    /// that are dead in `view`. Before each list `check` says whether to go on.
    pub(crate) fn merge(
        &self,
        number: u64,
        parts: &[Arc<Segment>],
        view: &View,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<Segment> {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Err(nearfield_model::Error::internal("no segments to merge"));
        };
        let extent = Extent {
            number,
            epoch: first.extent.epoch,
            first_row: first.extent.first_row,
            end_row: last.extent.end_row,
        };
        let mut counts = vec![0_u32; self.lists];
        let mut homes = Homes::new(extent.rows());
        for part in parts {
            let live = view.live_rows(part.extent.first_row);
            for row in live.take_while(|row| *row < part.extent.end_row) {
                if let Some(list) = part.home(row) {
                    counts[usize::from(list)] += 1;
                    homes.put(row - extent.first_row, list);
                }
            }
        }
        let width = self.padded / 8;
        self.write(extent, counts, &homes, |writer| {
            let mut bits = vec![0; width];
            for list in 0..self.lists {
                check()?;
                for block in parts.iter().flat_map(|part| part.list(list)) {
                    for place in 0..block.len() {
                        let row = block.row(place);
                        if !view.is_live(row) {
                            continue;
                        }
                        let at = byte_of(place);
                        for (bits, line) in bits.iter_mut().zip(block.codes.codes) {
                            *bits = line.0[at];
                        }
                        let factors = block.codes.factors;
                        let factors = RowFactors {
                            add: factors.add[place],
                            scale: factors.scale[place],
                            error: factors.error[Factors::error_at(place)],
                        };
                        writer.push(row, &bits, factors)?;
                    }
                }
                writer.end_list()?;
            }
            Ok(())
        })
    }
}
