//! What a search looked at and where its time went, for those who ask.

use std::sync::Arc;
use std::time::Duration;

use nearfield_model::{Explanation, SearchStage};

use crate::io::Io;

/// A stretch of the way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    Filter,
    Prepare,
    Coarse,
    Scan,
    Rerank,
    Answer,
}

const NAMES: [&str; 6] = ["filter", "prepare", "coarse", "scan", "rerank", "answer"];

/// Counts, and times if they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) rows_scanned: u64,
    pub(crate) rows_refined: u64,
    pub(crate) rows_compared: u64,
    pub(crate) lists_probed: u64,
    us: [f64; NAMES.len()],
    /// When the stretch under way began.
    since: Option<(Arc<dyn Io>, Duration)>,
}

impl Trace {
    /// A trace that takes times if there is a clock.
    pub(crate) fn new(clock: Option<Arc<dyn Io>>) -> Trace {
        Trace {
            rows_scanned: 0,
            rows_refined: 0,
            rows_compared: 0,
            lists_probed: 0,
            us: [0.0; NAMES.len()],
            since: clock.map(|clock| {
                let now = clock.now();
                (clock, now)
            }),
        }
    }

    /// Ends a stretch; the next begins.
    #[inline]
    pub(crate) fn lap(&mut self, stage: Stage) {
        if let Some((clock, since)) = &mut self.since {
            let now = clock.now();
            self.us[stage as usize] += now.saturating_sub(*since).as_secs_f64() * 1e6;
            *since = now;
        }
    }

    /// A trace for another thread of the same search.
    pub(crate) fn sibling(&self) -> Trace {
        Trace::new(self.since.as_ref().map(|(clock, _)| clock.clone()))
    }

    /// Adds what another thread did.
    pub(crate) fn add(&mut self, other: &Trace) {
        self.rows_scanned += other.rows_scanned;
        self.rows_refined += other.rows_refined;
        self.rows_compared += other.rows_compared;
        self.lists_probed += other.lists_probed;
        for (us, other) in self.us.iter_mut().zip(other.us) {
            *us += other;
        }
    }

    /// Writes down what was traced.
    pub(crate) fn into_explanation(self, explanation: Explanation) -> Explanation {
        let stages = NAMES.iter().zip(self.us).filter(|(_, us)| *us > 0.0);
        Explanation {
            rows_scanned: self.rows_scanned,
            rows_refined: self.rows_refined,
            rows_compared: self.rows_compared,
            lists_probed: self.lists_probed,
            stages: stages
                .map(|(name, us)| SearchStage {
                    name: (*name).to_owned(),
                    us,
                })
                .collect(),
            ..explanation
        }
    }
}
