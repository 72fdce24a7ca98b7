//! The names on the disk: what is durable, and what was done since the last sync of each
//! directory.
use super::super::tree::{Names, Number, Place, ROOT};
use super::fate::Fate;
use super::journal::Stamp;
use std::collections::{BTreeMap, BTreeSet};

/// The durable names of each directory, and the changes to come.
#[derive(Clone, Debug)]
pub(super) struct DurableNames {
    durable: BTreeMap<Number, Names>,
    pending: Vec<(Stamp, Change)>,
}

/// A change of names, done as a whole or not at all.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A new file or directory.
    Add(Place, Number),
    /// One that was removed.
    Remove(Place, Number),
    /// One that went from the first place to the second.
    Move(Place, Place, Number),
}

impl DurableNames {
    /// Names that are all durable.
    pub(super) fn new(durable: BTreeMap<Number, Names>) -> DurableNames {
        DurableNames {
            durable,
            pending: Vec::new(),
        }
    }

    /// Notes a change that awaits the sync of its directory.
    pub(super) fn change(&mut self, stamp: Stamp, change: Change) {
        self.pending.push((stamp, change));
    }

    /// Notes a change that is durable at once.
    pub(super) fn change_durably(&mut self, change: Change) {
        make(&mut self.durable, change);
    }

    /// Makes durable what was changed in a directory.
    pub(super) fn sync(&mut self, directory: Number) {
        for (stamp, change) in std::mem::take(&mut self.pending) {
            if change.directory() == directory {
                make(&mut self.durable, change);
            } else {
                self.pending.push((stamp, change));
            }
        }
        self.forget_removed();
    }

    /// Forgets the directories that are durably gone, with what was to change in them.
    fn forget_removed(&mut self) {
        let mut reached = BTreeSet::new();
        reach(&self.durable, ROOT, &mut reached);
        self.durable
            .retain(|directory, _| reached.contains(directory));
        self.pending
            .retain(|(_, change)| reached.contains(&change.directory()));
    }

    /// The oldest change that is not durable.
    pub(super) fn oldest(&self) -> Option<Stamp> {
        self.pending.first().map(|&(stamp, _)| stamp)
    }

    /// The numbers that a name may still lead to after a power loss.
    pub(super) fn numbers(&self) -> BTreeSet<Number> {
        let durable = self
            .durable
            .values()
            .flat_map(|names| names.values().copied());
        durable
            .chain(self.pending.iter().map(|(_, change)| change.number()))
            .collect()
    }

    /// The names as the disk has them after a power loss, of the directories that can be
    /// reached.
    pub(super) fn survivor(&self, fate: &mut Fate) -> BTreeMap<Number, Names> {
        let mut names = self.durable.clone();
        for (stamp, change) in &self.pending {
            if change.can_follow(&names) && fate.spares(*stamp) {
                make(&mut names, change.clone());
            }
        }
        let mut reached = BTreeSet::new();
        reach(&names, ROOT, &mut reached);
        names.retain(|directory, _| reached.contains(directory));
        names.entry(ROOT).or_default();
        names
    }
}

impl Change {
    /// The directory whose sync makes this durable.
    fn directory(&self) -> Number {
        let (Change::Add(place, _) | Change::Remove(place, _) | Change::Move(_, place, _)) = self;
        place.directory
    }

    fn number(&self) -> Number {
        let (Change::Add(_, number) | Change::Remove(_, number) | Change::Move(_, _, number)) =
            self;
        *number
    }

    /// Whether this makes sense after other changes were lost: what it moves or removes is
    /// there, and what it adds is not there under another name.
    fn can_follow(&self, durable: &BTreeMap<Number, Names>) -> bool {
        match self {
            Change::Add(_, number) => !durable
                .values()
                .any(|names| names.values().any(|there| there == number)),
            Change::Remove(from, number) | Change::Move(from, _, number) => {
                let names = durable.get(&from.directory);
                names.and_then(|names| names.get(&from.name)) == Some(number)
            }
        }
    }
}

fn make(durable: &mut BTreeMap<Number, Names>, change: Change) {
    let (from, to, number) = match change {
        Change::Add(to, number) => (None, Some(to), number),
        Change::Remove(from, number) => (Some(from), None, number),
        Change::Move(from, to, number) => (Some(from), Some(to), number),
    };
    if let Some(from) = from
        && let Some(names) = durable.get_mut(&from.directory)
        && names.get(&from.name) == Some(&number)
    {
        names.remove(&from.name);
    }
    if let Some(to) = to {
        durable
            .entry(to.directory)
            .or_default()
            .insert(to.name, number);
    }
}

/// Collects what can be reached from a directory, itself included.
fn reach(names: &BTreeMap<Number, Names>, from: Number, reached: &mut BTreeSet<Number>) {
    reached.insert(from);
    for &number in names.get(&from).into_iter().flat_map(Names::values) {
        reach(names, number, reached);
    }
}
