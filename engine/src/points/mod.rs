//! Points: from an id to its row, and from a row to its id, vector and metadata in the log.

pub(crate) mod id_map;
pub(crate) mod tombstones;

use std::sync::Arc;

use nearfield_model::{Error, IdRef, Result};

use crate::log::file::{LogFile, RecordPlace};
use crate::storage::Schema;
use tombstones::{BLOCK_ROWS, Tombstones};

/// Rows that are fetched from memory together.
const FETCH_ROWS: usize = 8;

/// A consistent view of a collection. It never changes; each write makes another.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The last write that it holds.
    pub(crate) sequence: u64,
    /// Row numbers given so far, dead ones included.
    pub(crate) rows: u32,
    /// Which of them are dead.
    pub(crate) tombstones: Tombstones,
    /// The files of the log, in order.
    pub(crate) files: Arc<Vec<Arc<LogFile>>>,
}

impl View {
    /// The points there are.
    pub(crate) fn count(&self) -> u64 {
        u64::from(self.rows) - self.tombstones.len()
    }

    /// Whether a row is part of this view and not dead.
    pub(crate) fn is_live(&self, row: u32) -> bool {
        row < self.rows && !self.tombstones.contains(row)
    }

    /// The live rows among the 64 from `first` on, a multiple of 64, lowest bit first.
    #[inline]
    pub(crate) fn live_word(&self, first: u32) -> u64 {
        let inside = match self.rows.saturating_sub(first) {
            0 => 0,
            rows @ 1..64 => (1 << rows) - 1,
            _ => u64::MAX,
        };
        inside & !self.tombstones.word(first)
    }

    /// How many rows from `first` to `end`, exclusive, are live.
    pub(crate) fn live_between(&self, first: u32, end: u32) -> u32 {
        let end = end.min(self.rows);
        let words = self.live_words(first).take_while(|(base, _)| *base < end);
        words
            .map(|(base, mut word)| {
                if end - base < 64 {
                    word &= (1 << (end - base)) - 1;
                }
                word.count_ones()
            })
            .sum()
    }

    /// The live rows, in order, from `first` on.
    pub(crate) fn live_rows(&self, first: u32) -> impl Iterator<Item = u32> {
        let words = self.live_words(first);
        words.flat_map(|(base, word)| bits(word).map(move |bit| base + bit))
    }

    /// The live rows from `first` on, 64 at a time; blocks of dead rows are passed over.
    fn live_words(&self, first: u32) -> impl Iterator<Item = (u32, u64)> {
        let mut next = self.tombstones.behind_dead_blocks(first / 64 * 64);
        std::iter::from_fn(move || {
            if next.is_multiple_of(BLOCK_ROWS) {
                next = self.tombstones.behind_dead_blocks(next);
            }
            let base = next;
            next = next.saturating_add(64);
            (base < self.rows).then(|| {
                let word = self.live_word(base);
                let from = first.saturating_sub(base).min(63);
                (base, word & u64::MAX << from)
            })
        })
    }

    /// The file and record that a row is in.
    #[inline]
    pub(crate) fn place(&self, row: u32) -> Result<(&LogFile, &RecordPlace)> {
        let behind = self
            .files
            .partition_point(|file| file.header.first_row <= row);
        // Files without rows share their first row with the next.
        let before = self.files[..behind].iter().rev();
        let first_row = before.clone().next().map(|file| file.header.first_row);
        let file = before
            .take_while(|file| Some(file.header.first_row) == first_row)
            .find_map(|file| Some((&**file, file.find(row)?)));
        file.ok_or_else(|| Error::internal(format!("row {row} is in no file of the log")))
    }

    /// The id of a row; `None` if compaction took the row.
    pub(crate) fn id(&self, row: u32) -> Result<Option<IdRef<'_>>> {
        let (file, place) = self.place(row)?;
        file.id(place, row)
    }

    /// The id of a row that is live.
    pub(crate) fn live_id(&self, row: u32) -> Result<IdRef<'_>> {
        self.id(row)?
            .ok_or_else(|| Error::internal(format!("row {row} was compacted away")))
    }

    /// The metadata of a row, as JSON text, if it has any.
    pub(crate) fn metadata(&self, row: u32) -> Result<Option<&str>> {
        let (file, place) = self.place(row)?;
        file.metadata(place, row)
    }

    /// Hands the vectors and scales of rows to `visit`, one after the other; rows that
    /// compaction took are passed over. Rows in ascending order are found fastest.
    #[inline]
    pub(crate) fn visit_vectors(
        &self,
        schema: &Schema,
        rows: impl IntoIterator<Item = u32>,
        mut visit: impl FnMut(u32, &[f32], f32) -> Result<()>,
    ) -> Result<()> {
        let mut scratch = Vec::new();
        let mut rows = rows.into_iter();
        let mut last: Option<(&LogFile, &RecordPlace)> = None;
        loop {
            // Rows are fetched from memory some at a time, so that their delays overlap.
            let mut ahead: [Option<(u32, &LogFile, &RecordPlace)>; FETCH_ROWS] = [None; FETCH_ROWS];
            for (slot, row) in ahead.iter_mut().zip(rows.by_ref()) {
                let (file, place) = match last {
                    Some((file, place)) if row.wrapping_sub(place.first_row) < place.rows => {
                        (file, place)
                    }
                    _ => self.place(row)?,
                };
                last = Some((file, place));
                file.prefetch(place, row, schema);
                *slot = Some((row, file, place));
            }
            if ahead[0].is_none() {
                return Ok(());
            }
            for (row, file, place) in ahead.into_iter().flatten() {
                if let Some((vector, scale)) = file.vector(place, row, schema, &mut scratch)? {
                    visit(row, vector, scale)?;
                }
            }
        }
    }

    /// The vector of a live row, owned, and its scale.
    pub(crate) fn vector(&self, schema: &Schema, row: u32) -> Result<(Vec<f32>, f32)> {
        let mut found = None;
        self.visit_vectors(schema, [row], |_, vector, scale| {
            found = Some((vector.to_vec(), scale));
            Ok(())
        })?;
        found.ok_or_else(|| Error::internal(format!("row {row} was compacted away")))
    }
}

/// The positions of the bits that are set, lowest first.
pub(crate) fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let bit = word.trailing_zeros();
        word &= word - 1;
        Some(bit)
    })
}
