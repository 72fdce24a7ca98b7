//! One measurement of one cell.

use nearfield::Stage;

use super::door::Door;
use super::options::Op;
use crate::statistics::percentile;

/// What is measured together: a door, what it does, and how much at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    pub(super) door: Door,
    pub(super) op: Op,
    pub(super) batch: usize,
}

/// Microseconds by stage.
pub(super) type Stages = [f64; Stage::ALL.len()];

/// What one measurement took.
#[derive(Clone, Debug, Default)]
pub(super) struct Leg {
    /// Which turn of its cell it was: legs of one turn are next to each other in time.
    pub(super) turn: usize,
    /// Vectors or queries.
    pub(super) count: usize,
    /// From the first request's start to the last one's end.
    pub(super) seconds: f64,
    /// Microseconds per request.
    pub(super) times: Vec<f64>,
    /// CPU time on the caller's side.
    pub(super) client_seconds: f64,
    /// CPU time of the other process, if there is one.
    pub(super) server_seconds: f64,
    /// Where the time went, over all requests; none if that was not asked.
    pub(super) stages: Option<Stages>,
}

impl Leg {
    /// Adds what another measurement of the same took.
    pub(super) fn add(&mut self, other: &Leg) {
        self.count += other.count;
        self.seconds += other.seconds;
        self.times.extend(&other.times);
        self.client_seconds += other.client_seconds;
        self.server_seconds += other.server_seconds;
        let both = self.stages.zip(other.stages);
        self.stages = both.map(|(mut sum, stages)| {
            for (sum, us) in sum.iter_mut().zip(stages) {
                *sum += us;
            }
            sum
        });
    }

    pub(super) fn rate(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    /// Microseconds per vector or query.
    pub(super) fn us(&self) -> f64 {
        self.per(self.seconds * 1e6)
    }

    pub(super) fn client_us(&self) -> f64 {
        self.per(self.client_seconds * 1e6)
    }

    pub(super) fn server_us(&self) -> f64 {
        self.per(self.server_seconds * 1e6)
    }

    /// CPU time of both sides, per vector or query.
    pub(super) fn cpu_us(&self) -> f64 {
        self.client_us() + self.server_us()
    }

    /// Microseconds per vector or query, by stage.
    pub(super) fn stages_us(&self) -> Option<Stages> {
        self.stages.map(|stages| stages.map(|us| self.per(us)))
    }

    pub(super) fn percentile(&self, share: f64) -> f64 {
        percentile(&self.times, share)
    }

    fn per(&self, total: f64) -> f64 {
        total / self.count.max(1) as f64
    }
}
