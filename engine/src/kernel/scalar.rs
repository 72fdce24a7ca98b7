//! The reference: what each operation means, in plain loops.
//!
//! Loops whose result does not depend on the order of additions are also what the other leaves
//! compile for their instruction sets.
use super::group::{COLUMN_LINES, Factors, GROUP_ROWS, Scan, Sweep, Terms};
use super::{BLOCK_ROWS, BlockRef, Kernel, Moments, TILE, table};

/// The operations in plain Rust.
pub(super) const KERNEL: Kernel = Kernel {
    name: "scalar",
    detected: || true,
    dot,
    dot_i8,
    squared_euclidean,
    first_non_finite,
    hadamard,
    flip_hadamard: |values, diagonal| {
        multiply(values, diagonal);
        hadamard(values);
    },
    multiply,
    butterfly,
    residual,
    moments,
    fill_table,
    scan_group,
    scan_block,
    mask_below,
    tile_products,
};

/// Inner product: eight running sums, then pairs of them.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum_by_eights(a, b, |x, y| x * y)
}

/// Inner product with 8-bit components: 64 running sums, then halves of them.
#[inline(always)]
pub(super) fn dot_i8(codes: &[i8], vector: &[f32]) -> f32 {
    let mut sums = [0.0; 64];
    let (codes, vector) = (codes.as_chunks::<64>().0, vector.as_chunks::<64>().0);
    for (codes, vector) in codes.iter().zip(vector) {
        for ((sum, code), value) in sums.iter_mut().zip(codes).zip(vector) {
            *sum += f32::from(*code) * value;
        }
    }
    let mut width = 32;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0]
}

/// Squared euclidean distance: eight running sums, then pairs of them.
pub(super) fn squared_euclidean(a: &[f32], b: &[f32]) -> f32 {
    sum_by_eights(a, b, |x, y| (x - y) * (x - y))
}

fn sum_by_eights(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += term(a[i], b[i]);
        }
    }
    for (i, (&x, &y)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[i] += term(x, y);
    }
    let fours = [
        sums[0] + sums[4],
        sums[1] + sums[5],
        sums[2] + sums[6],
        sums[3] + sums[7],
    ];
    (fours[0] + fours[2]) + (fours[1] + fours[3])
}

/// Position of the first infinity or NaN.
#[inline(always)]
pub(super) fn first_non_finite(values: &[f32]) -> Option<usize> {
    const EXPONENT: u32 = 0x7f80_0000;
    let bad = |value: &f32| u32::from(value.to_bits() & EXPONENT == EXPONENT);
    for (at, chunk) in values.chunks(1024).enumerate() {
        if chunk.iter().fold(0, |any, value| any | bad(value)) != 0 {
            let within = chunk.iter().position(|value| !value.is_finite())?;
            return Some(at * 1024 + within);
        }
    }
    None
}

/// Walsh-Hadamard transform, unnormalised.
pub(super) fn hadamard(values: &mut [f32]) {
    let mut h = 1;
    while h < values.len() {
        for pair in values.chunks_exact_mut(2 * h) {
            let (a, b) = pair.split_at_mut(h);
            butterfly(a, b);
        }
        h *= 2;
    }
}

/// `values[i] *= factors[i]`.
#[inline(always)]
pub(super) fn multiply(values: &mut [f32], factors: &[f32]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value *= factor;
    }
}

/// `(a[i], b[i])` becomes `(a[i] + b[i], a[i] - b[i])`.
#[inline(always)]
pub(super) fn butterfly(a: &mut [f32], b: &mut [f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (*a + *b, *a - *b);
    }
}

/// `out[i] = vector[i] * scale - centroid[i]`.
#[inline(always)]
pub(super) fn residual(vector: &[f32], scale: f32, centroid: &[f32], out: &mut [f32]) {
    for ((out, vector), centroid) in out.iter_mut().zip(vector).zip(centroid) {
        *out = vector * scale - centroid;
    }
}

/// Sums and sign bits of a rotated residual; see `moments::moments`.
pub(super) fn moments(residual: &[f32], centroid: &[f32], bits: &mut [u8]) -> Moments {
    bits.fill(0);
    for (i, value) in residual.iter().enumerate() {
        bits[i / 8] |= u8::from(value.is_sign_positive()) << (i % 8);
    }
    Moments {
        absolute: sum_by_eights(residual, residual, |x, _| x.abs()),
        squared: dot(residual, residual),
        along: dot(residual, centroid),
    }
}

