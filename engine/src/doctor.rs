//! Checking a store's files without changing them.

use std::path::Path;
use std::sync::Arc;

use nearfield_model::{Error, ErrorKind, Result};

use crate::catalog::Catalog;
use crate::collection::Collection;
use crate::engine::place;
use crate::holder;
use crate::io::{Io, RealIo};
use crate::options::Options;

/// What a check of a store's files found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The collections that were checked.
    pub collections: Vec<CollectionReport>,
    /// What is wrong, or worth knowing; faults first.
    pub findings: Vec<Finding>,
}

/// What was checked of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionReport {
    /// Its name.
    pub name: String,
    /// Its points.
    pub points: u64,
    /// Log files that were read.
    pub files: u64,
    /// Records of points whose every byte was verified.
    pub records: u64,
    /// Bytes of the log.
    pub bytes: u64,
}

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether data is damaged, rather than something being worth knowing.
    pub is_fault: bool,
    /// What it is, with file and offset, and what to do.
    pub message: String,
}

/// Checks every byte of the store at `path` and changes none. Nobody else may have it open.
///
/// # Errors
/// `NotFound` if there is no store, `Locked` if somebody has it open, `Storage` if it cannot
/// be read. Damage is not an error but a [`Finding`].
pub fn doctor(path: &Path, options: &Options) -> Result<Report> {
    doctor_with(Arc::new(RealIo::new()), path, options)
}

/// As [`doctor`], on any machine: for simulations.
///
/// # Errors
/// As [`doctor`].
pub fn doctor_with(io: Arc<dyn Io>, path: &Path, options: &Options) -> Result<Report> {
    let mut report = Report::default();
    let catalog = match Catalog::load(&*io, path) {
        Ok(Some(catalog)) => catalog,
        Ok(None) => {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no store at {}; check the path", path.display()),
            ));
        }
        Err(error) if error.kind() == ErrorKind::Corruption => {
            report.fault(&error);
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    let alone = Options {
        shared: false,
        ..options.clone()
    };
    let mut held = holder::lock(&*io, path, &alone)?;
    for (name, entry) in &catalog.collections {
        let place = place(&io, path, entry, options);
        let opened = Collection::open(
            name.clone(),
            entry.schema.clone(),
            place,
            Options {
                background: false,
                ..options.clone()
            },
            held.same_boot,
            false,
        );
        match opened {
            Ok(collection) => report.examine(&collection),
            Err(error) => report.fault(&error),
        }
    }
    held.unchanged(&*io);
    report.findings.sort_by_key(|finding| !finding.is_fault);
    Ok(report)
}

impl Report {
    fn fault(&mut self, error: &Error) {
        self.findings.push(Finding {
            is_fault: true,
            message: error.message().to_owned(),
        });
    }

    fn examine(&mut self, collection: &Collection) {
        let view = collection.view();
        let mut records = 0;
        for file in view.files.iter() {
            for place in file.records() {
                records += 1;
                if let Err(error) = file.verify_all(place) {
                    self.fault(&error);
                }
            }
        }
        if let Some(error) = collection.checkpoint_fault() {
            self.findings.push(Finding {
                is_fault: false,
                message: format!(
                    "{}; nothing is lost: the log was replayed instead, and the next checkpoint replaces it",
                    error.message()
                ),
            });
        }
        for error in &collection.index.lost {
            self.findings.push(Finding {
                is_fault: false,
                message: format!(
                    "{}; nothing is lost: searches do without this part of the index, which is made again \
                     from the log once the store is opened",
                    error.message()
                ),
            });
        }
        for cut in collection.cuts() {
            self.findings.push(Finding {
                is_fault: false,
                message: format!(
                    "{}: {} bytes at offset {} of {} were cut when the store was opened: writes after {} \
                     that were never confirmed as synced",
                    collection.name, cut.bytes, cut.offset, cut.file, cut.sequence
                ),
            });
        }
        self.collections.push(CollectionReport {
            name: collection.name.clone(),
            points: view.count(),
            files: view.files.len() as u64,
            records,
            bytes: view.files.iter().map(|file| file.settled_bytes()).sum(),
        });
    }
}
