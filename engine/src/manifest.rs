//! What a collection's files are. It advances in one step, by replacing the document.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nearfield_model::Result;
use serde::{Deserialize, Serialize};

use crate::document;
use crate::io::Io;
use crate::log::gone::Gone;
use crate::log::recovery::{Cut, Start};

const MAGIC: [u8; 8] = *b"NFMANIF\x01";
const FILE_NAME: &str = "manifest";

/// What a collection's files are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The checkpoint, by number; 0 if there is none.
    pub(crate) checkpoint: u64,
    /// Where replay begins.
    pub(crate) start: Start,
    /// Log files that compaction replaced, with their present generation.
    pub(crate) generations: BTreeMap<u64, u32>,
    /// Log files that compaction left nothing of.
    #[serde(default)]
    pub(crate) gone: Gone,
    /// The last cuts from the end of the log, oldest first.
    pub(crate) cuts: Vec<Cut>,
}

/// Cuts that are remembered.
const CUTS_MAX: usize = 16;

impl Manifest {
    /// The generation that counts of the log file of this number, unless it is gone.
    pub(crate) fn generation(&self, number: u64) -> Option<u32> {
        let generation = self.generations.get(&number).copied().unwrap_or(0);
        (!self.gone.contains(number)).then_some(generation)
    }

    pub(crate) fn load(io: &dyn Io, directory: &Path) -> Result<Option<Manifest>> {
        document::load(io, &Manifest::path(directory), &MAGIC)
    }

    pub(crate) fn save(&self, io: &dyn Io, directory: &Path) -> Result<()> {
        document::save(io, &Manifest::path(directory), &MAGIC, self)
    }

    /// Where the manifest of a collection is.
    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join(FILE_NAME)
    }

    /// Remembers a cut.
    pub(crate) fn note(&mut self, cut: Cut) {
        if self.cuts.len() >= CUTS_MAX {
            self.cuts.remove(0);
        }
        self.cuts.push(cut);
    }
}

/// The path of a checkpoint.
pub(crate) fn checkpoint_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:010}.checkpoint"))
}
