//! Training: k-means (Lloyd) on a sample, first into cells, then each cell into lists.
use std::sync::Arc;

use nearfield_model::{Metric, Result};

use super::Rotation;
use super::model::{LISTS_MAX, Model};
use super::random::SplitMix;
use super::sample::Sample;
use crate::kernel::{Floats, Huge, Kernel, TILE, fill_tiles};

/// Sampled rows per list.
const SAMPLE_PER_LIST: usize = 16;
/// Rows of a sample, at most.
const SAMPLE_ROWS_MAX: usize = 1 << 16;
/// Rounds of k-means for cells, and for the lists of one.
const CELL_ROUNDS: usize = 6;
const LIST_ROUNDS: usize = 8;
/// Up to so many lists share one cell, as comparing with all of them is quick.
const LISTS_PER_MODEL_SINGLE: usize = 256;
/// Sampled rows per cell, for cells alone.
const SAMPLE_PER_CELL: usize = 64;
/// Rows that are read at a time to be told their cells.
const READ_ROWS: usize = 4_096;
/// Rows that are compared with all centres at a time.
const STEP_ROWS: usize = 512;

/// Lists for a collection of so many rows, when about `rows_per_list` belong into each.
pub(crate) fn lists_for(rows: u64, rows_per_list: u64) -> usize {
    let lists = usize::try_from(rows / rows_per_list.max(1)).unwrap_or(LISTS_MAX);
    lists.next_multiple_of(TILE).clamp(TILE, LISTS_MAX)
}

/// Rows to sample for so many lists.
pub(crate) fn sample_for(lists: usize) -> usize {
    (lists * SAMPLE_PER_LIST).min(SAMPLE_ROWS_MAX)
}

/// What a model is made for.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    /// The collection.
    pub(crate) mark: [u8; 16],
    pub(crate) epoch: u64,
    pub(crate) trained_rows: u64,
    pub(crate) metric: Metric,
    pub(crate) rotation: Arc<Rotation>,
    /// Lists wanted, a multiple of [`TILE`]; the model may have some more.
    pub(crate) lists: usize,
}

/// Trains a model on a sample. The same sample and purpose give the same model.
///
/// # Errors
/// As reading the sample's rows.
pub(crate) fn train(purpose: Purpose, sample: &Sample<'_>) -> Result<Model> {
    let padded = purpose.rotation.padded();
    let kernel = purpose.rotation.kernel();
    let mut random = SplitMix(purpose.epoch);
    let tiles = (purpose.lists / TILE).max(1);
    let cells = cells_for(purpose.lists);
    let centres = {
        let some = sample.read(
            sample
                .rows
                .iter()
                .copied()
                .step_by(cell_step(sample, cells)),
        )?;
        kmeans(&some, padded, cells, CELL_ROUNDS, kernel, &mut random)
    };
    let rows = sample.rows.len();
    let members = members(sample, &centres, kernel)?;
    // Every cell has a tile at least.
    let mut centroids = Floats::zeros((tiles + cells) * TILE * padded);
    let mut made = 0;
    let mut cell_ends = Vec::with_capacity(cells);
    for members in members {
        let share = (members.len() * tiles + rows / 2) / rows.max(1);
        let room = LISTS_MAX / TILE - (cells - 1 - cell_ends.len());
        let left = tiles + cells - made - (cells - 1 - cell_ends.len());
        let lists = share.max(1).min(room - made).min(left) * TILE;
        let own = sample.read(members.iter().copied())?;
        let lists = kmeans(&own, padded, lists, LIST_ROUNDS, kernel, &mut random);
        centroids[made * TILE * padded..][..lists.len()].copy_from_slice(&lists);
        made += lists.len() / padded / TILE;
        cell_ends.push(made as u32);
    }
    Ok(Model::new(
        purpose.mark,
        purpose.epoch,
        purpose.trained_rows,
        purpose.metric,
        purpose.rotation,
        Floats::from(&centroids[..made * TILE * padded]),
        centres,
        cell_ends,
    ))
}

/// Bytes that training takes, the model apart, for a collection of so many rows: the part of the
/// sample that is in memory, and what it is compared with.
pub(crate) fn passing_bytes(rows: u64, rows_per_list: u64, padded: usize) -> u64 {
    let lists = lists_for(rows, rows_per_list);
    let cells = cells_for(lists);
    let read = sample_for(lists).min(2 * rows_for_cells(cells));
    // The cells' centres and their sums twice as wide, in tiles too; and products with them.
    let centres = cells.max(LISTS_PER_MODEL_SINGLE) * padded * 16;
    (read * padded * 4 + centres + STEP_ROWS * cells * 4) as u64
}

