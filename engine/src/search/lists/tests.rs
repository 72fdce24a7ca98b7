//! How far a search among rows that match looks.

use nearfield_model::{Durability, Filter, Search};

use super::super::plan::{Ground, Reach};
use super::super::query::Query;
use super::super::top_k::TopK;
use super::*;
use crate::collection::fixture::{open, upsert, vector, work};
use crate::io::SimulatedIo;

#[test]
fn rows_of_the_newer_epoch_alone_are_looked_for_as_far_as_it_says() {
    let docs = open(&SimulatedIo::new(1));
    upsert(&docs, 0..64, 0, Durability::Os);
    work(&docs, true);
    // The next epoch, of which the first rows are drained before older ones are assigned anew.
    upsert(&docs, 64..300, 0, Durability::Os);
    while docs.index.live().epochs.len() < 2 {
        assert!(docs.upkeep_some(false, &|| false));
    }
    while docs.drain_some(true, &|| false) {}
    let ground = Ground::new(&docs);
    assert_eq!(
        ground.live.segments_of(1).map(|s| s.stored()).sum::<u32>(),
        64
    );
    let vector = vector(0, 0);
    for (rows, wanted) in [(64..300, 3), (0..64, 1), (0..300, 4)] {
        let matching = Matching::new(
            &Filter::eq("n", 1),
            &ground.view,
            rows.into_iter().collect(),
        );
        let query = Query::new(&docs, &vector).unwrap();
        let mut nearest = TopK::new(1, &ground.view);
        let mut trace = Trace::new(None);
        let reach = Reach {
            horizon: vec![None; 2],
            share: 1.0,
            probes: vec![1, 3],
            epsilon: 2.0,
            rerank: None,
            each: false,
        };
        let scratch = &mut Scratch::default();
        scratch.found.begin(1);
        let (query, matching) = (&query, Some(&matching));
        probe_lists(
            &ground,
            query,
            matching,
            &reach,
            &mut nearest,
            scratch,
            &mut trace,
        )
        .unwrap();
        assert_eq!(trace.lists_probed, wanted);
    }
    let found = Search::new("docs", &vector[..]).limit(1);
    assert_eq!(
        crate::collection::fixture::find(&docs, &found).results[0][0].id,
        0.into()
    );
}
