//! 8-bit codes, by row: near enough to the vectors that few rows are left to compare exactly.
//!
//! With `x` = rotated row, `s` = max |x[i]| / 127 and `c[i]` = x[i] / s, rounded: `<q, x>` is
//! estimated by `s <q, c>`. What is wrong is `<q, e>` with `e = x - s c`; as the rotation spreads
//! `e` evenly, its standard error is about `|q| |e| / sqrt(n)`.
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use nearfield_model::Metric;

use crate::kernel::{Huge, Kernel};
use crate::points::View;

/// Standard errors between an estimate and its bounds: about one row in 700 lies beyond one.
const DEVIATIONS: f32 = 3.0;
/// Pieces of fewer rows than this are joined.
const PIECE_ROWS_MIN: usize = 1 << 15;

/// 8-bit codes of a range of rows: of each of them, or of those that are listed.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) first_row: u32,
    pub(crate) end_row: u32,
    padded: usize,
    /// The rows that have codes, ascending; all if there is no list.
    rows: Option<Box<[u32]>>,
    /// `padded` codes per row.
    codes: Huge<u8>,
    factors: Huge<Factors>,
}

/// What is kept of a row besides its codes; a row without codes has an infinite error.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Factors {
    scale: f32,
    squared: f32,
    error: f32,
}

/// No codes.
const NONE: Factors = Factors {
    scale: 0.0,
    squared: 0.0,
    error: f32::INFINITY,
};

impl Piece {
    /// Bytes that a row takes.
    pub(crate) fn row_bytes(padded: usize) -> u64 {
        (padded + size_of::<Factors>()) as u64
    }

    /// No codes yet for the rows from `first_row` to `end_row`.
    pub(crate) fn new(first_row: u32, end_row: u32, padded: usize) -> Piece {
        let rows = (end_row - first_row) as usize;
        Piece {
            first_row,
            end_row,
            padded,
            rows: None,
            codes: Huge::zeros(rows * padded),
            factors: no_factors(rows),
        }
    }

    /// Codes a row (rotated, `padded` components).
    pub(crate) fn put(&mut self, row: u32, rotated: &[f32], kernel: &Kernel) {
        let place = (row - self.first_row) as usize;
        let codes = &mut self.codes[place * self.padded..][..self.padded];
        let largest = rotated
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = largest / 127.0;
        let inverse = 1.0 / scale;
        if !inverse.is_finite() || !scale.is_normal() {
            return;
        }
        let mut wrong = 0.0;
        for (code, value) in codes.iter_mut().zip(rotated) {
            let rounded = (value * inverse).round_ties_even();
            *code = rounded as i8 as u8;
            let error = value - rounded * scale;
            wrong += error * error;
        }
        self.factors[place] = Factors {
            scale,
            squared: kernel.dot(rotated, rotated),
            error: (wrong / self.padded as f32).sqrt(),
        };
    }

    /// One piece of several in the order of their rows, of the rows that `keep` says.
    fn gather(parts: &[Arc<Piece>], keep: impl Fn(u32) -> bool) -> Option<Piece> {
        let (first, last) = (parts.first()?, parts.last()?);
        let kept = || {
            let coded = parts
                .iter()
                .flat_map(|part| part.coded().map(move |(place, row)| (&**part, place, row)));
            coded.filter(|(_, _, row)| keep(*row))
        };
        let (count, range) = (kept().count(), (last.end_row - first.first_row) as usize);
        let is_dense = count * 2 >= range;
        let places = if is_dense { range } else { count };
        let mut piece = Piece {
            first_row: first.first_row,
            end_row: last.end_row,
            padded: first.padded,
            rows: (!is_dense).then(|| kept().map(|(_, _, row)| row).collect()),
            codes: Huge::zeros(places * first.padded),
            factors: no_factors(places),
        };
        for (at, (part, place, row)) in kept().enumerate() {
            let to = if is_dense {
                (row - piece.first_row) as usize
            } else {
                at
            };
            let from = &part.codes[place * part.padded..][..part.padded];
            piece.codes[to * part.padded..][..part.padded].copy_from_slice(from);
            piece.factors[to] = part.factors[place];
        }
        Some(piece)
    }

    /// The rows that have codes, and their places.
    fn coded(&self) -> impl Iterator<Item = (usize, u32)> {
        let places = 0..self.factors.len();
        let row = |place: usize| match &self.rows {
            Some(rows) => rows[place],
            None => self.first_row + place as u32,
        };
        let there = places.filter(|place| self.factors[*place].error.is_finite());
        there.map(move |place| (place, row(place)))
    }

    /// Where the codes of a row are.
    #[inline]
    fn place(&self, row: u32) -> Option<usize> {
        match &self.rows {
            None => (row < self.end_row).then(|| (row - self.first_row) as usize),
            Some(rows) => rows.binary_search(&row).ok(),
        }
    }

    /// Whether there is room for much more than it holds: few of its rows are live. A view from
    /// before the last of them cannot tell.
    fn is_worn(&self, view: &View) -> bool {
        if self.end_row > view.rows {
            return false;
        }
        let live = view.live_between(self.first_row, self.end_row) as usize;
        live * 2 < self.factors.len()
    }

