//! The trained part of an epoch: centroids in two levels, and which of them a row belongs to.
//!
//! Lists lie in *tiles* of [`TILE`], and tiles in *cells*: a cell's centroid is the mean of the
//! rows that its lists hold. A vector is compared with all cells and then with the lists of the
//! nearest few. All vectors are rotated, so that one rotation serves comparing and coding.
use std::sync::Arc;

use nearfield_model::Metric;

use super::Rotation;
use super::cell::Cell;
use crate::kernel::{Floats, Kernel, TILE, fill_tiles};

/// Lists of a model, at most: their numbers fit in 16 bits, and one number says "none".
pub(crate) const LISTS_MAX: usize = u16::MAX as usize / TILE * TILE;
/// Cells whose lists a row is compared with.
const ASSIGN_CELLS: usize = 4;
/// Rows that are assigned together, so that each tile is fetched once for many rows.
const ASSIGN_ROWS: usize = 2_048;

/// Centroids of one epoch.
#[derive(Debug)]
pub(crate) struct Model {
    /// The collection that it belongs to.
    pub(crate) mark: [u8; 16],
    /// Epochs count up from 1.
    pub(crate) epoch: u64,
    /// Rows that the collection had when it was trained.
    pub(crate) trained_rows: u64,
    pub(crate) metric: Metric,
    pub(crate) rotation: Arc<Rotation>,
    /// A row per list.
    centroids: Floats,
    /// The lists' squared norms.
    squares: Vec<f32>,
    /// The centroids in tiles.
    tiles: Floats,
    /// The cells' centroids, also in tiles, and their squared norms.
    cells: Floats,
    cell_tiles: Floats,
    cell_squares: Vec<f32>,
    /// The tiles of cell `c` are `cell_ends[c - 1]..cell_ends[c]`.
    cell_ends: Vec<u32>,
}

/// Memory for comparing vectors with centroids, kept for the next.
#[derive(Debug, Default)]
pub(crate) struct Coarse {
    products: Floats,
    cells: Vec<(f32, u32)>,
    /// The lists found, nearest first: key and number.
    pub(crate) lists: Vec<(f32, u32)>,
}

impl Model {
    /// A model of centroids (`padded` components each, a multiple of [`TILE`] of them), whose
    /// cell `c` has tiles up to `cell_ends[c]`.
    #[allow(clippy::too_many_arguments, reason = "the parts of a model's file")]
    pub(crate) fn new(
        mark: [u8; 16],
        epoch: u64,
        trained_rows: u64,
        metric: Metric,
        rotation: Arc<Rotation>,
        centroids: Floats,
        cells: Floats,
        cell_ends: Vec<u32>,
    ) -> Model {
        let padded = rotation.padded();
        let kernel = rotation.kernel();
        let squares_of = |floats: &Floats| -> Vec<f32> {
            let rows = floats.chunks_exact(padded);
            rows.map(|row| kernel.dot(row, row)).collect()
        };
        Model {
            mark,
            epoch,
            trained_rows,
            metric,
            squares: squares_of(&centroids),
            tiles: fill_tiles(centroids.chunks_exact(padded), padded),
            cell_tiles: fill_tiles(cells.chunks_exact(padded), padded),
            cell_squares: squares_of(&cells),
            cells,
            centroids,
            cell_ends,
            rotation,
        }
    }

    /// How many lists there are.
    pub(crate) fn lists(&self) -> usize {
        self.squares.len()
    }

    /// Components of a rotated vector.
    pub(crate) fn padded(&self) -> usize {
        self.rotation.padded()
    }

