//! What a file's last sync left unsaid: every sector and length since then.
use super::super::File;
use super::super::descriptor::Descriptor;
use super::fate::Fate;
use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSlice, Result};
use std::sync::Arc;

/// The bytes that a disk writes in one piece.
pub(super) const SECTOR: u64 = 512;

/// Where files end at the latest, as on Linux.
const FILE_BYTES_MAX: u64 = i64::MAX as u64;

/// The place of a change in the order of all changes to the disk.
pub(super) type Stamp = u64;

type Sector = Box<[u8; SECTOR as usize]>;

/// How many changes of one sector are remembered; of more, the oldest are forgotten.
const CHANGES_MAX: usize = 8;

/// A file with the journal of its changes.
#[derive(Debug)]
pub(super) struct Journaled {
    /// What the running system sees.
    pub(super) content: Arc<Descriptor>,
    lengths: History<u64>,
    sectors: BTreeMap<u64, History<Sector>>,
}

impl Journaled {
    /// A file of which everything is durable.
    pub(super) fn new(content: Arc<Descriptor>) -> Result<Journaled> {
        let lengths = History::new(content.len()?);
        Ok(Journaled {
            content,
            lengths,
            sectors: BTreeMap::new(),
        })
    }

    /// The same file with the same journal, apart from this one.
    pub(super) fn copy(&self) -> Result<Journaled> {
        Ok(Journaled {
            content: Arc::new(self.content.copy()?),
            lengths: self.lengths.clone(),
            sectors: self.sectors.clone(),
        })
    }

    /// Writes, and notes what the sectors and the length were and became.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], clock: &mut Stamp) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset
            .checked_add(bytes.len() as u64)
            .filter(|&end| end <= FILE_BYTES_MAX);
        let range = (offset, end.ok_or(ErrorKind::FileTooLarge)?);
        let before = self.sectors_of(range)?;
        self.content.write_at(offset, &[IoSlice::new(bytes)])?;
        self.note(range, before, clock)
    }

    /// Cuts or extends, and notes it.
    pub(super) fn set_len(&mut self, len: u64, clock: &mut Stamp) -> Result<()> {
        // What is cut reads as zeros if the file grows again, so a cut is a write of zeros.
        let mut cut = Vec::new();
        for (start, end) in self.content.extents(len)? {
            cut.push(((start, end), self.sectors_of((start, end))?));
        }
        self.content.set_len(len)?;
        for (range, before) in cut {
            self.note(range, before, clock)?;
        }
        self.note_len(clock)
    }

    /// Makes durable what was changed since the last sync, be it one that failed.
    pub(super) fn sync(&mut self) {
        self.lengths.sync();
        self.sectors.retain(|_, sector| !sector.sync());
    }

    /// Forgets what was changed, as Linux does when it cannot write a page back: it stays
    /// visible, but no later sync writes it, unless it is changed again.
    pub(super) fn fail_sync(&mut self) {
        self.lengths.abandon();
        self.sectors.values_mut().for_each(History::abandon);
    }

    /// Puts bytes on the disk behind the system's back; durable at once.
    pub(super) fn corrupt(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.content.overwrite(offset, bytes)?;
        let end = offset + bytes.len() as u64;
        self.sectors
            .retain(|&sector, _| (sector + 1) * SECTOR <= offset || sector * SECTOR >= end);
        self.lengths = History::new(self.content.len()?);
        Ok(())
    }

    /// Cuts or extends the file behind the system's back; durable at once.
    pub(super) fn corrupt_len(&mut self, len: u64) -> Result<()> {
        self.content.force_len(len)?;
        self.sectors.retain(|&sector, _| sector * SECTOR < len);
        self.lengths = History::new(len);
        Ok(())
    }

    /// The oldest change that is not durable.
    pub(super) fn oldest(&self) -> Option<Stamp> {
        let sectors = self.sectors.values().filter_map(History::oldest).min();
        sectors.into_iter().chain(self.lengths.oldest()).min()
    }

    /// The file as the disk has it after a power loss.
    pub(super) fn survivor(&self, fate: &mut Fate) -> Result<Descriptor> {
        let survivor = self.content.copy()?;
        for (&number, history) in &self.sectors {
            let (kept, next) = history.survivor(fate);
            let mut sector = kept.clone();
            if let (Some(next), Some(torn)) = (next, fate.tears()) {
                sector[..torn].copy_from_slice(&next[..torn]);
            }
            survivor.overwrite(number * SECTOR, &sector[..])?;
        }
        let (&len, _) = self.lengths.survivor(fate);
        survivor.force_len(len)?;
        Ok(survivor)
    }

    /// Notes what the sectors of a range became, given what they were before.
    fn note(&mut self, range: (u64, u64), before: Vec<Sector>, clock: &mut Stamp) -> Result<()> {
        let after = self.sectors_of(range)?;
        for (number, (before, after)) in (range.0 / SECTOR..).zip(before.into_iter().zip(after)) {
            let history = self
                .sectors
                .entry(number)
                .or_insert_with(|| History::new(before));
            *clock += 1;
            history.change(*clock, after);
        }
        self.note_len(clock)
    }

    fn note_len(&mut self, clock: &mut Stamp) -> Result<()> {
        let len = self.content.len()?;
        if len != *self.lengths.latest() {
            *clock += 1;
            self.lengths.change(*clock, len);
        }
        // A length whose sync failed is written with whatever is written next.
        self.lengths.revive();
        Ok(())
    }

    /// The sectors that a range of bytes touches, with zeros past the file's end.
    fn sectors_of(&self, (start, end): (u64, u64)) -> Result<Vec<Sector>> {
        let first = start / SECTOR * SECTOR;
        let last = end.div_ceil(SECTOR) * SECTOR;
        let present = self.content.len()?.clamp(first, last);
        let mut bytes = vec![0; (last - first) as usize];
        self.content
            .read_at(first, &mut bytes[..(present - first) as usize])?;
        Ok(bytes.chunks_exact(SECTOR as usize).map(boxed).collect())
    }
}

