//! From a filter expression to the rows that match it.

pub(crate) mod column;
pub(crate) mod field;
pub(crate) mod leaves;

use std::collections::BTreeMap;
use std::ops::Bound;

use nearfield_model::filter::{Condition, Matcher, Test};
use nearfield_model::limits::{FIELD_BYTES_MAX, FIELDS_MAX};
use nearfield_model::{Context, FieldDescription, Filter, Result};
use roaring::RoaringBitmap;

use crate::points::View;
use field::{Bounds, Field};
use leaves::Leaves;

/// The metadata index of a collection: a [`Field`] per dotted path.
///
/// It covers every row that was written, in ascending order, but for dead ones that a compaction
/// made it forget; readers leave out rows that are dead or not yet part of their view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) fields: BTreeMap<Box<str>, Field>,
    /// Paths that are stored and not indexed: by choice, or because there are too many.
    unindexed: BTreeMap<Box<str>, ()>,
    /// Some paths were not indexed and not noted either, for there are too many.
    pub(crate) overflowed: bool,
    /// Rows that were dead after this write may be left out, so the index decides nothing for
    /// views from before it.
    pub(crate) forgotten: u64,
}

/// Rows that are read from the log between two looks at the deadline.
const CHECK_ROWS: usize = 1_024;
/// Unindexed paths that are noted by name.
const UNINDEXED_NOTED_MAX: usize = 4 * FIELDS_MAX;

impl Fields {
    /// An empty index that leaves out these paths.
    pub(crate) fn without(unindexed: &[String]) -> Fields {
        let unindexed = unindexed
            .iter()
            .map(|path| (path.as_str().into(), ()))
            .collect();
        Fields {
            unindexed,
            ..Fields::default()
        }
    }

    /// Adds the scalars of a batch that begins at `first_row`.
    pub(crate) fn insert(&mut self, first_row: u32, leaves: &Leaves) {
        for (row, path, value) in leaves.iter() {
            if let Some(field) = self.field_mut(path) {
                field.insert(first_row + row, value);
            }
        }
    }

    fn field_mut(&mut self, path: &str) -> Option<&mut Field> {
        if !self.fields.contains_key(path) {
            if self.unindexed.contains_key(path) {
                return None;
            }
            if self.fields.len() >= FIELDS_MAX || path.len() > FIELD_BYTES_MAX {
                if self.unindexed.len() < UNINDEXED_NOTED_MAX && path.len() <= FIELD_BYTES_MAX {
                    self.unindexed.insert(path.into(), ());
                } else {
                    self.overflowed = true;
                }
                return None;
            }
            self.fields.insert(path.into(), Field::default());
        }
        self.fields.get_mut(path)
    }

    /// Leaves rows out of a field, and the field if none is left.
    pub(crate) fn forget(&mut self, path: &str, dead: &RoaringBitmap) {
        if let Some(field) = self.fields.get_mut(path) {
            field.forget(dead);
            if field.rows.is_empty() {
                self.fields.remove(path);
            }
        }
    }

    /// Whether rows may hold values at `path` that the index does not know of.
    fn is_blind(&self, path: &str) -> bool {
        self.unindexed.contains_key(path) || self.overflowed && !self.fields.contains_key(path)
    }

    fn is_blind_below(&self, path: &str) -> bool {
        self.overflowed || below(&self.unindexed, path).next().is_some()
    }

    /// The rows that a filter may match among `all`.
    fn bounds(&self, filter: &Filter, all: &RoaringBitmap) -> Bounds {
        match filter {
            Filter::All(filters) => {
                let mut bounds = Bounds::exact(all.clone());
                for filter in filters {
                    let one = self.bounds(filter, all);
                    bounds.lower &= one.lower;
                    bounds.upper &= one.upper;
                }
                bounds
            }
            Filter::Any(filters) => {
                let mut bounds = Bounds::default();
                for filter in filters {
                    let one = self.bounds(filter, all);
                    bounds.lower |= one.lower;
                    bounds.upper |= one.upper;
                }
                bounds
            }
            Filter::Not(filter) => {
                let inner = self.bounds(filter, all);
                Bounds {
                    lower: all - inner.upper,
                    upper: all - inner.lower,
                }
            }
            Filter::Condition(condition) => {
                let mut bounds = self.condition(condition, all);
                bounds.lower &= all;
                bounds.upper &= all;
                bounds
            }
        }
    }

    fn condition(
        &self,
        Condition { field: path, test }: &Condition,
        all: &RoaringBitmap,
    ) -> Bounds {
        if *test == Test::Exists {
            let mut rows = RoaringBitmap::new();
            if let Some(field) = self.fields.get(path.as_str()) {
                rows |= &field.rows;
            }
            below(&self.fields, path).for_each(|(_, field)| rows |= &field.rows);
            let blind = self.is_blind(path) || self.is_blind_below(path);
            let upper = if blind { all.clone() } else { rows.clone() };
            return Bounds { lower: rows, upper };
        }
        if self.is_blind(path) {
            return Bounds {
                lower: RoaringBitmap::new(),
                upper: all.clone(),
            };
        }
        self.fields
            .get(path.as_str())
            .map(|field| field.evaluate(test))
            .unwrap_or_default()
    }

    /// What is indexed, for people.
    pub(crate) fn describe(&self) -> Vec<FieldDescription> {
        self.fields
            .iter()
            .map(|(path, field)| FieldDescription {
                field: path.to_string(),
                rows: field.rows.len(),
                distinct: field.distinct().map(|count| count as u64),
            })
            .collect()
    }

    /// Bytes that the index of a field takes, about.
    pub(crate) fn memory_bytes(&self, path: &str) -> usize {
        self.fields.get(path).map_or(0, Field::memory_bytes)
    }

    /// The unindexed paths that are noted.
    pub(crate) fn unindexed(&self) -> impl Iterator<Item = &str> {
        self.unindexed.keys().map(|path| &**path)
    }
}

/// The entries whose path lies below `path`.
fn below<'m, V>(
    map: &'m BTreeMap<Box<str>, V>,
    parent: &'m str,
) -> impl Iterator<Item = (&'m Box<str>, &'m V)> {
    let prefix = format!("{parent}.");
    let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
    map.range::<str, _>(from).take_while(move |(path, _)| {
        path.strip_prefix(parent)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// What a filter selects before single rows are looked at.
#[derive(Debug)]
pub(crate) struct Selected {
    bounds: Bounds,
}

/// Asks the index which rows of `view` match `filter`. Quick; rows that the index cannot
/// decide are looked at by [`Selected::rows`].
pub(crate) fn select(fields: &Fields, view: &View, filter: &Filter) -> Selected {
    let mut all = RoaringBitmap::new();
    all.insert_range(0..view.rows);
    all -= view.tombstones.to_bitmap();
    let bounds = if view.sequence < fields.forgotten {
        Bounds {
            lower: RoaringBitmap::new(),
            upper: all,
        }
    } else {
        fields.bounds(filter, &all)
    };
    Selected { bounds }
}

impl Selected {
    /// The live rows that match; rows that the index cannot decide are read from the log.
    pub(crate) fn rows(
        self,
        context: &Context,
        view: &View,
        filter: &Filter,
    ) -> Result<RoaringBitmap> {
        let Bounds { mut lower, upper } = self.bounds;
        let doubtful = upper - &lower;
        let matcher = Matcher::new(filter);
        for (position, row) in doubtful.into_iter().enumerate() {
            if position % CHECK_ROWS == 0 {
                context.check()?;
            }
            if matcher.matches(view.metadata(row)?) {
                lower.insert(row);
            }
        }
        Ok(lower)
    }
}