    fn kernel(&self) -> &'static Kernel {
        self.rotation.kernel()
    }

    /// The cells: how many tiles each has, by their ends.
    pub(crate) fn cell_ends(&self) -> &[u32] {
        &self.cell_ends
    }

    /// The cells' centroids, a row of `padded` components each.
    pub(crate) fn cell_centroids(&self) -> &[f32] {
        &self.cells
    }

    /// The centroids, a row of `padded` components per list.
    pub(crate) fn centroids(&self) -> &[f32] {
        &self.centroids
    }

    /// What rows of a list are coded around.
    pub(crate) fn cell(&self, list: usize) -> Cell<'_> {
        let padded = self.padded();
        Cell {
            metric: self.metric,
            kernel: self.kernel(),
            centroid: &self.centroids[list * padded..][..padded],
            squared: self.squares[list],
        }
    }

    fn tiles_of(&self, cell: usize) -> std::ops::Range<usize> {
        let start = cell.checked_sub(1).map_or(0, |cell| self.cell_ends[cell]);
        start as usize..self.cell_ends[cell] as usize
    }

    /// The list of each of `rows` (rotated, `padded` components each): the one with the nearest
    /// centroid among those of the nearest cells.
    pub(crate) fn assign(&self, rows: &[f32], lists: &mut Vec<u16>) {
        for part in rows.chunks(ASSIGN_ROWS * self.padded()) {
            self.assign_part(part, lists);
        }
    }

    fn assign_part(&self, rows: &[f32], lists: &mut Vec<u16>) {
        let (padded, cells) = (self.padded(), self.cell_squares.len());
        let count = rows.len() / padded;
        let mut best = vec![(f32::INFINITY, 0_u16); count];
        // The rows that visit each cell.
        let mut visits: Vec<Vec<u32>> = vec![Vec::new(); cells];
        if cells == 1 {
            visits[0] = (0..count as u32).collect();
        } else {
            let width = cells.next_multiple_of(TILE);
            let mut products = Floats::zeros(count * width);
            self.kernel()
                .tile_products(rows, padded, &self.cell_tiles, &mut products);
            for (row, products) in products.chunks_exact(width).enumerate() {
                for cell in nearest_cells(products, &self.cell_squares) {
                    visits[cell as usize].push(row as u32);
                }
            }
        }
        let (mut gathered, mut products) = (Floats::default(), Floats::default());
        for (cell, visitors) in visits.iter().enumerate().filter(|(_, v)| !v.is_empty()) {
            let gathered = enlarged(&mut gathered, visitors.len() * padded);
            for (to, row) in gathered.chunks_exact_mut(padded).zip(visitors) {
                to.copy_from_slice(&rows[*row as usize * padded..][..padded]);
            }
            let tiles = self.tiles_of(cell);
            let width = tiles.len() * TILE;
            let products = enlarged(&mut products, visitors.len() * width);
            self.kernel().tile_products(
                gathered,
                padded,
                &self.tiles[tiles.start * TILE * padded..tiles.end * TILE * padded],
                products,
            );
            let squares = &self.squares[tiles.start * TILE..tiles.end * TILE];
            for (row, products) in visitors.iter().zip(products.chunks_exact(width)) {
                let best = &mut best[*row as usize];
                for (list, (product, squared)) in products.iter().zip(squares).enumerate() {
                    let key = squared - 2.0 * product;
                    if key < best.0 {
                        *best = (key, (tiles.start * TILE + list) as u16);
                    }
                }
            }
        }
        lists.extend(best.into_iter().map(|(_, list)| list));
    }

    /// Finds the `wanted` lists that a rotated query should look into first.
    pub(crate) fn nearest_lists(&self, query: &[f32], wanted: usize, coarse: &mut Coarse) {
        let (padded, cells) = (self.padded(), self.cell_squares.len());
        let Coarse {
            products,
            cells: near,
            lists,
        } = coarse;
        lists.clear();
        near.clear();
        if cells == 1 {
            near.push((0.0, 0));
        } else {
            let products = enlarged(products, cells.next_multiple_of(TILE));
            self.kernel()
                .tile_products(query, padded, &self.cell_tiles, products);
            let keys = products.iter().zip(&self.cell_squares).zip(0..);
            near.extend(
                keys.map(|((product, squared), cell)| (self.key(*product, *squared), cell)),
            );
            let visited = visited_cells(wanted, self.lists(), cells);
            if visited < cells {
                near.select_nth_unstable_by(visited - 1, by_key);
                near.truncate(visited);
            }
        }
        for (_, cell) in near {
            let tiles = self.tiles_of(*cell as usize);
            let products = enlarged(products, tiles.len() * TILE);
            self.kernel().tile_products(
                query,
                padded,
                &self.tiles[tiles.start * TILE * padded..tiles.end * TILE * padded],
                products,
            );
            let first = tiles.start * TILE;
            let squares = &self.squares[first..tiles.end * TILE];
            let keys = products.iter().zip(squares).zip(first as u32..);
            lists.extend(
                keys.map(|((product, squared), list)| (self.key(*product, *squared), list)),
            );
        }
        if wanted < lists.len() {
            lists.select_nth_unstable_by(wanted - 1, by_key);
            lists.truncate(wanted);
        }
        lists.sort_unstable_by(by_key);
    }

    /// The key of each list for a rotated query, by number; the lower, the sooner it is probed.
    pub(crate) fn all_lists<'c>(&self, query: &[f32], coarse: &'c mut Coarse) -> &'c [f32] {
        self.each_list(query, coarse, |product, squared| self.key(product, squared))
    }

    /// Finds the lists that are wanted by key and number, nearest first.
    pub(crate) fn lists_where(
        &self,
        query: &[f32],
        coarse: &mut Coarse,
        is_wanted: impl Fn(f32, usize) -> bool,
    ) {
        let mut lists = std::mem::take(&mut coarse.lists);
        lists.clear();
        let keys = self.all_lists(query, coarse).iter().copied().zip(0..);
        lists.extend(keys.filter(|(key, list)| is_wanted(*key, *list as usize)));
        lists.sort_unstable_by(by_key);
        coarse.lists = lists;
    }

    /// The squared distance of each list from a rotated query, less the query's own square.
    pub(crate) fn distances<'c>(&self, query: &[f32], coarse: &'c mut Coarse) -> &'c [f32] {
        self.each_list(query, coarse, |product, squared| squared - 2.0 * product)
    }

    fn each_list<'c>(
        &self,
        query: &[f32],
        coarse: &'c mut Coarse,
        key: impl Fn(f32, f32) -> f32,
    ) -> &'c [f32] {
        let products = enlarged(&mut coarse.products, self.lists());
        self.kernel()
            .tile_products(query, self.padded(), &self.tiles, products);
        for (product, squared) in products.iter_mut().zip(&self.squares) {
            *product = key(*product, *squared);
        }
        products
    }

    /// How far from a query rows around a centroid are; the lower, the nearer.
    fn key(&self, product: f32, squared: f32) -> f32 {
        let key = match self.metric {
            Metric::Dot => -product,
            Metric::Euclidean | Metric::Cosine => squared - 2.0 * product,
        };
        if key.is_nan() { f32::INFINITY } else { key }
    }

    /// Bytes of memory that the model takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let floats = self.centroids.len() + self.tiles.len() + 2 * self.cells.len();
        (floats + self.squares.len() + self.cell_squares.len() + self.cell_ends.len()) * 4
    }
}

