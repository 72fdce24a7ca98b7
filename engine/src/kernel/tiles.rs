//! Inner products of many rows with many vectors, which are kept in tiles.
//!
//! A tile is 16 vectors, transposed: for each component, the 16 values of the vectors in turn. So a
//! register takes a component of as many vectors as it has lanes, and each load of it serves as many
//! rows as there are registers for sums.
//!
//! ```text
//! for each part of the rows (stays in the second cache):
//!   for each few tiles, for each strip of their components (stays in the first cache):
//!     for each few rows:   sums[row][tile] = sum over the strip, one component after another
//!                          out += sums
//! ```
//!
//! How many rows and tiles are taken at a time changes no product.
#![allow(
    unsafe_code,
    reason = "vector loads from raw pointers, bounded by slice lengths"
)]
use super::Floats;
use super::lanes::Lanes;

/// Vectors of a tile.
pub const TILE: usize = 16;

/// Components that are summed up before their sum is added to that of the strips before.
const STRIP: usize = 128;

/// Components of the rows that all tiles go over before the next rows, about: 256 KiB.
const PART: usize = 1 << 16;

/// The tiles of `vectors`, which have `dimension` components each: component `d` of vector `j` of
/// tile `t` is at `(t * dimension + d) * TILE + j`. What the last tile has no vector for is zero.
pub fn fill_tiles<'a>(vectors: impl Iterator<Item = &'a [f32]>, dimension: usize) -> Floats {
    let vectors: Vec<&[f32]> = vectors.collect();
    let mut tiles = Floats::zeros(vectors.len().div_ceil(TILE) * dimension * TILE);
    for (number, vector) in vectors.iter().enumerate() {
        assert_eq!(vector.len(), dimension);
        let tile = &mut tiles[number / TILE * dimension * TILE..][..dimension * TILE];
        for (values, &value) in tile.as_chunks_mut::<TILE>().0.iter_mut().zip(*vector) {
            values[number % TILE] = value;
        }
    }
    tiles
}

/// Inner products of rows with the vectors of tiles; see `scalar::tile_products`.
///
/// # Safety
/// The instruction set of `L` must be present; `rows` must be whole rows of `dimension`, `tiles`
/// whole tiles, and `out` a product for every pair. `REGISTERS` must be those of a tile's component.
#[inline(always)]
pub(super) unsafe fn tile_products<L: Lanes, const REGISTERS: usize>(
    rows: &[f32],
    dimension: usize,
    tiles: &[f32],
    out: &mut [f32],
) {
    const { assert!(REGISTERS * L::COUNT == TILE) }
    let (count, width) = (rows.len() / dimension, tiles.len() / dimension);
    let part = PART.div_ceil(dimension).next_multiple_of(24);
    for first in (0..count).step_by(part) {
        let end = count.min(first + part);
        let mut job = Job {
            rows: rows[first * dimension..end * dimension].as_ptr(),
            count: end - first,
            dimension,
            tiles: tiles.as_ptr(),
            width,
            out: out[first * width..end * width].as_mut_ptr(),
        };
        // SAFETY: the job is that of the caller, less the rows before `first` and from `end`.
        unsafe {
            // Sums, the tiles' values and a row's value fit the registers of the instruction set;
            // and there are always sums enough to hide what one addition takes.
            match REGISTERS {
                1 => {
                    job.take::<L, REGISTERS, 8, 2>();
                    job.take::<L, REGISTERS, 4, 2>();
                    job.take::<L, REGISTERS, 2, 4>();
                    job.take::<L, REGISTERS, 1, 8>();
                }
                _ => {
                    job.take::<L, REGISTERS, 6, 1>();
                    job.take::<L, REGISTERS, 4, 1>();
                    job.take::<L, REGISTERS, 2, 2>();
                    job.take::<L, REGISTERS, 1, 4>();
                }
            }
        }
    }
}

