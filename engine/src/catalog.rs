//! Which collections a store has. It advances in one step, by replacing the document.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nearfield_model::{RequestId, Result};
use serde::{Deserialize, Serialize};

use crate::collection::snapshot::Copied;
use crate::document;
use crate::io::Io;
use crate::storage::Schema;

const MAGIC: [u8; 8] = *b"NFCATLG\x01";
const FILE_NAME: &str = "catalog";
/// Creations and removals whose outcomes are remembered.
const OUTCOMES_MAX: usize = 1_024;

/// Which collections a store has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Catalog {
    /// The collections by name.
    pub(crate) collections: BTreeMap<String, Entry>,
    /// The number that the next collection's folder gets; numbers are used once.
    pub(crate) next_directory: u64,
    /// The last creations and removals, so that a retry is applied once. In a snapshot, what it
    /// was taken by.
    pub(crate) outcomes: Vec<Change>,
}

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The number of its folder.
    pub(crate) directory: u64,
    /// What its log files are marked with, chosen at random.
    pub(crate) mark: [u8; 16],
    pub(crate) schema: Schema,
}

/// A creation, a removal or a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    client: [u8; 16],
    number: u64,
    pub(crate) verb: String,
    pub(crate) collection: String,
    /// What a snapshot holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) copied: Option<Copied>,
}

impl Catalog {
    pub(crate) fn load(io: &dyn Io, root: &Path) -> Result<Option<Catalog>> {
        document::load(io, &Catalog::path(root), &MAGIC)
    }

    pub(crate) fn save(&self, io: &dyn Io, root: &Path) -> Result<()> {
        document::save(io, &Catalog::path(root), &MAGIC, self)
    }

    /// Where the catalog of a store is.
    pub(crate) fn path(root: &Path) -> PathBuf {
        root.join(FILE_NAME)
    }

    /// An earlier try of this request.
    pub(crate) fn earlier(&self, request: &RequestId) -> Option<&Change> {
        let ours =
            |change: &&Change| change.client == request.client && change.number == request.number;
        self.outcomes.iter().rev().find(ours)
    }

    /// Remembers a change.
    pub(crate) fn remember(&mut self, request: &RequestId, verb: &str, collection: &str) {
        self.remember_copy(request, verb, collection, None);
    }

    /// Remembers a change, and what was copied by it.
    pub(crate) fn remember_copy(
        &mut self,
        request: &RequestId,
        verb: &str,
        collection: &str,
        copied: Option<Copied>,
    ) {
        if self.outcomes.len() >= OUTCOMES_MAX {
            self.outcomes.remove(0);
        }
        self.outcomes.push(Change {
            client: request.client,
            number: request.number,
            verb: verb.to_owned(),
            collection: collection.to_owned(),
            copied,
        });
    }
}

/// The folder that holds all collections' folders.
pub(crate) fn collections_directory(root: &Path) -> PathBuf {
    root.join("collections")
}

/// The folder of one collection.
pub(crate) fn directory(root: &Path, number: u64) -> PathBuf {
    collections_directory(root).join(format!("{number:08}"))
}

/// Where snapshots go unless told otherwise.
pub(crate) fn snapshots_directory(root: &Path) -> PathBuf {
    root.join("snapshots")
}
