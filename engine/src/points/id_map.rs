//! From ids to rows, without keeping the ids: a row and a 32-bit tag per point.

use nearfield_model::IdRef;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::kernel::Huge;

/// Parts that grow and shrink one at a time.
pub(crate) const SHARDS: usize = 64;
const EMPTY: u64 = u64::MAX;
const SLOTS_MIN: usize = 16;

/// The hash of an id under a map's seed.
pub(crate) fn hash(seed: u64, id: IdRef<'_>) -> u64 {
    match id {
        IdRef::U64(number) => mix(seed ^ number),
        IdRef::Uuid(uuid) => xxh3_64_with_seed(uuid.as_bytes(), seed ^ 1),
        IdRef::String(text) => xxh3_64_with_seed(text.as_bytes(), seed ^ 2),
    }
}

/// The finalizer of splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// An open-addressing map from id hashes to rows. Ids are not kept, so whoever looks one up
/// compares the ids of the rows that are offered.
///
/// It consists of shards that grow one at a time, so that growing neither stops a writer for
/// long nor needs the memory of a second map.
#[derive(Debug)]
pub(crate) struct IdMap {
    shards: Vec<Shard>,
    /// Slots of all shards.
    slots: usize,
}

/// Linear probing; a slot is a tag in the upper and a row in the lower half.
#[derive(Debug, Default)]
struct Shard {
    slots: Huge<u64>,
    used: usize,
}

impl IdMap {
    pub(crate) fn with_capacity(points: usize) -> IdMap {
        let mut shards = Vec::new();
        shards.resize_with(SHARDS, Shard::default);
        if points > SHARDS * SLOTS_MIN {
            // A shard gets its share give or take; a tenth above it needs no growth.
            let share = points / SHARDS + points / SHARDS / 10;
            shards
                .iter_mut()
                .for_each(|shard| shard.resize(slots_for(share)));
        }
        let slots = shards.iter().map(|shard| shard.slots.len()).sum();
        IdMap { shards, slots }
    }

    fn shard_of(hash: u64) -> usize {
        (hash >> 58) as usize
    }

    /// The rows that an id with this hash may have.
    pub(crate) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> {
        self.shards[Self::shard_of(hash)].probe(hash as u32)
    }

    /// Fetches the slots of these hashes from memory, all at once, ahead of their use.
    pub(crate) fn fetch(&self, hashes: &[u64]) {
        let first = hashes.iter().map(|hash| {
            let shard = &self.shards[Self::shard_of(*hash)];
            let slot = if shard.slots.is_empty() {
                0
            } else {
                shard.home(*hash as u32)
            };
            shard.slots.get(slot).copied().unwrap_or(EMPTY)
        });
        std::hint::black_box(first.fold(0, |all, entry| all ^ entry));
    }

    /// Adds a row.
    pub(crate) fn insert(&mut self, hash: u64, row: u32) {
        let shard = &mut self.shards[Self::shard_of(hash)];
        let before = shard.slots.len();
        shard.insert(hash as u32, row);
        self.slots += shard.slots.len() - before;
    }

    /// Puts `row` in the place of `old`, which must be there under this hash.
    pub(crate) fn replace(&mut self, hash: u64, old: u32, row: u32) {
        let shard = &mut self.shards[Self::shard_of(hash)];
        if let Some(slot) = shard.find(hash as u32, old) {
            shard.slots[slot] = u64::from(hash as u32) << 32 | u64::from(row);
        }
    }

    /// Removes a row.
    pub(crate) fn remove(&mut self, hash: u64, row: u32) {
        self.shards[Self::shard_of(hash)].remove(hash as u32, row);
    }

    /// Lets a shard give back room that its points do not need, where that is half of it.
    pub(crate) fn shrink(&mut self, shard: usize) {
        let Some(shard) = self.shards.get_mut(shard) else {
            return;
        };
        // An eighth more may come before it grows again.
        let wanted = match shard.used {
            0 => 0,
            used => slots_for(used + used / 8),
        };
        if wanted < shard.slots.len() {
            self.slots -= shard.slots.len() - wanted;
            shard.resize(wanted);
        }
    }

    /// Bytes that the map needs, besides those that it takes, while it takes in `points` more:
    /// what shards grow by, and the old slots of the one that grows.
    pub(crate) fn growth_bytes(&self, points: u64) -> u64 {
        if points == 0 {
            return 0;
        }
        // Shares of a hash scatter by their root; four times that is hardly ever passed.
        let mean = points as usize / SHARDS;
        let share = mean + 4 * mean.isqrt() + 1;
        let (mut growth, mut old) = (0, 0);
        for shard in &self.shards {
            let points = shard.used + share;
            if points * 4 > shard.slots.len() * 3 {
                growth += slots_for(points) - shard.slots.len();
                old = old.max(slots_for(points) / 2);
            }
        }
        (growth + old) as u64 * 8
    }

    /// Bytes that the map takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots * 8
    }
}

fn slots_for(points: usize) -> usize {
    (points * 4).div_ceil(3).next_power_of_two().max(SLOTS_MIN)
}

