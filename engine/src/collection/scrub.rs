//! The background check: every record that was there when the store was opened is read once
//! and compared with its checksums.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Collection;

/// How far the check has come, and what it found.
#[derive(Debug, Default)]
pub(crate) struct Scrub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the log file, and the record in it.
    file: u64,
    record: usize,
    damage: Option<String>,
}

impl Scrub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first damage that was found.
    pub(crate) fn damage(&self) -> Option<String> {
        self.state().damage.clone()
    }
}

impl Collection {
    /// Checks some records; false when all are checked.
    pub(crate) fn scrub_some(&self, records: usize) -> bool {
        self.attempt("checking the log", &self.retry.scrub, || {
            Ok(self.check_records(records))
        })
    }

    fn check_records(&self, records: usize) -> bool {
        let view = self.view();
        let mut state = self.scrub.state();
        for _ in 0..records {
            // Compaction may have taken the file.
            let at = view
                .files
                .partition_point(|file| file.header.number < state.file);
            let Some(file) = view.files.get(at).filter(|_| !self.is_closed()) else {
                return false;
            };
            if file.header.number != state.file {
                (state.file, state.record) = (file.header.number, 0);
            }
            let Some(place) = file.record_place(state.record) else {
                (state.file, state.record) = (state.file + 1, 0);
                continue;
            };
            state.record += 1;
            if let Err(error) = file.verify_all(place) {
                state
                    .damage
                    .get_or_insert_with(|| error.message().to_owned());
            }
        }
        true
    }
}
