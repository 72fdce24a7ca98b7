//! A group in the making.
use super::cell::RowFactors;
use super::codes::CodeGroup;
use crate::kernel::{Factors, GROUP_ROWS, Line};

/// Rows that share a line of each column.
const BATCH: usize = 64;

/// A group that is being filled, row by row. Sign bits come row after row and are stored column by
/// column, so they wait here until there is a line of each: writing bytes of single rows would
/// touch as many cache lines as there are columns.
pub(super) struct Filling {
    group: CodeGroup,
    waiting: Vec<u8>,
}

impl Filling {
    /// An empty group of rotated vectors of `padded` components.
    pub(super) fn new(padded: usize) -> Self {
        Self {
            group: CodeGroup::zeroed(padded),
            waiting: vec![0; BATCH * padded / 8],
        }
    }

    /// Where the sign bits of the next row belong, eight dimensions per byte.
    #[inline]
    pub(super) fn bits(&mut self) -> &mut [u8] {
        let width = self.group.padded() / 8;
        &mut self.waiting[self.group.rows % BATCH * width..][..width]
    }

    /// Completes the next row, of which there must be fewer than [`GROUP_ROWS`] before, with its
    /// factors.
    #[inline]
    pub(super) fn push(&mut self, factors: RowFactors) {
        let row = self.group.rows;
        self.group.factors.add[row] = factors.add;
        self.group.factors.scale[row] = factors.scale;
        self.group.factors.error[Factors::error_at(row)] = factors.error;
        self.group.rows += 1;
        if self.group.rows.is_multiple_of(BATCH) {
            self.store(row / BATCH, BATCH);
        }
    }

    /// The group as it is now; rows that it lacks have zero codes and factors.
    pub(super) fn finish(mut self) -> CodeGroup {
        let rows = self.group.rows;
        self.store(rows / BATCH, rows % BATCH);
        self.group
    }

    /// Moves the bits of `count` waiting rows to the columns' lines of number `line`.
    fn store(&mut self, line: usize, count: usize) {
        let width = self.group.padded() / 8;
        let columns = Line::bytes_mut(&mut self.group.codes)
            .as_chunks_mut::<GROUP_ROWS>()
            .0;
        // Eight columns at a time, so that few lines are written to at once.
        for (eight, columns) in columns.chunks_exact_mut(8).enumerate() {
            for (row, bits) in self.waiting.chunks_exact(width).take(count).enumerate() {
                let at = line * BATCH + byte_of(row);
                for (column, &byte) in columns.iter_mut().zip(&bits[eight * 8..][..8]) {
                    column[at] = byte;
                }
            }
        }
    }
}

/// Where the byte of a row among 64 lies in its line: see the kernel's `group`.
pub(super) fn byte_of(row: usize) -> usize {
    row % 16 * 4 + row / 16 % 2 * 2 + row / 32
}
