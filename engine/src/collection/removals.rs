//! What a compaction must not forget: rows that are dead because of what it drops. A row that a
//! later row of its id replaced, which was deleted in turn, is dead only as long as the log still
//! has that later row, or lists the older one as removed.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use nearfield_model::Result;

use super::Collection;
use super::compact::records;
use super::wear::dead_rows;
use crate::log::file::{LogFile, RecordPlace};
use crate::log::record::Header;
use crate::points::View;
use crate::points::id_map::hash;

/// The numbers of files that are rewritten or removed together.
pub(super) type Taken = BTreeSet<u64>;

/// Rows that records have to remove from now on, as they lose the rows that had replaced those.
#[derive(Default)]
pub(super) struct Removals {
    /// A row that is dropped, and an older one of its id that stays in another file; in order.
    pairs: Vec<(u32, u32)>,
    /// The files whose dead rows are dropped.
    pub(super) taken: Taken,
}

impl Removals {
    /// Bytes that they may take.
    pub(super) fn bytes(&self) -> u64 {
        self.pairs.len() as u64 * 4
    }

    /// Those that the rows from `first` to `end` had replaced.
    fn between(&self, first: u32, end: u32) -> impl Iterator<Item = u32> {
        let from = self.pairs.partition_point(|(dropped, _)| *dropped < first);
        let pairs = self.pairs[from..].iter();
        pairs
            .take_while(move |(dropped, _)| *dropped < end)
            .map(|(_, older)| *older)
    }

    /// Whether a file has rows that had replaced some.
    pub(super) fn are_due_in(&self, file: &LogFile) -> bool {
        file.records().any(|place| {
            let end = place.first_row + place.rows;
            self.between(place.first_row, end).next().is_some()
        })
    }

    /// The rows that a record has to remove, as its row list says it: those that it did and that
    /// are still in the log, and those that the rows it loses had replaced.
    pub(super) fn kept(
        &self,
        view: &View,
        file: &LogFile,
        offset: u64,
        record: &Header,
    ) -> Result<Vec<u8>> {
        let place = RecordPlace::new(offset, record, false);
        let mut list = Vec::new();
        for row in file.removed(&place, record)? {
            if is_stored(view, file, row, &self.taken)? {
                list.extend_from_slice(&row.to_le_bytes());
            }
        }
        for row in self.between(record.first_row, record.first_row + record.rows) {
            list.extend_from_slice(&row.to_le_bytes());
        }
        Ok(list)
    }
}

impl Collection {
    /// What the files that are taken have to remove from now on: the dead rows before them in files
    /// that stay, if their ids have a row that is dropped and none that is live.
    pub(super) fn removals(&self, view: &View, taken: Taken) -> Result<Removals> {
        // By a part of the hash of their id, the last row first. Different ids with one hash cost
        // a few entries too many.
        let mut dropped: Vec<(u32, Reverse<u32>)> = Vec::new();
        let files = view.files.iter();
        for file in files.filter(|file| taken.contains(&file.header.number)) {
            self.visit_dead(view, file, &mut |row, hash| {
                dropped.push((hash as u32, Reverse(row)));
            });
        }
        dropped.sort_unstable();
        dropped.dedup_by_key(|(hash, _)| *hash);
        let mut found = Vec::new();
        let last = taken.last().copied().unwrap_or(0);
        let files = view.files.iter();
        let stay = files.filter(|file| file.header.number < last);
        for file in stay.filter(|file| !taken.contains(&file.header.number)) {
            self.visit_dead(view, file, &mut |row, hash| {
                let at = dropped.partition_point(|(other, _)| *other < hash as u32);
                if let Some((other, Reverse(later))) = dropped.get(at)
                    && *other == hash as u32
                    && *later > row
                {
                    found.push((*later, row, hash));
                }
            });
        }
        let mut pairs = Vec::with_capacity(found.len());
        for (later, row, hash) in found {
            if !self.has_live_row(view, row, hash)? {
                pairs.push((later, row));
            }
        }
        pairs.sort_unstable();
        Ok(Removals { pairs, taken })
    }

    /// Hands the dead rows that a file stores and the hashes of their ids to `visit`. Records that
    /// are damaged are passed over: a log that has one is not replayed.
    fn visit_dead(&self, view: &View, file: &LogFile, visit: &mut dyn FnMut(u32, u64)) {
        if dead_rows(view, file) == 0 {
            return;
        }
        for place in file.records() {
            let end = place.first_row + place.rows;
            if view.live_between(place.first_row, end) == place.stored {
                continue;
            }
            let _damaged = file.visit_ids(place, &mut |row, id| {
                if !view.is_live(row) {
                    visit(row, hash(self.seed, id));
                }
            });
        }
    }

    /// Whether the id of a row, which has this hash, is the id of a point: its row replaces all
    /// that are older.
    fn has_live_row(&self, view: &View, row: u32, hash: u64) -> Result<bool> {
        let (candidates, newest) = {
            let ids = self.ids();
            (ids.candidates(hash).collect::<Vec<u32>>(), self.view())
        };
        let id = view.id(row)?;
        for candidate in candidates {
            if newest.id(candidate)? == id {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether no record of a file without live rows has to remove any, of those that it lists.
pub(super) fn is_needless(view: &View, file: &LogFile, taken: &Taken) -> Result<bool> {
    for record in records(file) {
        let (offset, record) = record?;
        let place = RecordPlace::new(offset, &record, false);
        for row in file.removed(&place, &record)? {
            if is_stored(view, file, row, taken)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether the log still has a row that a record of `file` removes, once files are taken.
fn is_stored(view: &View, file: &LogFile, row: u32, taken: &Taken) -> Result<bool> {
    let Ok((holder, _)) = view.place(row) else {
        return Ok(false);
    };
    // Of files that are rewritten only live rows are left.
    let number = holder.header.number;
    let is_taken = number == file.header.number || taken.contains(&number);
    Ok(!is_taken && view.id(row)?.is_some())
}
