//! Failures that were ordered.
use std::io::{Error, ErrorKind, Result};

/// What is to go wrong, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// How many more bytes fit on the disk.
    pub(super) room: Option<u64>,
    /// How many writes from now one fails, and how.
    pub(super) write: Option<(u64, ErrorKind)>,
    /// How many syncs from now one fails.
    pub(super) sync: Option<u64>,
    /// Whether renaming fails.
    pub(super) renames: bool,
}

impl Faults {
    /// How many of the `len` bytes of a write get through, with the error if not all do. Of a
    /// write that is ordered to fail, `part` bytes do.
    pub(super) fn write(&mut self, len: u64, part: u64) -> (u64, Result<()>) {
        if let Some((countdown, kind)) = &mut self.write {
            *countdown = countdown.saturating_sub(1);
            if *countdown == 0 {
                let error = Error::new(*kind, "a write that was ordered to fail");
                self.write = None;
                return (part.min(len), Err(error));
            }
        }
        let Some(room) = &mut self.room else {
            return (len, Ok(()));
        };
        let fits = len.min(*room);
        *room -= fits;
        let outcome = if fits == len {
            Ok(())
        } else {
            Err(ErrorKind::StorageFull.into())
        };
        (fits, outcome)
    }

    /// Fails if this sync was ordered to.
    pub(super) fn sync(&mut self) -> Result<()> {
        if let Some(countdown) = &mut self.sync {
            *countdown = countdown.saturating_sub(1);
            if *countdown == 0 {
                self.sync = None;
                return Err(Error::other("a sync that was ordered to fail"));
            }
        }
        Ok(())
    }

    /// Fails if renaming was ordered to.
    pub(super) fn rename(&self) -> Result<()> {
        if self.renames {
            return Err(Error::other("a rename that was ordered to fail"));
        }
        Ok(())
    }
}
