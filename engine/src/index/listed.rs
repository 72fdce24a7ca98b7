//! Rows by the list that they are in.

use roaring::RoaringBitmap;

use super::live::Live;
use super::segment::Segment;

/// Epoch by position among the live ones, list, row.
pub(crate) type ListedRow = (u8, u16, u32);

/// The rows that match a filter, by epoch and list, and those in no list.
#[derive(Debug)]
pub(crate) struct ListedRows {
    /// Sorted.
    pub(crate) listed: Vec<ListedRow>,
    pub(crate) unlisted: Vec<u32>,
    /// By epoch, whether a list has such rows.
    present: Vec<Box<[bool]>>,
}

impl ListedRows {
    /// Looks up the lists of rows.
    pub(crate) fn new(live: &Live, rows: &RoaringBitmap) -> ListedRows {
        let lists = live.epochs.iter().map(|epoch| epoch.model.lists());
        let mut present: Vec<Box<[bool]>> = lists.map(|lists| vec![false; lists].into()).collect();
        let mut listed = Vec::with_capacity(rows.len() as usize);
        let mut unlisted = Vec::new();
        let mut segments = live.segments.iter();
        let mut segment = segments.next();
        let epoch_of = |segment: &Segment| {
            let mut epochs = live.epochs.iter();
            epochs.position(|epoch| epoch.model.epoch == segment.extent.epoch)
        };
        let mut epoch = segment.and_then(|segment| epoch_of(segment));
        for row in rows {
            while segment.is_some_and(|segment| row >= segment.extent.end_row) {
                segment = segments.next();
                epoch = segment.and_then(|segment| epoch_of(segment));
            }
            match (segment.and_then(|segment| segment.home(row)), epoch) {
                (Some(list), Some(epoch)) => {
                    listed.push((epoch as u8, list, row));
                    if let Some(present) = present[epoch].get_mut(usize::from(list)) {
                        *present = true;
                    }
                }
                _ => unlisted.push(row),
            }
        }
        listed.sort_unstable();
        ListedRows {
            listed,
            unlisted,
            present,
        }
    }

    /// Whether a list of an epoch, by position among the live ones, has such rows.
    pub(crate) fn is_present(&self, epoch: usize, list: usize) -> bool {
        let lists = self.present.get(epoch);
        lists
            .and_then(|lists| lists.get(list))
            .is_some_and(|present| *present)
    }
}