/// Cells for so many lists.
fn cells_for(lists: usize) -> usize {
    match lists {
        ..=LISTS_PER_MODEL_SINGLE => 1,
        _ => lists / TILE,
    }
}

/// Cells come from every so manieth row of a sample.
fn cell_step(sample: &Sample<'_>, cells: usize) -> usize {
    (sample.rows.len() / rows_for_cells(cells)).max(1)
}

/// Rows that are enough for so many cells.
fn rows_for_cells(cells: usize) -> usize {
    (cells * SAMPLE_PER_CELL).max(SAMPLE_PER_LIST * LISTS_PER_MODEL_SINGLE)
}

/// The rows of each cell.
fn members(
    sample: &Sample<'_>,
    centres: &Floats,
    kernel: &'static Kernel,
) -> Result<Vec<Vec<u32>>> {
    let padded = sample.rotation.padded();
    let cells = centres.len() / padded;
    if cells == 1 {
        return Ok(vec![sample.rows.clone()]);
    }
    let mut members = vec![Vec::new(); cells];
    let mut nearest = vec![0; READ_ROWS];
    for rows in sample.rows.chunks(READ_ROWS) {
        let read = sample.read(rows.iter().copied())?;
        assign(&read, padded, centres, kernel, &mut nearest[..rows.len()]);
        for (row, cell) in rows.iter().zip(&nearest) {
            members[*cell as usize].push(*row);
        }
    }
    Ok(members)
}

/// `count` centres of `rows`.
fn kmeans(
    rows: &[f32],
    padded: usize,
    count: usize,
    rounds: usize,
    kernel: &'static Kernel,
    random: &mut SplitMix,
) -> Floats {
    let there = rows.len() / padded;
    let row = |number: usize| &rows[number * padded..][..padded];
    let mut centres = Floats::zeros(count * padded);
    if there == 0 {
        return centres;
    }
    // Distinct rows as long as there are enough: a partial shuffle.
    let mut order: Vec<u32> = (0..there as u32).collect();
    for (number, centre) in centres.chunks_exact_mut(padded).enumerate() {
        let number = number % there;
        let other = number + random.below(there - number);
        order.swap(number, other);
        centre.copy_from_slice(row(order[number] as usize));
    }
    if count == 1 {
        mean_of(rows, padded, &mut centres);
        return centres;
    }
    let mut nearest = vec![0; there];
    for _ in 1..rounds {
        assign(rows, padded, &centres, kernel, &mut nearest);
        let mut sums = Huge::<f64>::zeros(count * padded);
        let mut sizes = vec![0_u32; count];
        for (number, centre) in nearest.iter().enumerate() {
            let centre = *centre as usize;
            sizes[centre] += 1;
            for (sum, value) in sums[centre * padded..][..padded]
                .iter_mut()
                .zip(row(number))
            {
                *sum += f64::from(*value);
            }
        }
        for (number, centre) in centres.chunks_exact_mut(padded).enumerate() {
            if sizes[number] == 0 {
                centre.copy_from_slice(row(random.below(there)));
                continue;
            }
            let share = 1.0 / f64::from(sizes[number]);
            for (value, sum) in centre.iter_mut().zip(&sums[number * padded..][..padded]) {
                *value = (sum * share) as f32;
            }
        }
    }
    centres
}

fn mean_of(rows: &[f32], padded: usize, centre: &mut Floats) {
    let mean = super::centroid(rows.chunks_exact(padded).map(|row| (row, 1.0)), padded);
    centre[..padded].copy_from_slice(&mean);
}

/// The nearest centre of each row; the first of those that are equally near.
fn assign(
    rows: &[f32],
    padded: usize,
    centres: &Floats,
    kernel: &'static Kernel,
    nearest: &mut [u32],
) {
    let tiles = fill_tiles(centres.chunks_exact(padded), padded);
    let squares: Vec<f32> = centres
        .chunks_exact(padded)
        .map(|centre| kernel.dot(centre, centre))
        .collect();
    let width = tiles.len() / padded;
    let mut products = Floats::zeros(STEP_ROWS * width);
    for (rows, nearest) in rows
        .chunks(STEP_ROWS * padded)
        .zip(nearest.chunks_mut(STEP_ROWS))
    {
        let products = &mut products[..nearest.len() * width];
        kernel.tile_products(rows, padded, &tiles, products);
        for (nearest, products) in nearest.iter_mut().zip(products.chunks_exact(width)) {
            let mut best = (f32::INFINITY, 0);
            for ((product, squared), centre) in products.iter().zip(&squares).zip(0..) {
                let key = squared - 2.0 * product;
                if key < best.0 {
                    best = (key, centre);
                }
            }
            *nearest = best.1;
        }
    }
}
