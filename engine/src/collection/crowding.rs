//! When one list holds far more rows than others: many new rows are much nearer to each other than
//! those that an epoch was trained on.

use super::Collection;
use crate::index::live::{Epoch, Live};

/// A new epoch is trained when a list has so many times the rows that it would have if all had as
/// many, and so many times what the fullest had when the epoch began.
const CROWDED: u64 = 8;
const CROWDING_GROWTH: u64 = 2;

impl Collection {
    /// Whether one list has come to hold so many of the rows that searches of it take much longer
    /// than others: new rows are much nearer to each other than those that were trained on.
    pub(super) fn is_crowded(&self, live: &Live, newest: &Epoch) -> bool {
        let covered = live.covered();
        let mut looked = self.index.looked();
        let (epoch, lists) = (newest.model.epoch, newest.model.lists() as u64);
        if u64::from(covered) < newest.model.trained_rows || (epoch, covered) == looked.at {
            return false;
        }
        let even = (u64::from(covered) / lists).max(self.options.index_list_rows.into());
        let crowding = live.fullest_list() / even.max(1);
        // What training does not spread, as equal vectors, is not trained on again and again.
        let least = match looked.at.0 == epoch {
            true => CROWDED.max(looked.crowding * CROWDING_GROWTH),
            false => u64::MAX,
        };
        if looked.at.0 != epoch {
            looked.crowding = crowding;
        }
        looked.at = (epoch, covered);
        crowding >= least
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use nearfield_model::{Batch, Context, Durability, Upsert};

    use crate::collection::fixture::{open, upsert, vector, work};
    use crate::io::SimulatedIo;

    #[test]
    fn a_crowd_in_one_list_is_trained_on_anew_unless_that_spreads_it_no_more() {
        let docs = open(&SimulatedIo::new(16));
        let add = |ids: Range<u64>, width: f32| {
            let center = vector(1, 0);
            let near = |id| {
                let off = vector(id, 7).into_iter().map(move |off| off * width);
                off.zip(&center)
                    .map(|(off, center)| off + center)
                    .collect::<Vec<f32>>()
            };
            let values = ids.clone().flat_map(near).collect();
            let batch = Batch::from_values(ids.collect::<Vec<u64>>(), values);
            docs.upsert(&Context::default(), &Upsert::new("docs", batch))
                .unwrap();
            work(&docs, true);
        };
        upsert(&docs, 0..1_200, 0, Durability::Os);
        work(&docs, true);
        let epoch = || docs.index.live().newest().unwrap().model.epoch;
        let first = epoch();
        add(10_000..10_500, 1e-4);
        assert_eq!(epoch(), first + 1);
        let fullest = docs.index.live().fullest_list();
        assert!(fullest < 100, "{fullest}");
        // Equal vectors stay in one list.
        for crowd in 0..6 {
            let start = 20_000 + crowd * 1_000;
            add(start..start + 100 * (crowd + 1), 0.0);
        }
        assert!(docs.index.live().fullest_list() >= 2_000);
        assert!(epoch() <= first + 5, "{}", epoch());
    }
}