/// Table of 16 entries per four dimensions: entry `e` is the sum of the four values, signed `+`
/// where `e` has their bit and `-` elsewhere, less the smallest such sum, in units of the returned
/// step, rounded. A step of 0, with a table of zeros, says that the values are too small.
pub(super) fn fill_table(residual: &[f32], table: &mut [u8]) -> f32 {
    let step = table::step(residual);
    if step == 0.0 {
        table.fill(0);
        return step;
    }
    for (q, entries) in residual
        .as_chunks::<4>()
        .0
        .iter()
        .zip(table.as_chunks_mut::<16>().0)
    {
        for (e, entry) in entries.iter_mut().enumerate() {
            let signed = |i: usize| if e >> i & 1 == 1 { q[i] } else { -q[i] };
            let sum: f32 = (0..4).map(|i| (q[i].abs() + signed(i)) / step).sum();
            *entry = (sum + 0.5) as u8;
        }
    }
    step
}

/// Estimates and lower bounds of a group's rows; see [`Terms`] for the formula.
pub(super) fn scan_group(
    scan: &Scan<'_>,
    estimates: &mut [f32; GROUP_ROWS],
    lower: &mut [f32; GROUP_ROWS],
) {
    sweep::<COLUMN_LINES>(&scan.into(), estimates, lower);
}

/// Estimates and lower bounds of a block's rows. Bit `i` is set where `lower[i] <= threshold`.
pub(super) fn scan_block(
    table: &[u8],
    terms: &Terms,
    block: &BlockRef<'_>,
    threshold: f32,
    estimates: &mut [f32; BLOCK_ROWS],
    lower: &mut [f32; BLOCK_ROWS],
) -> u64 {
    sweep::<1>(&Sweep::of_block(table, terms, block), estimates, lower);
    word_below(lower, threshold)
}

fn sweep<const LINES: usize>(sweep: &Sweep<'_, LINES>, estimates: &mut [f32], lower: &mut [f32]) {
    let mut sums = [[0u32; 64]; LINES];
    for (column, tables) in sweep.codes.iter().zip(sweep.table.as_chunks::<32>().0) {
        for (sums, line) in sums.iter_mut().zip(column) {
            for (b, &code) in line.0.iter().enumerate() {
                let row = b / 4 + 16 * (b / 2 % 2) + 32 * (b % 2);
                sums[row] += u32::from(tables[usize::from(code & 15)]);
                sums[row] += u32::from(tables[16 + usize::from(code >> 4)]);
            }
        }
    }
    let terms = sweep.terms;
    for (row, &sum) in sums.as_flattened().iter().enumerate() {
        let along = sum as f32 * terms.step + terms.offset;
        let error = f32::from_bits(u32::from(sweep.error[Factors::error_at(row)]) << 16);
        let estimate = sweep.add[row] + terms.shared - sweep.scale[row] * along;
        estimates[row] = estimate;
        lower[row] = estimate - error * terms.spread - terms.slack;
    }
}

/// Bit `i % 64` of word `i / 64` is set where `values[i] <= threshold`.
pub(super) fn mask_below(values: &[f32; GROUP_ROWS], threshold: f32) -> [u64; GROUP_ROWS / 64] {
    let mut words = [0; GROUP_ROWS / 64];
    for (word, values) in words.iter_mut().zip(values.as_chunks().0) {
        *word = word_below(values, threshold);
    }
    words
}

fn word_below(values: &[f32; 64], threshold: f32) -> u64 {
    let bits = values.iter().enumerate();
    bits.fold(0, |word, (i, &value)| {
        word | u64::from(value <= threshold) << i
    })
}

/// Inner products of rows with the vectors of tiles: a running sum for each.
pub(super) fn tile_products(rows: &[f32], dimension: usize, tiles: &[f32], out: &mut [f32]) {
    let tiles = || tiles.chunks_exact(dimension * TILE);
    let pairs = rows
        .chunks_exact(dimension)
        .flat_map(|row| tiles().map(move |tile| (row, tile)));
    for ((row, tile), out) in pairs.zip(out.as_chunks_mut::<TILE>().0) {
        let mut sums = [0.0; TILE];
        for (x, values) in row.iter().zip(tile.as_chunks::<TILE>().0) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += x * value;
            }
        }
        *out = sums;
    }
}
