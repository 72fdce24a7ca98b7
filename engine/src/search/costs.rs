//! What the ways of a search cost, in nanoseconds, about.

use super::plan::{Ground, Reach};

/// Comparing a row exactly, and bounding it by its 8-bit code: besides what depends on the
/// dimension.
const COMPARE: f64 = 50.0;
const BOUND: f64 = 25.0;
/// Preparing a query for a list, besides what depends on the dimension.
const PREPARE: f64 = 250.0;
/// Going to a list for single rows of it, which are fetched from anywhere.
const VISIT: f64 = 150.0;
/// Putting a list in its order.
const ORDER: f64 = 30.0;
/// Asking whether a row matches.
const MATCH: f64 = 1.0;

/// What one row, or one list, costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    /// Comparing a row exactly.
    compare: f64,
    /// Looking at a row by itself: at its 8-bit code if there is one.
    look: f64,
    /// Preparing the query for the codes of a list.
    prepare: f64,
    /// Scanning a code.
    scan: f64,
}

impl Costs {
    pub(super) fn new(ground: &Ground<'_>) -> Costs {
        let dimension = ground.collection.schema.dimension as f64;
        let padded = ground.collection.tail.rotation.padded() as f64;
        let compare = COMPARE + dimension * 0.2;
        Costs {
            compare,
            look: match ground.fine.is_empty() {
                true => compare,
                false => BOUND + padded * 0.1,
            },
            prepare: PREPARE + padded * 1.5,
            scan: padded * 0.006,
        }
    }

    /// Whether it is cheaper to look at the rows of a list that match one by one than to scan
    /// the codes of all of them.
    #[inline]
    pub(super) fn is_one_by_one(&self, matching: usize, rows: usize) -> bool {
        VISIT + matching as f64 * self.look < self.scan_list(rows as f64)
    }

    fn scan_list(&self, rows: f64) -> f64 {
        self.prepare + rows * (MATCH + self.scan)
    }
}

/// What the ways of a filtered search would cost per query.
pub(super) struct WayCosts {
    pub(super) exact: f64,
    pub(super) codes: f64,
    /// The 8-bit code of each row.
    pub(super) each: f64,
    pub(super) listed_rows: f64,
}

impl WayCosts {
    pub(super) fn new(ground: &Ground<'_>, reach: &Reach, matching: u64) -> WayCosts {
        let costs = Costs::new(ground);
        let (matching, rows) = (matching as f64, f64::from(ground.view.rows));
        let covered = f64::from(ground.live.covered()) / rows.max(1.0);
        let uncovered = 1.0 - covered;
        let mut codes = uncovered * rows * costs.scan;
        let mut listed_rows = uncovered * matching * costs.compare;
        let mut each = listed_rows + covered * matching * costs.look;
        if ground.fine.is_empty() {
            each = f64::INFINITY;
        }
        for (epoch, probes) in ground.live.epochs.iter().zip(&reach.probes) {
            let segments = ground.live.segments_of(epoch.model.epoch);
            let (lists, probes) = (epoch.model.lists() as f64, *probes as f64);
            let own: f64 = segments.map(|segment| f64::from(segment.stored())).sum();
            let matching = matching * own / rows.max(1.0);
            // Lists that hold a match, if matches fall anywhere.
            let present = lists * (1.0 - (-matching / lists).exp());
            let visited = probes.min(present);
            let coarse = costs.prepare + lists * 4.0 + probes * ORDER;
            codes += coarse + visited * costs.scan_list(own / lists);
            listed_rows += coarse + visited * VISIT;
            listed_rows += visited * matching / present.max(1.0) * costs.look;
        }
        if ground.live.segments.is_empty() {
            listed_rows = f64::INFINITY;
        }
        WayCosts {
            exact: matching * costs.compare,
            codes,
            each,
            listed_rows,
        }
    }
}
