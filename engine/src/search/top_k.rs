//! The nearest few of many rows, ties by id.

use std::cmp::Ordering;

use nearfield_model::Result;

use crate::points::View;

/// A row and its key; the lower the key, the nearer. Keys are never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    pub(crate) key: f32,
    pub(crate) row: u32,
}

/// A bounded max-heap of the nearest rows seen so far.
#[derive(Debug)]
pub(crate) struct TopK<'v> {
    limit: usize,
    heap: Vec<Near>,
    view: &'v View,
}

impl<'v> TopK<'v> {
    pub(crate) fn new(limit: usize, view: &'v View) -> Self {
        TopK {
            limit,
            heap: Vec::with_capacity(limit.min(1_024)),
            view,
        }
    }

    /// How many rows are wanted.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// How many rows there are, up to the limit.
    pub(crate) fn count(&self) -> usize {
        self.heap.len()
    }

    /// The key that a row must not exceed to be among the nearest.
    #[inline]
    pub(crate) fn threshold(&self) -> f32 {
        if self.heap.len() < self.limit {
            f32::INFINITY
        } else {
            self.heap[0].key
        }
    }

    /// Takes a row, if it is among the nearest.
    #[inline]
    pub(crate) fn push(&mut self, key: f32, row: u32) -> Result<()> {
        let near = Near {
            key: if key.is_nan() { f32::INFINITY } else { key },
            row,
        };
        if self.heap.len() < self.limit {
            self.heap.push(near);
            return self.sift_up();
        }
        if near.key > self.heap[0].key || self.compare(&near, &self.heap[0])? != Ordering::Less {
            return Ok(());
        }
        self.heap[0] = near;
        self.sift_down()
    }

    fn compare(&self, a: &Near, b: &Near) -> Result<Ordering> {
        match a.key.total_cmp(&b.key) {
            Ordering::Equal => Ok(self.view.live_id(a.row)?.cmp(&self.view.live_id(b.row)?)),
            order => Ok(order),
        }
    }

    fn sift_up(&mut self) -> Result<()> {
        let mut at = self.heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.compare(&self.heap[at], &self.heap[parent])? != Ordering::Greater {
                break;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
        Ok(())
    }

    fn sift_down(&mut self) -> Result<()> {
        let mut at = 0;
        loop {
            let mut largest = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len()
                    && self.compare(&self.heap[child], &self.heap[largest])? == Ordering::Greater
                {
                    largest = child;
                }
            }
            if largest == at {
                return Ok(());
            }
            self.heap.swap(at, largest);
            at = largest;
        }
    }

    /// The nearest rows, nearest first.
    pub(crate) fn into_sorted(mut self) -> Result<Vec<Near>> {
        let mut sorted = std::mem::take(&mut self.heap);
        let mut failed = None;
        sorted.sort_by(|a, b| {
            self.compare(a, b).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                Ordering::Equal
            })
        });
        failed.map_or(Ok(sorted), Err)
    }
}
