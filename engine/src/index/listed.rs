//! Rows by the list that they are in.

use roaring::RoaringBitmap;

use super::live::Live;
use super::segment::Segment;

/// The rows that match a filter, by epoch and list.
#[derive(Debug)]
pub(crate) struct ListedRows {
    /// By epoch and then by list, ascending within a list.
    rows: Vec<u32>,
    /// By epoch, by position among the live ones: where each list's rows end.
    ends: Vec<Box<[u32]>>,
}

impl ListedRows {
    /// Looks up the lists of rows. Rows in no list are left out.
    pub(crate) fn new(live: &Live, rows: &RoaringBitmap) -> ListedRows {
        let lists = live.epochs.iter().map(|epoch| epoch.model.lists());
        let mut ends: Vec<Box<[u32]>> = lists.map(|lists| vec![0; lists].into()).collect();
        let homes = homes(live, rows);
        for (epoch, list, _) in &homes {
            ends[*epoch][*list] += 1;
        }
        let mut end = 0;
        for rows in ends.iter_mut().flatten() {
            // Where the list's rows begin; placing them moves it to their end.
            let count = std::mem::replace(rows, end);
            end += count;
        }
        let mut rows = vec![0; homes.len()];
        for (epoch, list, row) in homes {
            let place = &mut ends[epoch][list];
            rows[*place as usize] = row;
            *place += 1;
        }
        ListedRows { rows, ends }
    }

    /// The rows of a list of an epoch, by position among the live ones.
    #[inline]
    pub(crate) fn of(&self, epoch: usize, list: usize) -> &[u32] {
        let ends = &self.ends[epoch];
        let before = match (list.checked_sub(1), epoch.checked_sub(1)) {
            (Some(before), _) => ends[before],
            (None, Some(before)) => self.ends[before].last().copied().unwrap_or(0),
            (None, None) => 0,
        };
        &self.rows[before as usize..ends[list] as usize]
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let ends: usize = self.ends.iter().map(|ends| ends.len()).sum();
        (self.rows.len() + ends) * size_of::<u32>()
    }
}

/// The epoch, by position, and the list of each row that is in one.
fn homes(live: &Live, rows: &RoaringBitmap) -> Vec<(usize, usize, u32)> {
    let epoch_of = |segment: &Segment| {
        let mut epochs = live.epochs.iter();
        epochs.position(|epoch| epoch.model.epoch == segment.extent.epoch)
    };
    let mut homes = Vec::with_capacity(rows.len() as usize);
    for segment in &live.segments {
        let Some(epoch) = epoch_of(segment) else {
            continue;
        };
        let lists = live.epochs[epoch].model.lists();
        for row in rows.range(segment.extent.first_row..segment.extent.end_row) {
            if let Some(list) = segment.home(row).map(usize::from)
                && list < lists
            {
                homes.push((epoch, list, row));
            }
        }
    }
    homes
}