/// Rows that are still to be multiplied with all tiles.
struct Job {
    /// The first row.
    rows: *const f32,
    /// Rows that are left.
    count: usize,
    /// Components of a row.
    dimension: usize,
    /// The first tile.
    tiles: *const f32,
    /// Products of a row: 16 per tile.
    width: usize,
    /// The products of the first row.
    out: *mut f32,
}

impl Job {
    /// Takes as many rows as are whole runs of `ROWS`, with `TILES` tiles at a time.
    ///
    /// # Safety
    /// As for [`tile_products`].
    #[inline(always)]
    unsafe fn take<L: Lanes, const REGISTERS: usize, const ROWS: usize, const TILES: usize>(
        &mut self,
    ) {
        let taken = self.count / ROWS * ROWS;
        if taken == 0 {
            return;
        }
        let tiles = self.width / TILE;
        let many = tiles / TILES * TILES;
        // SAFETY: tiles below `many` are followed by TILES - 1 more; rows below `taken` are there.
        unsafe {
            for tile in (0..many).step_by(TILES) {
                self.strips::<L, REGISTERS, ROWS, TILES>(taken, tile);
            }
            for tile in many..tiles {
                self.strips::<L, REGISTERS, ROWS, 1>(taken, tile);
            }
            self.rows = self.rows.add(taken * self.dimension);
            self.out = self.out.add(taken * self.width);
        }
        self.count -= taken;
    }

    /// Products of the first `taken` rows, whole runs of `ROWS`, with `TILES` tiles from `tile`.
    #[inline(always)]
    unsafe fn strips<L: Lanes, const REGISTERS: usize, const ROWS: usize, const TILES: usize>(
        &self,
        taken: usize,
        tile: usize,
    ) {
        for begin in (0..self.dimension).step_by(STRIP) {
            let length = STRIP.min(self.dimension - begin);
            for row in (0..taken).step_by(ROWS) {
                // SAFETY: ROWS rows from `row` and TILES tiles from `tile` are there, each with
                // `length` components from `begin`, and a product for every pair; the caller
                // vouches for that and for the instruction set.
                unsafe {
                    let sums = self.sums::<L, REGISTERS, ROWS, TILES>(row, tile, begin, length);
                    for (i, sums) in sums.iter().enumerate() {
                        let out = self.out.add((row + i) * self.width + tile * TILE);
                        for (j, &sum) in sums.as_flattened().iter().enumerate() {
                            let out = out.add(j * L::COUNT);
                            let sum = if begin == 0 {
                                sum
                            } else {
                                L::load(out).add(sum)
                            };
                            sum.store(out);
                        }
                    }
                }
            }
        }
    }

    /// Sums over the components from `begin` of the products of `ROWS` rows with `TILES` tiles.
    #[inline(always)]
    unsafe fn sums<L: Lanes, const REGISTERS: usize, const ROWS: usize, const TILES: usize>(
        &self,
        row: usize,
        tile: usize,
        begin: usize,
        length: usize,
    ) -> [[[L; REGISTERS]; TILES]; ROWS] {
        // SAFETY: all offsets are within the rows and tiles; the caller vouches for that and for
        // the instruction set.
        unsafe {
            let rows = self.rows.add(row * self.dimension + begin);
            let tiles = self.tiles.add((tile * self.dimension + begin) * TILE);
            let mut sums = [[[L::splat(0.0); REGISTERS]; TILES]; ROWS];
            for d in 0..length {
                let mut values = [[L::splat(0.0); REGISTERS]; TILES];
                for (t, values) in values.iter_mut().enumerate() {
                    for (r, value) in values.iter_mut().enumerate() {
                        let at = (t * self.dimension + d) * TILE + r * L::COUNT;
                        *value = L::load(tiles.add(at));
                    }
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = L::splat(*rows.add(i * self.dimension + d));
                    for t in 0..TILES {
                        for r in 0..REGISTERS {
                            sums[t][r] = x.mul_add(values[t][r], sums[t][r]);
                        }
                    }
                }
            }
            sums
        }
    }
}
