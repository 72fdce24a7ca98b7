//! The index of one metadata field: a bitmap per value while there are few, sorted columns
//! when there are many.

use std::collections::BTreeMap;

use nearfield_model::filter::{Bound, Range, Test};
use nearfield_model::{Number, Time, Value, ValueRef};
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use super::column::{Column, Entry};

/// Distinct values up to which a field is kept as bitmaps.
pub(crate) const BITMAP_VALUES_MAX: usize = 1_000;

/// The rows that pass a test: surely those of `lower`, at most those of `upper`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) lower: RoaringBitmap,
    pub(crate) upper: RoaringBitmap,
}

impl Bounds {
    pub(crate) fn exact(rows: RoaringBitmap) -> Bounds {
        Bounds {
            lower: rows.clone(),
            upper: rows,
        }
    }
}

/// The index of one field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    /// The rows that have a value here.
    pub(crate) rows: RoaringBitmap,
    pub(crate) values: Values,
}

/// Which row has which value.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// Few distinct values.
    Few(BTreeMap<Value, RoaringBitmap>),
    /// Many.
    Many(Box<Columns>),
}

/// A sorted column per kind of value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub(crate) bools: [RoaringBitmap; 2],
    /// Keys order like the numbers; the tag is 1 where the key was rounded.
    pub(crate) numbers: Column,
    /// Keys are the first 8 bytes; the tag is a hash of the whole.
    pub(crate) strings: Column,
    /// Strings that are times. Keys order like the times; the tag is a hash of the text.
    pub(crate) times: Column,
}

impl Default for Values {
    fn default() -> Self {
        Values::Few(BTreeMap::new())
    }
}

impl Field {
    /// Notes that `row` has `value`; rows come in ascending order.
    pub(crate) fn insert(&mut self, row: u32, value: ValueRef<'_>) {
        self.rows.insert(row);
        match &mut self.values {
            Values::Few(bitmaps) => {
                // A value's text is copied only when it is new.
                if let Some(rows) = bitmaps.get_mut(&value.to_value()) {
                    rows.insert(row);
                } else {
                    bitmaps.insert(value.to_value(), RoaringBitmap::from([row]));
                    if bitmaps.len() > BITMAP_VALUES_MAX {
                        let columns = Columns::from_bitmaps(bitmaps);
                        self.values = Values::Many(Box::new(columns));
                    }
                }
            }
            Values::Many(columns) => columns.insert(row, value),
        }
    }

    /// Leaves out rows.
    pub(crate) fn forget(&mut self, dead: &RoaringBitmap) {
        self.rows -= dead;
        match &mut self.values {
            Values::Few(bitmaps) => bitmaps.retain(|_, rows| {
                *rows -= dead;
                !rows.is_empty()
            }),
            Values::Many(columns) => {
                columns.bools.iter_mut().for_each(|rows| *rows -= dead);
                for column in [
                    &mut columns.numbers,
                    &mut columns.strings,
                    &mut columns.times,
                ] {
                    column.forget(dead);
                }
            }
        }
    }

    /// Distinct values, if they are few.
    pub(crate) fn distinct(&self) -> Option<usize> {
        match &self.values {
            Values::Few(bitmaps) => Some(bitmaps.len()),
            Values::Many(_) => None,
        }
    }

    /// The rows that pass a test other than `exists`.
    pub(crate) fn evaluate(&self, test: &Test) -> Bounds {
        match &self.values {
            Values::Few(bitmaps) => Bounds::exact(match test {
                Test::Eq(value) => bitmaps.get(value).cloned().unwrap_or_default(),
                Test::In(values) => union(values.iter().filter_map(|value| bitmaps.get(value))),
                test => union(
                    bitmaps
                        .iter()
                        .filter(|(value, _)| test.matches(value.as_ref()))
                        .map(|(_, rows)| rows),
                ),
            }),
            Values::Many(columns) => columns.evaluate(test),
        }
    }

    /// Bytes that the index takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.rows.serialized_size()
            + match &self.values {
                Values::Few(bitmaps) => bitmaps
                    .values()
                    .map(|rows| rows.serialized_size() + 64)
                    .sum::<usize>(),
                Values::Many(columns) => {
                    columns.numbers.memory_bytes()
                        + columns.strings.memory_bytes()
                        + columns.times.memory_bytes()
                }
            }
    }
}

fn union<'a>(bitmaps: impl Iterator<Item = &'a RoaringBitmap>) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    bitmaps.for_each(|rows| all |= rows);
    all
}

impl Columns {
    fn from_bitmaps(bitmaps: &BTreeMap<Value, RoaringBitmap>) -> Columns {
        let mut columns = Columns::default();
        for (value, rows) in bitmaps {
            rows.iter()
                .for_each(|row| columns.insert(row, value.as_ref()));
        }
        columns
    }

