//! Counters and histograms of calls, over all doors.

mod histogram;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};

use nearfield_model::{ErrorKind, Observation, Observer, Request, Stage};

use histogram::Histogram;
pub(crate) use text::write;

/// The doors that are told apart.
const DOORS: [&str; 3] = ["http", "grpc", "other"];
/// The verbs, and one for requests that have none.
const VERBS: usize = Request::VERBS.len() + 1;
/// The kinds of errors, and one for success.
const OUTCOMES: usize = ErrorKind::ALL.len() + 1;

/// Counts calls. It is told of each by the doors, and written by `/metrics`.
#[derive(Debug)]
pub struct Metrics {
    calls: Vec<AtomicU64>,
    /// By door and verb.
    totals: Vec<Histogram>,
    /// By door and stage.
    stages: Vec<Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        let many = |count| {
            std::iter::repeat_with(Histogram::default)
                .take(count)
                .collect()
        };
        Metrics {
            calls: (0..DOORS.len() * VERBS * OUTCOMES)
                .map(|_| AtomicU64::new(0))
                .collect(),
            totals: many(DOORS.len() * VERBS),
            stages: many(DOORS.len() * Stage::ALL.len()),
        }
    }
}

impl Observer for Metrics {
    fn observe(&self, observation: &Observation<'_>) {
        let place = |names: &[&str], name| names.iter().position(|known| *known == name);
        let door = place(&DOORS, observation.door).unwrap_or(DOORS.len() - 1);
        let verb = observation
            .verb
            .and_then(|verb| place(Request::VERBS, verb))
            .unwrap_or(VERBS - 1);
        let outcome = observation
            .error
            .and_then(|kind| ErrorKind::ALL.iter().position(|known| *known == kind))
            .unwrap_or(OUTCOMES - 1);
        let row = door * VERBS + verb;
        self.calls[row * OUTCOMES + outcome].fetch_add(1, Ordering::Relaxed);
        if observation.verb.is_none() {
            return;
        }
        self.totals[row].add(observation.total);
        for stage in Stage::ALL {
            let time = observation.stages.get(stage);
            if !time.is_zero() {
                self.stages[door * Stage::ALL.len() + stage as usize].add(time);
            }
        }
    }
}
