//! Rows as a bit each.

use roaring::RoaringBitmap;

/// A bit per row: rows that match a filter.
#[derive(Debug)]
pub(crate) struct Mask(Vec<u64>);

impl Mask {
    /// The rows below `count` of a bitmap.
    pub(crate) fn new(rows: &RoaringBitmap, count: u32) -> Mask {
        let mut words = vec![0; (count as usize).div_ceil(64)];
        let mut bytes = Vec::with_capacity(rows.serialized_size());
        // Writing to a vector does not fail.
        let _written = rows.serialize_into(&mut bytes);
        if fill(&mut words, &bytes).is_none() {
            // A form of bitmaps that is not known here.
            for row in rows {
                if let Some(word) = words.get_mut(row as usize / 64) {
                    *word |= 1 << (row % 64);
                }
            }
        }
        Mask(words)
    }

    /// Bytes that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.len() * 8
    }

    /// The matching rows among the 64 from `first` on.
    #[inline]
    pub(crate) fn word(&self, first: u32) -> u64 {
        self.0.get(first as usize / 64).copied().unwrap_or(0)
    }

    /// Whether a row matches.
    #[inline]
    pub(crate) fn contains(&self, row: u32) -> bool {
        self.word(row) >> (row % 64) & 1 == 1
    }
}

/// Sets the bits of a serialized bitmap (the "Roaring format specification"), a container of
/// 65,536 rows at a time; `None` if it is not one.
fn fill(words: &mut [u64], bytes: &[u8]) -> Option<()> {
    const RUNS: u16 = 12_347;
    const NO_RUNS: u32 = 12_346;
    const ARRAY_MAX: usize = 4_096;
    const CONTAINER_WORDS: usize = 1_024;
    const OFFSETS_FROM: usize = 4;
    let mut rest = bytes;
    let mut take = |count: usize| {
        let (taken, others) = rest.split_at_checked(count)?;
        rest = others;
        Some(taken)
    };
    let cookie = u32::from_le_bytes(*take(4)?.first_chunk()?);
    let (count, runs) = if cookie as u16 == RUNS {
        let count = (cookie >> 16) as usize + 1;
        (count, take(count.div_ceil(8))?)
    } else if cookie == NO_RUNS {
        let count = u32::from_le_bytes(*take(4)?.first_chunk()?) as usize;
        (count, &[][..])
    } else {
        return None;
    };
    let heads = take(count.checked_mul(4)?)?.as_chunks::<4>().0;
    if runs.is_empty() || count >= OFFSETS_FROM {
        take(count * 4)?;
    }
    for (number, [a, b, c, d]) in heads.iter().enumerate() {
        let base = usize::from(u16::from_le_bytes([*a, *b])) * CONTAINER_WORDS;
        let rows = usize::from(u16::from_le_bytes([*c, *d])) + 1;
        let end = words.len().min(base + CONTAINER_WORDS);
        let words = words.get_mut(base..end).unwrap_or_default();
        let mut set = |row: usize| {
            if let Some(word) = words.get_mut(row / 64) {
                *word |= 1 << (row % 64);
            }
        };
        let is_runs = runs
            .get(number / 8)
            .is_some_and(|byte| byte >> (number % 8) & 1 == 1);
        if is_runs {
            let count = usize::from(u16::from_le_bytes(*take(2)?.first_chunk()?));
            for [a, b, c, d] in take(count * 4)?.as_chunks::<4>().0 {
                let start = usize::from(u16::from_le_bytes([*a, *b]));
                let more = usize::from(u16::from_le_bytes([*c, *d]));
                (start..=start + more).for_each(&mut set);
            }
        } else if rows <= ARRAY_MAX {
            for row in take(rows * 2)?.as_chunks::<2>().0 {
                set(usize::from(u16::from_le_bytes(*row)));
            }
        } else {
            let from = take(CONTAINER_WORDS * 8)?.as_chunks::<8>().0;
            for (word, from) in words.iter_mut().zip(from) {
                *word = u64::from_le_bytes(*from);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_mask_has_the_bits_of_its_bitmap(
            rows in prop::collection::vec(0_u32..300_000, 0..20_000),
            ranges in prop::collection::vec((0_u32..300_000, 0_u32..70_000), 0..4),
            runs in any::<bool>(),
            count in 1_u32..300_000,
        ) {
            let mut bitmap: RoaringBitmap = rows.into_iter().collect();
            for (first, length) in ranges {
                bitmap.insert_range(first..first + length);
            }
            if runs {
                bitmap.optimize();
            }
            let mut bytes = Vec::new();
            bitmap.serialize_into(&mut bytes).unwrap();
            let mut words = vec![0; (count as usize).div_ceil(64)];
            prop_assert!(fill(&mut words, &bytes).is_some());
            let mask = Mask::new(&bitmap, count);
            for row in 0..count {
                prop_assert_eq!(mask.contains(row), bitmap.contains(row));
            }
        }
    }
}
