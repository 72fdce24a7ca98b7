//! A sorted column of keys: the index of a field with many distinct values.

use std::sync::Arc;

use roaring::RoaringBitmap;

/// Entries that are kept unsorted before they become a run.
const BUFFER_ENTRIES: usize = 1 << 10;
/// Runs of this many entries are not merged any more, so that a merge never needs much memory.
const RUN_ENTRIES_MAX: usize = 1 << 16;

/// A value's key, its tag and its row; 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Orders like the value; values that differ may share it.
    pub(crate) key: u64,
    /// Tells values of one key apart, mostly.
    pub(crate) tag: u32,
    /// The row that has the value.
    pub(crate) row: u32,
}

/// Entries in sorted runs whose sizes grow like the digits of a binary counter. A clone shares
/// the runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    buffer: Vec<Entry>,
    runs: Vec<Arc<[Entry]>>,
}

impl Column {
    pub(crate) fn push(&mut self, entry: Entry) {
        self.buffer.push(entry);
        if self.buffer.len() >= BUFFER_ENTRIES {
            let mut run = std::mem::take(&mut self.buffer);
            run.sort_unstable();
            self.add_run(run.into());
        }
    }

    fn add_run(&mut self, mut run: Arc<[Entry]>) {
        while run.len() < RUN_ENTRIES_MAX
            && self.runs.last().is_some_and(|last| last.len() <= run.len())
        {
            let Some(last) = self.runs.pop() else { break };
            run = merge(&last, &run);
        }
        self.runs.push(run);
    }

    /// The entries whose keys lie in `keys`, in no order.
    pub(crate) fn range(
        &self,
        keys: std::ops::RangeInclusive<u64>,
    ) -> impl Iterator<Item = &Entry> {
        let sorted = self.runs.iter().flat_map({
            let keys = keys.clone();
            move |run| {
                let start = run.partition_point(|entry| entry.key < *keys.start());
                let end = run.partition_point(|entry| entry.key <= *keys.end());
                run.get(start..end).unwrap_or_default().iter()
            }
        });
        sorted.chain(
            self.buffer
                .iter()
                .filter(move |entry| keys.contains(&entry.key)),
        )
    }

    /// All entries, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.runs
            .iter()
            .flat_map(|run| run.iter())
            .chain(&self.buffer)
    }

    /// Leaves out the entries of rows. Runs that shrink are joined again.
    pub(crate) fn forget(&mut self, dead: &RoaringBitmap) {
        self.buffer.retain(|entry| !dead.contains(entry.row));
        for run in std::mem::take(&mut self.runs) {
            let left = run.iter().filter(|entry| !dead.contains(entry.row));
            let left: Arc<[Entry]> = left.copied().collect();
            if !left.is_empty() {
                self.add_run(left);
            }
        }
    }

    /// Bytes that the column takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.runs
            .iter()
            .map(|run| size_of_val(&**run))
            .sum::<usize>()
            + self.buffer.capacity() * size_of::<Entry>()
    }

    /// A column of these entries; sorted ones cost least.
    pub(crate) fn from_entries(entries: Vec<Entry>) -> Column {
        let mut column = Column::default();
        for part in entries.chunks(RUN_ENTRIES_MAX) {
            let mut run = part.to_vec();
            run.sort_unstable();
            column.runs.push(run.into());
        }
        column
    }
}

fn merge(left: &[Entry], right: &[Entry]) -> Arc<[Entry]> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if a <= b { left.next() } else { right.next() };
        merged.extend(next.copied());
    }
    merged.extend(left.chain(right).copied());
    merged.into()
}