impl Shard {
    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.slots.len() - 1)
    }

    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    fn probe(&self, tag: u32) -> impl Iterator<Item = u32> {
        let mut slot = if self.slots.is_empty() {
            0
        } else {
            self.home(tag)
        };
        std::iter::from_fn(move || {
            loop {
                let entry = *self.slots.get(slot)?;
                if entry == EMPTY {
                    return None;
                }
                slot = self.next(slot);
                if (entry >> 32) as u32 == tag {
                    return Some(entry as u32);
                }
            }
        })
    }

    fn find(&self, tag: u32, row: u32) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let wanted = u64::from(tag) << 32 | u64::from(row);
        let mut slot = self.home(tag);
        while self.slots[slot] != EMPTY {
            if self.slots[slot] == wanted {
                return Some(slot);
            }
            slot = self.next(slot);
        }
        None
    }

    fn insert(&mut self, tag: u32, row: u32) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.resize(slots_for(self.used + 1));
        }
        let mut slot = self.home(tag);
        while self.slots[slot] != EMPTY {
            slot = self.next(slot);
        }
        self.slots[slot] = u64::from(tag) << 32 | u64::from(row);
        self.used += 1;
    }

    fn resize(&mut self, slots: usize) {
        let mut empty = Huge::zeros(slots);
        empty.fill(EMPTY);
        let old = std::mem::replace(&mut self.slots, empty);
        self.used = 0;
        for entry in old.iter().copied().filter(|entry| *entry != EMPTY) {
            self.insert((entry >> 32) as u32, entry as u32);
        }
    }

    /// Removes by moving later entries of the run back (Knuth, TAOCP 6.4, algorithm R).
    fn remove(&mut self, tag: u32, row: u32) {
        let Some(mut hole) = self.find(tag, row) else {
            return;
        };
        let mask = self.slots.len() - 1;
        let mut slot = self.next(hole);
        while self.slots[slot] != EMPTY {
            let home = self.home((self.slots[slot] >> 32) as u32);
            if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(hole) & mask {
                self.slots[hole] = self.slots[slot];
                hole = slot;
            }
            slot = self.next(slot);
        }
        self.slots[hole] = EMPTY;
        self.used -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn behaves_like_a_naive_map(steps in prop::collection::vec((0_u64..200, any::<bool>()), 1..2000)) {
            let mut map = IdMap::with_capacity(0);
            let mut naive = HashMap::new();
            for (row, (id, keep)) in steps.into_iter().enumerate() {
                let hash = hash(7, IdRef::U64(id));
                // All tags of a shard meet at one slot, so runs grow long.
                let hash = hash & !0xffff;
                let row = row as u32;
                let old: Option<u32> = naive.get(&id).copied();
                match (old, keep) {
                    (Some(old), true) => map.replace(hash, old, row),
                    (None, true) => map.insert(hash, row),
                    (Some(old), false) => map.remove(hash, old),
                    (None, false) => {}
                }
                if keep { naive.insert(id, row); } else { naive.remove(&id); }
                let found = map.candidates(hash).filter(|found| naive.get(&id) == Some(found)).count();
                prop_assert_eq!(found, usize::from(keep));
            }
            let total: usize = map.shards.iter().map(|shard| shard.used).sum();
            prop_assert_eq!(total, naive.len());
            let slots: usize = map.shards.iter().map(|shard| shard.slots.len()).sum();
            prop_assert_eq!(map.memory_bytes(), slots * 8);
            (0..SHARDS).for_each(|shard| map.shrink(shard));
            for (id, row) in &naive {
                let hash = hash(7, IdRef::U64(*id)) & !0xffff;
                prop_assert_eq!(map.candidates(hash).filter(|found| found == row).count(), 1);
            }
        }
    }
    #[test]
    fn room_is_asked_for_before_it_is_taken_and_given_back() {
        let mut map = IdMap::with_capacity(0);
        let mut row = 0;
        for points in [1, 5, 900, 1_000, 64_000, 1, 100_000] {
            let most = map.memory_bytes() as u64 + map.growth_bytes(points);
            for _ in 0..points {
                map.insert(hash(3, IdRef::U64(row.into())), row);
                row += 1;
            }
            assert!(map.memory_bytes() as u64 <= most, "{points}: {most}");
        }
        assert_eq!(map.growth_bytes(0), 0);
        let full = map.memory_bytes();
        for gone in 0..row - 1_000 {
            map.remove(hash(3, IdRef::U64(gone.into())), gone);
        }
        (0..SHARDS).for_each(|shard| map.shrink(shard));
        assert!(map.memory_bytes() * 50 < full, "{}", map.memory_bytes());
        (row - 1_000..row).for_each(|kept| map.remove(hash(3, IdRef::U64(kept.into())), kept));
        (0..SHARDS).for_each(|shard| map.shrink(shard));
        assert_eq!(map.memory_bytes(), 0);
        map.insert(hash(3, IdRef::U64(9)), 9);
        assert_eq!(
            map.candidates(hash(3, IdRef::U64(9))).collect::<Vec<_>>(),
            [9]
        );
    }
}
