//! The rows that match a filter, in the forms that searches need, kept for the next search with
//! the same filter as long as nothing was written.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use nearfield_model::{Context, Filter, Result};
use roaring::RoaringBitmap;

use super::Collection;
use crate::filter::mask::Mask;
use crate::filter::select;
use crate::index::listed::ListedRows;
use crate::index::live::Live;
use crate::points::View;

/// Filters whose rows are kept, at most.
const KEPT_MAX: usize = 8;
/// Collections of more rows keep none: a bit per row and filter is too much.
const KEPT_ROWS_MAX: u32 = 1 << 26;

/// The live rows of one view that match one filter.
#[derive(Debug)]
pub(crate) struct Matching {
    filter: Filter,
    sequence: u64,
    pub(crate) rows: RoaringBitmap,
    view_rows: u32,
    mask: OnceLock<Mask>,
    listed: Mutex<Option<(Weak<Live>, Arc<ListedRows>)>>,
}

impl Matching {
    /// These live rows of a view match.
    pub(crate) fn new(filter: &Filter, view: &View, rows: RoaringBitmap) -> Matching {
        Matching {
            filter: filter.clone(),
            sequence: view.sequence,
            rows,
            view_rows: view.rows,
            mask: OnceLock::new(),
            listed: Mutex::new(None),
        }
    }

    /// How many rows match.
    pub(crate) fn count(&self) -> u64 {
        self.rows.len()
    }

    /// The rows as a bit each.
    pub(crate) fn mask(&self) -> &Mask {
        self.mask
            .get_or_init(|| Mask::new(&self.rows, self.view_rows))
    }

    /// The rows by list.
    pub(crate) fn listed(&self, live: &Arc<Live>) -> Arc<ListedRows> {
        let mut kept = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, listed)) if of.as_ptr() == Arc::as_ptr(live) => listed.clone(),
            _ => {
                let listed = Arc::new(ListedRows::new(live, &self.rows));
                *kept = Some((Arc::downgrade(live), listed.clone()));
                listed
            }
        }
    }
}

/// What the last few filters matched, the last first.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Vec<Arc<Matching>>>);

impl Recent {
    /// The rows of `view` that match `filter`.
    pub(crate) fn matching(
        &self,
        collection: &Collection,
        context: &Context,
        view: &View,
        filter: &Filter,
    ) -> Result<Arc<Matching>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |matching: &Arc<Matching>| {
            (matching.sequence, matching.view_rows) == (view.sequence, view.rows)
                && matching.filter == *filter
        };
        {
            let mut kept = lock();
            if let Some(at) = kept.iter().position(is_it) {
                kept[..=at].rotate_right(1);
                return Ok(kept[0].clone());
            }
        }
        let selected = select(&collection.fields(), view, filter);
        let rows = selected.rows(context, view, filter)?;
        let matching = Arc::new(Matching::new(filter, view, rows));
        let mut kept = lock();
        kept.retain(|other| other.sequence >= view.sequence && other.filter != *filter);
        kept.truncate(KEPT_MAX - 1);
        if view.rows <= KEPT_ROWS_MAX {
            kept.insert(0, matching.clone());
        }
        Ok(matching)
    }

    /// Bytes that are kept, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = |matching: &Arc<Matching>| {
            let listed = matching.listed.lock();
            let listed = listed.unwrap_or_else(PoisonError::into_inner);
            matching.rows.serialized_size()
                + listed
                    .as_ref()
                    .map_or(0, |(_, listed)| listed.memory_bytes())
                + matching.mask.get().map_or(0, |mask| mask.memory_bytes())
        };
        kept.iter().map(bytes).sum()
    }
}