    fn insert(&mut self, row: u32, value: ValueRef<'_>) {
        match value {
            ValueRef::Bool(flag) => {
                self.bools[usize::from(flag)].insert(row);
            }
            ValueRef::Number(number) => {
                let (key, tag) = number_key(number);
                self.numbers.push(Entry { key, tag, row });
            }
            ValueRef::String(text) => {
                let tag = text_tag(text);
                match Time::parse(text) {
                    Some(time) => self.times.push(Entry {
                        key: time_key(time),
                        tag,
                        row,
                    }),
                    None => self.strings.push(Entry {
                        key: text_key(text),
                        tag,
                        row,
                    }),
                }
            }
        }
    }

    fn evaluate(&self, test: &Test) -> Bounds {
        match test {
            Test::Eq(value) => self.equal(value.as_ref()),
            Test::In(values) => {
                let mut bounds = Bounds::default();
                for value in values {
                    let one = self.equal(value.as_ref());
                    bounds.lower |= one.lower;
                    bounds.upper |= one.upper;
                }
                bounds
            }
            Test::Range(range) => self.range(range),
            Test::Prefix(prefix) => self.prefix(prefix),
            Test::Exists => Bounds::default(),
        }
    }

    fn equal(&self, value: ValueRef<'_>) -> Bounds {
        match value {
            ValueRef::Bool(flag) => Bounds::exact(self.bools[usize::from(flag)].clone()),
            ValueRef::Number(number) => {
                let (key, tag) = number_key(number);
                let entries = || self.numbers.range(key..=key);
                Bounds {
                    lower: rows(entries().filter(|entry| tag == 0 && entry.tag == 0)),
                    upper: rows(entries().filter(|entry| entry.tag == tag)),
                }
            }
            ValueRef::String(text) => {
                let tag = text_tag(text);
                let entries = match Time::parse(text).map(time_key) {
                    Some(key) => rows(self.times.range(key..=key).filter(|entry| entry.tag == tag)),
                    None => {
                        let key = text_key(text);
                        rows(
                            self.strings
                                .range(key..=key)
                                .filter(|entry| entry.tag == tag),
                        )
                    }
                };
                Bounds {
                    lower: RoaringBitmap::new(),
                    upper: entries,
                }
            }
        }
    }

    fn range(&self, range: &Range) -> Bounds {
        let bounds = [&range.gt, &range.gte, &range.lt, &range.lte];
        let is_time = bounds
            .iter()
            .any(|bound| matches!(bound, Some(Bound::Time { .. })));
        let (column, key): (_, fn(&Bound) -> u64) = if is_time {
            (&self.times, |bound| match bound {
                Bound::Time { time, .. } => time_key(*time),
                Bound::Number(_) => 0,
            })
        } else {
            (&self.numbers, |bound| match bound {
                Bound::Number(number) => number_key(*number).0,
                Bound::Time { .. } => 0,
            })
        };
        let low = [&range.gt, &range.gte].into_iter().flatten().map(key).max();
        let high = [&range.lt, &range.lte].into_iter().flatten().map(key).min();
        let outer = low.unwrap_or(0)..=high.unwrap_or(u64::MAX);
        // A row at the very bound may lie on either side of it: it is looked at again.
        let inner = low.map_or(0, |low| low.saturating_add(1))
            ..=high.map_or(u64::MAX, |high| high.saturating_sub(1));
        let inner = if inner.is_empty() {
            RoaringBitmap::new()
        } else {
            rows(column.range(inner))
        };
        Bounds {
            lower: inner,
            upper: rows(column.range(outer)),
        }
    }

    fn prefix(&self, prefix: &str) -> Bounds {
        let first = text_key(prefix);
        let given = prefix.len().min(8) as u32;
        let rest = u64::MAX.checked_shr(8 * given).unwrap_or(0);
        let mut upper = rows(self.strings.range(first..=first | rest));
        upper |= rows(self.times.iter());
        Bounds {
            lower: RoaringBitmap::new(),
            upper,
        }
    }
}

fn rows<'a>(entries: impl Iterator<Item = &'a Entry>) -> RoaringBitmap {
    let mut rows: Vec<u32> = entries.map(|entry| entry.row).collect();
    rows.sort_unstable();
    rows.into_iter().collect()
}

/// A key that orders like the number, and 1 if it stands for the number only about.
fn number_key(number: Number) -> (u64, u32) {
    let rounded = number.to_f64();
    let exact = Number::from_f64(rounded) == Some(number);
    // Zero has two representations that are one number.
    let bits = (rounded + 0.0).to_bits();
    let key = if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    };
    (key, u32::from(!exact))
}

fn time_key(time: Time) -> u64 {
    (time.0 as u64) ^ (1 << 63)
}

fn text_key(text: &str) -> u64 {
    let mut first = [0; 8];
    let taken = text.len().min(8);
    first[..taken].copy_from_slice(&text.as_bytes()[..taken]);
    u64::from_be_bytes(first)
}

fn text_tag(text: &str) -> u32 {
    xxh3_64(text.as_bytes()) as u32
}
