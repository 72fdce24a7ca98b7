//! Whether the rows that match a filter are rarer near a query than elsewhere.

/// Lists are looked at together until so many rows that match are to be expected in them: in fewer,
/// chance decides.
const GROUP_EXPECTED: f32 = 16.0;
/// Where this share of what is to be expected is found, matches are not rare.
const SHARE_ENOUGH: f32 = 0.85;
/// What chance takes of a group of `e` expected rows, on average and as a standard deviation, in
/// units of the root of `e`: of the lesser of `e` and a number that is distributed by Poisson.
const LOSS_MEAN: f32 = 0.4;
const LOSS_DEVIATION: f32 = 0.58;
/// Standard deviations that are not by chance.
const DEVIATIONS: f32 = 3.0;

/// The rows of lists near a query, nearest first, and those of them that match. A group of lists
/// counts for no more than is to be expected of it: many matches in one place do not make up for
/// none in others, as with filters that go along with the vectors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rarity {
    /// The share of all rows that match.
    share: f32,
    expected: f32,
    found: f32,
    /// The sum of the roots of what is to be expected of the groups.
    roots: f32,
    group_expected: f32,
    group_found: f32,
}

impl Rarity {
    pub(super) fn new(share: f32) -> Rarity {
        Rarity {
            share,
            ..Rarity::default()
        }
    }

    /// Takes note of the next list: its rows, and those of them that match.
    pub(super) fn see(&mut self, rows: usize, matched: usize) {
        self.group_expected += self.share * rows as f32;
        self.group_found += matched as f32;
        if self.group_expected >= GROUP_EXPECTED {
            *self = self.with_group();
        }
    }

    fn with_group(self) -> Rarity {
        Rarity {
            share: self.share,
            expected: self.expected + self.group_expected,
            found: self.found + self.group_found.min(self.group_expected),
            roots: self.roots + self.group_expected.sqrt(),
            group_expected: 0.0,
            group_found: 0.0,
        }
    }

    /// Whether fewer rows match than is likely by chance.
    pub(super) fn is_rare(&self) -> bool {
        let all = self.with_group();
        let by_chance = LOSS_MEAN * all.roots + DEVIATIONS * LOSS_DEVIATION * all.expected.sqrt();
        all.found < (all.expected - by_chance).min(SHARE_ENOUGH * all.expected) || all.found == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_in_one_place_do_not_make_up_for_none_in_others() {
        let mut even = Rarity::new(0.1);
        let mut apart = Rarity::new(0.1);
        for list in 0..10 {
            even.see(256, 25);
            apart.see(256, if list == 0 { 256 } else { 0 });
        }
        assert!(!even.is_rare());
        assert!(apart.is_rare());
    }

    #[test]
    fn lists_of_few_matches_are_judged_together() {
        let mut rarity = Rarity::new(0.001);
        for list in 0..400 {
            rarity.see(256, usize::from(list % 4 == 0));
        }
        assert!(!rarity.is_rare());
        let mut none = Rarity::new(0.001);
        none.see(256, 0);
        assert!(none.is_rare());
    }
}
