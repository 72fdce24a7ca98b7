//! Which of the changes that were not synced a power loss spares.
use super::journal::{SECTOR, Stamp};
use super::random::Random;

/// The rule of one power loss, with the chance that carries it out.
#[derive(Debug)]
pub(super) struct Fate {
    rule: Rule,
    random: Random,
}

#[derive(Debug)]
enum Rule {
    /// Nothing had reached the disk.
    Nothing,
    /// Everything had.
    Everything,
    /// Each change is spared by itself, with this chance in eight.
    Each(u64),
    /// The disk wrote the latest first: only changes from this one on are there.
    From(Stamp),
    /// The disk wrote in order: only changes before this one are there.
    Before(Stamp),
}

impl Fate {
    /// A fate for changes whose stamps lie between `oldest` and `newest`.
    pub(super) fn new(seed: u64, oldest: Stamp, newest: Stamp) -> Fate {
        let mut random = Random::new(seed);
        let rule = match random.below(8) {
            0 => Rule::Nothing,
            1 => Rule::Everything,
            2 => Rule::Each(1),
            3 => Rule::Each(4),
            4 => Rule::Each(7),
            kind => {
                let border = oldest + random.below(newest.saturating_sub(oldest) + 2);
                if kind == 5 {
                    Rule::Before(border)
                } else {
                    Rule::From(border)
                }
            }
        };
        Fate { rule, random }
    }

    /// The fate under which nothing that was not synced survives.
    pub(super) fn nothing() -> Fate {
        Fate {
            rule: Rule::Nothing,
            random: Random::new(0),
        }
    }

    /// Whether the change with this stamp survives. Asked again, the answer may differ.
    pub(super) fn spares(&mut self, stamp: Stamp) -> bool {
        match self.rule {
            Rule::Nothing => false,
            Rule::Everything => true,
            Rule::Each(eighths) => self.random.below(8) < eighths,
            Rule::From(border) => stamp >= border,
            Rule::Before(border) => stamp < border,
        }
    }

    /// Whether the disk was in the middle of a sector that it had not written: then, after how
    /// many bytes.
    pub(super) fn tears(&mut self) -> Option<usize> {
        let may_tear = !matches!(self.rule, Rule::Nothing | Rule::Everything);
        if may_tear && self.random.below(8) == 0 {
            return Some(1 + self.random.below(SECTOR - 1) as usize);
        }
        None
    }
}