    fn memory_bytes(&self) -> usize {
        let rows = self.rows.as_ref().map_or(0, |rows| rows.len() * 4);
        self.codes.len() + self.factors.len() * size_of::<Factors>() + rows
    }
}

/// The factors of rows without codes.
fn no_factors(rows: usize) -> Huge<Factors> {
    let mut factors = Huge::zeros(rows);
    factors.fill(NONE);
    factors
}

/// 8-bit codes of a collection's rows, as far as there are any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fine {
    /// In the order of their rows, which may have gaps.
    pieces: Vec<Arc<Piece>>,
}

/// A query, prepared for comparing with 8-bit codes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FineQuery<'q> {
    pub(crate) metric: Metric,
    pub(crate) kernel: &'static Kernel,
    pub(crate) rotated: &'q [f32],
    /// Its squared norm, and its norm.
    pub(crate) squared: f32,
    pub(crate) norm: f32,
}

impl Fine {
    /// Whether there are codes at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    #[inline]
    fn find(&self, row: u32) -> Option<(&Piece, usize)> {
        let behind = self.pieces.partition_point(|piece| piece.first_row <= row);
        let piece = &self.pieces[behind.checked_sub(1)?];
        Some((piece, piece.place(row)?))
    }

    /// Begins to fetch a row's codes from memory. Nothing but speed depends on it.
    #[inline]
    pub(crate) fn prefetch(&self, row: u32) {
        if let Some((piece, place)) = self.find(row) {
            let codes = &piece.codes[place * piece.padded..][..piece.padded];
            crate::kernel::prefetch_bytes(codes.as_ptr(), codes.len());
            let factors = std::ptr::from_ref(&piece.factors[place]);
            crate::kernel::prefetch_bytes(factors.cast(), size_of::<Factors>());
        }
    }

    /// A lower and an upper bound of a row's key; `None` if there is no code to tell.
    #[inline]
    pub(crate) fn bounds(&self, row: u32, query: &FineQuery<'_>) -> Option<(f32, f32)> {
        let (piece, place) = self.find(row)?;
        let factors = &piece.factors[place];
        let codes = &piece.codes[place * piece.padded..][..piece.padded];
        let codes = bytemuck::cast_slice(codes);
        let product = factors.scale * query.kernel.dot_i8(codes, query.rotated);
        let spread = DEVIATIONS * factors.error * query.norm;
        let (estimate, spread) = match query.metric {
            Metric::Euclidean => (
                query.squared + factors.squared - 2.0 * product,
                2.0 * spread,
            ),
            Metric::Dot | Metric::Cosine => (-product, spread),
        };
        // What rounding of the sums can take.
        let spread = spread + 1e-6 * (query.squared + factors.squared + query.norm);
        let bounds = (estimate - spread, estimate + spread);
        (bounds.0.is_finite() && bounds.1.is_finite()).then_some(bounds)
    }

    /// With a further piece, unless its rows have codes already; it takes the place of those
    /// within it. Small neighbours become one.
    pub(crate) fn with(&self, piece: Piece) -> Fine {
        let mut pieces = self.pieces.clone();
        let is_within = |a: &Piece, b: &Piece| b.first_row <= a.first_row && a.end_row <= b.end_row;
        if pieces.iter().any(|other| is_within(&piece, other)) {
            return self.clone();
        }
        pieces.retain(|other| !is_within(other, &piece));
        let at = pieces.partition_point(|other| other.first_row < piece.first_row);
        pieces.insert(at, Arc::new(piece));
        Fine::joined(&pieces)
    }

    /// Without the codes of rows that are dead in a view, where they are many; `None` if they
    /// are not.
    pub(crate) fn without_dead(&self, view: &View) -> Option<Fine> {
        if !self.pieces.iter().any(|piece| piece.is_worn(view)) {
            return None;
        }
        let pieces = self.pieces.iter().map(|piece| {
            let worn = piece.is_worn(view);
            let rest =
                worn.then(|| Piece::gather(std::slice::from_ref(piece), |row| view.is_live(row)));
            rest.flatten().map_or_else(|| piece.clone(), Arc::new)
        });
        Some(Fine::joined(&pieces.collect::<Vec<_>>()))
    }

    fn joined(pieces: &[Arc<Piece>]) -> Fine {
        let small = |piece: &Piece| piece.factors.len() < PIECE_ROWS_MIN;
        let joins =
            |a: &Arc<Piece>, b: &Arc<Piece>| a.end_row == b.first_row && small(a) && small(b);
        let joined = pieces.chunk_by(joins).map(|parts| match parts {
            [one] => one.clone(),
            parts => Piece::gather(parts, |_| true).map_or_else(|| parts[0].clone(), Arc::new),
        });
        Fine {
            pieces: joined.collect(),
        }
    }

    /// The first rows below `covered` without codes, at most `rows` of them.
    pub(crate) fn gap(&self, covered: u32, rows: u32) -> Option<(u32, u32)> {
        let mut from = 0;
        for piece in &self.pieces {
            if piece.first_row > from {
                break;
            }
            from = from.max(piece.end_row);
        }
        let next = self.pieces.iter().find(|piece| piece.first_row >= from);
        let end = next.map_or(covered, |piece| piece.first_row.min(covered));
        (from < end).then(|| (from, end.min(from.saturating_add(rows))))
    }

    /// Bytes that the codes take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.memory_bytes()).sum()
    }
}
