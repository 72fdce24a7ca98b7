//! The state of a simulated machine.
use super::super::File;
use super::super::descriptor::Descriptor;
use super::super::tree::{Names, Node, Number, Tree};
use super::fate::Fate;
use super::faults::Faults;
use super::journal::{Journaled, Stamp};
use super::names::DurableNames;
use super::random::Random;
use std::collections::BTreeMap;
use std::io::{Error, IoSlice, Result};
use std::sync::Arc;
use std::time::Duration;

/// Disk, clock and chance of a simulated machine.
#[derive(Debug)]
pub(super) struct Disk {
    /// The names that the running system sees.
    pub(super) tree: Tree,
    /// The names that are durable.
    pub(super) names: DurableNames,
    /// The files, those too whose removal is not durable.
    pub(super) files: BTreeMap<Number, Journaled>,
    /// The stamp of the last change.
    pub(super) clock: Stamp,
    /// What is to go wrong.
    pub(super) faults: Faults,
    /// Where chance comes from.
    pub(super) random: Random,
    /// What time it is.
    pub(super) now: Duration,
    /// Which start of the machine this is.
    pub(super) boot_id: [u8; 16],
    /// How many operations there were that change the disk.
    pub(super) operations: u64,
    /// After how many operations the power goes.
    pub(super) operations_max: u64,
    /// Whether the power is gone, or the process.
    pub(super) dead: bool,
}

impl Disk {
    /// An empty disk in a machine that just started.
    pub(super) fn new(seed: u64) -> Disk {
        let mut random = Random::new(seed);
        let mut boot_id = [0; 16];
        random.fill(&mut boot_id);
        Disk {
            tree: Tree::new(),
            names: DurableNames::new(BTreeMap::new()),
            files: BTreeMap::new(),
            clock: 0,
            faults: Faults::default(),
            random,
            now: Duration::ZERO,
            boot_id,
            operations: 0,
            operations_max: u64::MAX,
            dead: false,
        }
    }

    /// Fails if the power is gone; to be asked before anything is read.
    pub(super) fn alive(&self) -> Result<()> {
        if self.dead {
            return Err(Error::from_raw_os_error(
                rustix::io::Errno::IO.raw_os_error(),
            ));
        }
        Ok(())
    }

    /// Counts an operation, before which the power may go.
    pub(super) fn operate(&mut self) -> Result<()> {
        self.dead |= self.operations >= self.operations_max;
        self.alive()?;
        self.operations += 1;
        Ok(())
    }

    /// The next stamp.
    pub(super) fn stamp(&mut self) -> Stamp {
        self.clock += 1;
        self.clock
    }

    /// Writes to a file. What happens to one that no name leads to leaves no trace on the disk.
    pub(super) fn write(
        &mut self,
        number: Number,
        content: &Descriptor,
        offset: u64,
        bytes: &[u8],
    ) -> Result<()> {
        match self.files.get_mut(&number) {
            Some(file) => file.write(offset, bytes, &mut self.clock),
            None => content.write_at(offset, &[IoSlice::new(bytes)]),
        }
    }

    /// Cuts or extends a file.
    pub(super) fn set_len(&mut self, number: Number, content: &Descriptor, len: u64) -> Result<()> {
        match self.files.get_mut(&number) {
            Some(file) => file.set_len(len, &mut self.clock),
            None => content.set_len(len),
        }
    }

    /// Forgets the files that no name leads to, now or after a power loss.
    pub(super) fn forget_removed(&mut self) {
        let named = self.names.numbers();
        let nodes = self.tree.nodes();
        self.files
            .retain(|number, _| nodes.contains_key(number) || named.contains(number));
    }

    /// The fate that a seed stands for, given what is not durable now.
    pub(super) fn fate(&self, seed: u64) -> Fate {
        let files = self.files.values().filter_map(Journaled::oldest);
        let oldest = files.chain(self.names.oldest()).min().unwrap_or(self.clock);
        Fate::new(seed, oldest, self.clock)
    }

    /// The machine started again after a power loss.
    pub(super) fn after_power_loss(&self, seed: u64, mut fate: Fate) -> Result<Disk> {
        let names = self.names.survivor(&mut fate);
        let mut files = BTreeMap::new();
        for number in names.values().flat_map(Names::values) {
            if let Some(file) = self.files.get(number) {
                files.insert(
                    *number,
                    Journaled::new(Arc::new(file.survivor(&mut fate)?))?,
                );
            }
        }
        let tree = tree_of(&names, &files, self.tree.next());
        // Neither the boot id nor any later number may repeat those of the machine before.
        let fresh = Disk::new(self.random.clone().next() ^ seed);
        let now = self.now + Duration::from_secs(10);
        Ok(Disk {
            tree,
            names: DurableNames::new(names),
            files,
            now,
            ..fresh
        })
    }

    /// The machine as another process finds it when the present one has died.
    pub(super) fn after_kill(&self) -> Result<Disk> {
        let mut files = BTreeMap::new();
        for (&number, file) in &self.files {
            files.insert(number, file.copy()?);
        }
        let mut visible = BTreeMap::new();
        for (&number, node) in self.tree.nodes() {
            if let Node::Directory(names) = node {
                visible.insert(number, names.clone());
            }
        }
        Ok(Disk {
            tree: tree_of(&visible, &files, self.tree.next()),
            names: self.names.clone(),
            files,
            clock: self.clock,
            faults: Faults::default(),
            random: self.random.clone(),
            now: self.now,
            boot_id: self.boot_id,
            operations: 0,
            operations_max: u64::MAX,
            dead: false,
        })
    }
}

/// A tree of these directories with these files. A number in a directory that is not a file is
/// a directory, if only an empty one.
fn tree_of(
    names: &BTreeMap<Number, Names>,
    files: &BTreeMap<Number, Journaled>,
    next: Number,
) -> Tree {
    let mut nodes = BTreeMap::new();
    for (&directory, here) in names {
        for number in here.values() {
            let node = match files.get(number) {
                Some(file) => Node::File(Arc::clone(&file.content)),
                None => Node::Directory(names.get(number).cloned().unwrap_or_default()),
            };
            nodes.insert(*number, node);
        }
        nodes
            .entry(directory)
            .or_insert_with(|| Node::Directory(here.clone()));
    }
    Tree::from_nodes(nodes, next)
}
