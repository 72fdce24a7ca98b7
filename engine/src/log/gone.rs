//! The numbers of log files that are no more: compaction found nothing in them to keep, or
//! wrote what was left into the file before.

use serde::{Deserialize, Serialize};

/// Numbers of log files that are no more, as ranges in order, first and last number each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone(Vec<[u64; 2]>);

impl Gone {
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.behind(number) != number
    }

    /// The first number from `number` on that is not gone.
    pub(crate) fn behind(&self, number: u64) -> u64 {
        let at = self.0.partition_point(|[_, last]| *last < number);
        match self.0.get(at) {
            Some([first, last]) if *first <= number => last.saturating_add(1),
            _ => number,
        }
    }

    pub(crate) fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let at = self.0.partition_point(|[_, last]| *last < number);
        self.0.insert(at, [number, number]);
        // Ranges that touch become one.
        if let Some([_, last]) = self.0.get(at + 1).filter(|next| next[0] == number + 1) {
            self.0[at][1] = *last;
            self.0.remove(at + 1);
        }
        if at > 0 && self.0[at - 1][1] + 1 == number {
            self.0[at - 1][1] = self.0[at][1];
            self.0.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let mut gone = Gone::default();
        for number in [5, 1, 9, 3, 2, 4, 5, 8] {
            gone.insert(number);
        }
        assert_eq!(gone.0, [[1, 5], [8, 9]]);
        let present: Vec<u64> = (1..12).filter(|number| !gone.contains(*number)).collect();
        assert_eq!(present, [6, 7, 10, 11]);
        assert_eq!((gone.behind(1), gone.behind(6), gone.behind(8)), (6, 6, 10));
    }
}
