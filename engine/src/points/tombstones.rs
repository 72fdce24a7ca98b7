//! Which rows a later write replaced or removed.

use std::sync::Arc;

use roaring::RoaringBitmap;

/// Rows per block.
pub(crate) const BLOCK_ROWS: u32 = 1 << 16;
const WORDS: usize = BLOCK_ROWS as usize / 64;

/// A bitmap of dead rows. A clone is a snapshot: changing one copies the blocks it touches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tombstones {
    blocks: Arc<Vec<Option<Arc<Block>>>>,
    dead: u64,
}

#[derive(Clone, Debug)]
struct Block {
    words: [u64; WORDS],
    dead: u32,
}

impl Tombstones {
    /// Marks a row as dead; false if it was.
    pub(crate) fn insert(&mut self, row: u32) -> bool {
        let (block, word, bit) = place(row);
        let blocks = Arc::make_mut(&mut self.blocks);
        if blocks.len() <= block {
            blocks.resize(block + 1, None);
        }
        let none = || {
            Arc::new(Block {
                words: [0; WORDS],
                dead: 0,
            })
        };
        let block = Arc::make_mut(blocks[block].get_or_insert_with(none));
        let fresh = block.words[word] & bit == 0;
        block.words[word] |= bit;
        block.dead += u32::from(fresh);
        self.dead += u64::from(fresh);
        fresh
    }

    /// Whether a row is dead.
    pub(crate) fn contains(&self, row: u32) -> bool {
        let (block, word, bit) = place(row);
        let block = self.blocks.get(block).and_then(Option::as_ref);
        block.is_some_and(|block| block.words[word] & bit != 0)
    }

    /// How many rows are dead.
    pub(crate) fn len(&self) -> u64 {
        self.dead
    }

    /// The dead rows among the 64 from `first` on, a multiple of 64, lowest bit first.
    pub(crate) fn word(&self, first: u32) -> u64 {
        let (block, word, _) = place(first);
        self.blocks
            .get(block)
            .and_then(Option::as_ref)
            .map_or(0, |block| block.words[word])
    }

    /// The first row from `row` on that is in no block of which all rows are dead.
    #[inline]
    pub(crate) fn behind_dead_blocks(&self, row: u32) -> u32 {
        let number = row / BLOCK_ROWS;
        let blocks = self.blocks.iter().skip(number as usize);
        let is_full = |block: &&Option<Arc<Block>>| {
            let block = block.as_ref();
            block.is_some_and(|block| block.dead == BLOCK_ROWS)
        };
        match blocks.take_while(is_full).count() as u32 {
            0 => row,
            full => (number + full).saturating_mul(BLOCK_ROWS),
        }
    }

    /// The blocks that hold dead rows, as little-endian words.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (u32, &[u64; WORDS])> {
        let numbered = self.blocks.iter().enumerate();
        numbered.filter_map(|(number, words)| Some((number as u32, &words.as_ref()?.words)))
    }

    /// The dead rows as another kind of bitmap.
    pub(crate) fn to_bitmap(&self) -> RoaringBitmap {
        let mut rows = RoaringBitmap::new();
        for (number, words) in self.blocks() {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            rows |= RoaringBitmap::from_lsb0_bytes(number * BLOCK_ROWS, &bytes);
        }
        rows
    }

    /// Puts back a block that [`blocks`](Self::blocks) gave.
    pub(crate) fn restore(&mut self, number: u32, words: [u64; WORDS]) {
        let blocks = Arc::make_mut(&mut self.blocks);
        if blocks.len() <= number as usize {
            blocks.resize(number as usize + 1, None);
        }
        let dead = words.iter().map(|word| word.count_ones()).sum();
        self.dead += u64::from(dead);
        blocks[number as usize] = Some(Arc::new(Block { words, dead }));
    }
}

fn place(row: u32) -> (usize, usize, u64) {
    (
        (row / BLOCK_ROWS) as usize,
        (row % BLOCK_ROWS / 64) as usize,
        1 << (row % 64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_a_snapshot() {
        let mut dead = Tombstones::default();
        assert!(dead.insert(70_000) && !dead.insert(70_000));
        let before = dead.clone();
        dead.insert(70_001);
        assert!(!before.contains(70_001) && dead.contains(70_001) && before.contains(70_000));
        assert_eq!((before.len(), dead.len()), (1, 2));
        assert_eq!(dead.word(70_000 / 64 * 64).count_ones(), 2);
        let mut restored = Tombstones::default();
        dead.blocks()
            .for_each(|(number, words)| restored.restore(number, *words));
        assert_eq!(restored.len(), 2);
    }

    #[test]
    fn blocks_of_dead_rows_are_passed_over() {
        let mut dead = Tombstones::default();
        (BLOCK_ROWS..3 * BLOCK_ROWS).for_each(|row| {
            dead.insert(row);
        });
        dead.insert(5);
        assert_eq!(dead.behind_dead_blocks(5), 5);
        assert_eq!(dead.behind_dead_blocks(BLOCK_ROWS), 3 * BLOCK_ROWS);
        assert_eq!(dead.behind_dead_blocks(2 * BLOCK_ROWS + 64), 3 * BLOCK_ROWS);
        assert_eq!(dead.behind_dead_blocks(7 * BLOCK_ROWS), 7 * BLOCK_ROWS);
    }
}