/// The first `length` of floats, which are made anew if they are fewer.
fn enlarged(floats: &mut Floats, length: usize) -> &mut [f32] {
    if floats.len() < length {
        *floats = Floats::zeros(length);
    }
    &mut floats[..length]
}

/// Cells that a query looks into for so many lists.
fn visited_cells(wanted: usize, lists: usize, cells: usize) -> usize {
    let share = wanted * cells / lists;
    (4 * share + 16).min(cells)
}

fn by_key(a: &(f32, u32), b: &(f32, u32)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// The cells that are nearest to a row, by its products with them.
fn nearest_cells(products: &[f32], squares: &[f32]) -> impl Iterator<Item = u32> {
    let mut best = [(f32::INFINITY, u32::MAX); ASSIGN_CELLS];
    for (cell, (product, squared)) in products.iter().zip(squares).enumerate() {
        let key = squared - 2.0 * product;
        if key < best[ASSIGN_CELLS - 1].0 {
            let mut at = ASSIGN_CELLS - 1;
            while at > 0 && key < best[at - 1].0 {
                best[at] = best[at - 1];
                at -= 1;
            }
            best[at] = (key, cell as u32);
        }
    }
    // A row that is no nearer to any cell than infinity goes to the first.
    if best[0].1 == u32::MAX {
        best[0].1 = 0;
    }
    best.into_iter()
        .map(|(_, cell)| cell)
        .filter(|cell| *cell != u32::MAX)
}
