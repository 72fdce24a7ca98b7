//! Searching: each door has a copy of one store, and keeps it open over the rounds where the
//! ladder's own process calls.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nearfield::{Collection, Metric};

use super::check::fill;
use super::climb::{self, COLLECTION, Order};
use super::leg::{Cell, Leg};
use super::open::Open;
use super::options::Behind;
use super::run::{Run, utf8};
use crate::Result;
use crate::wait::{Patience, wait_settled};

/// A door's copy of the store.
pub(super) enum Searched {
    /// Opened by a program in another language, each time.
    Path(PathBuf),
    /// Held open.
    Open(Box<Open>, PathBuf),
}

impl Run<'_> {
    /// Measures searches once.
    pub(super) fn find(
        &mut self,
        cell: Cell,
        behind: Behind,
        is_explained: bool,
        seconds: f64,
        searched: &Searched,
    ) -> Result<Leg> {
        let (Searched::Path(path) | Searched::Open(_, path)) = searched;
        let rows = self.work.rows();
        if let Some(program) = self.languages.get(&cell.door) {
            let job = self.job(cell, behind, path, is_explained, seconds)?;
            let (leg, found) = program.climb(&job)?;
            if behind == Behind::Real && found != self.checker.ids(rows)? {
                return Err("exact searches find something else than the embedded door".into());
            }
            return Ok(leg);
        }
        let kept;
        let open = match (searched, behind) {
            (Searched::Open(open, _), behind) if behind == self.plan.engine => open,
            _ => {
                kept = Open::door(cell.door, behind, path, self.program, is_explained)?;
                kept.create(self.work.dim)?;
                &kept
            }
        };
        let order = Order {
            batch: cell.batch,
            durability: self.plan.durability(),
            time_max: Duration::from_secs_f64(seconds),
            server_cpu: &|| open.server_cpu(),
        };
        let leg = climb::search(&open.rung, self.work, &order)?;
        if behind == Behind::Real {
            self.check(&open.rung.database()?, rows)?;
        }
        Ok(leg)
    }

    /// Makes a door's copy of the store, and opens it where it is kept open.
    pub(super) fn searched(&mut self, cell: Cell) -> Result<Searched> {
        let behind = self.plan.engine;
        let path = self.place.path().join(format!("searched-{}", cell.door));
        if behind == Behind::Real {
            copy(&self.filled()?, &path)?;
        }
        if self.languages.contains_key(&cell.door) {
            return Ok(Searched::Path(path));
        }
        let open = Open::door(cell.door, behind, &path, self.program, true)?;
        match behind {
            Behind::Real => settle(&open.rung.database()?.collection(COLLECTION)?)?,
            Behind::Null => open.create(self.work.dim)?,
        }
        Ok(Searched::Open(Box::new(open), path))
    }

    /// The store that copies are made of.
    fn filled(&self) -> Result<PathBuf> {
        let path = self.place.path().join("filled");
        if !path.exists() {
            let database = nearfield::connect(utf8(&path)?)?;
            let dim = self.work.dim;
            let collection = database.create_collection(COLLECTION, dim, Metric::Euclidean)?;
            fill(&collection, self.work, self.work.rows())?;
            settle(&collection)?;
            collection.flush()?;
        }
        Ok(path)
    }
}

/// Waits until what follows writes in the background is done.
fn settle(collection: &Collection) -> Result<()> {
    wait_settled(collection, Patience::default()).map(|_| ())
}

/// Copies the files of a closed store.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&from, &to)?;
        } else if kind.is_file() {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