fn boxed(bytes: &[u8]) -> Sector {
    let mut sector = Box::new([0; SECTOR as usize]);
    sector.copy_from_slice(bytes);
    sector
}

/// A value on the disk: what is durable, and what it was changed to since.
#[derive(Clone, Debug)]
struct History<T> {
    durable: T,
    changes: Vec<(Stamp, T)>,
    /// Whether the next sync will write the latest change.
    dirty: bool,
}

impl<T> History<T> {
    fn new(durable: T) -> History<T> {
        History {
            durable,
            changes: Vec::new(),
            dirty: false,
        }
    }

    fn change(&mut self, stamp: Stamp, value: T) {
        if self.changes.len() == CHANGES_MAX {
            self.changes.remove(0);
        }
        self.changes.push((stamp, value));
        self.dirty = true;
    }

    /// Makes the latest change durable if it is dirty; tells whether all is durable.
    fn sync(&mut self) -> bool {
        if self.dirty {
            self.dirty = false;
            if let Some((_, value)) = self.changes.drain(..).next_back() {
                self.durable = value;
            }
        }
        self.changes.is_empty()
    }

    fn abandon(&mut self) {
        self.dirty = false;
    }

    fn revive(&mut self) {
        self.dirty = !self.changes.is_empty();
    }

    fn latest(&self) -> &T {
        self.changes
            .last()
            .map_or(&self.durable, |(_, value)| value)
    }

    fn oldest(&self) -> Option<Stamp> {
        self.changes.first().map(|&(stamp, _)| stamp)
    }

    /// What is left of it, and the change after that one, if any.
    fn survivor(&self, fate: &mut Fate) -> (&T, Option<&T>) {
        let mut next = None;
        for (stamp, value) in self.changes.iter().rev() {
            if fate.spares(*stamp) {
                return (value, next);
            }
            next = Some(value);
        }
        (&self.durable, next)
    }
}
