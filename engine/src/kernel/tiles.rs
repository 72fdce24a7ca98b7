//! Inner products of many rows with many vectors, which are kept in tiles.
//!
//! A tile is 16 vectors, transposed: for each component, the 16 values of the vectors in turn. So a
//! register takes a component of as many vectors as it has lanes, and each load of it serves as many
//! rows as there are registers for sums.
use super::Floats;

/// Vectors of a tile.
pub const TILE: usize = 16;

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
