//! What a search finds follows from the state of the store alone: not from how many threads
//! answer, how queries are batched, who else searches, or whether the store was reopened.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod harness;

use std::path::Path;
use std::sync::Arc;

use harness::{Random, call};
use nearfield_engine::io::SimulatedIo;
use nearfield_engine::{Engine, Options};
use nearfield_model::{
    Batch, CreateCollection, Delete, DescribeCollection, Durability, Filter, Flush, Hit, Ids,
    IndexDescription, MetadataColumn, Metric, Search, Storage, Upsert, Vectors,
};

const DIMENSION: usize = 24;
const POINTS: u64 = 2_600;
const QUERIES: usize = 40;
const METRICS: [Metric; 3] = [Metric::Euclidean, Metric::Cosine, Metric::Dot];

fn open(io: &SimulatedIo, threads: usize, lean: bool) -> Engine {
    let mut options = Options::default();
    options.background = false;
    options.search_threads = threads;
    options.index_rows = 600;
    options.index_batch_rows = 128;
    options.index_list_rows = 16;
    options.exact_rows = 0;
    options.lean = lean;
    Engine::open_with(Arc::new(io.clone()), Path::new("/store"), options).unwrap()
}

fn vectors(random: &mut Random, count: usize) -> Vec<f32> {
    let mut component = || random.below(2_000) as f32 / 1_000.0 - 1.0;
    (0..count * DIMENSION).map(|_| component()).collect()
}

/// A store with two epochs behind it, updated and removed points, and a tail.
fn filled(io: &SimulatedIo, metric: Metric, lean: bool) -> Engine {
    let engine = open(io, 1, lean);
    let storage = match metric {
        Metric::Dot => Storage::F16,
        _ => Storage::F32,
    };
    let create = CreateCollection::new("docs", DIMENSION, metric).storage(storage);
    call(&engine, create).unwrap();
    let mut random = Random(5);
    let mut upsert = |ids: std::ops::Range<u64>| {
        let metadata: Vec<serde_json::Value> = ids
            .clone()
            .map(|id| serde_json::json!({"third": id % 3, "hundredth": id % 100}))
            .collect();
        let column = MetadataColumn::try_from(&metadata[..]).unwrap();
        let ids: Vec<u64> = ids.collect();
        let values = vectors(&mut random, ids.len());
        let batch = Batch::from_values(ids, values).metadata(column);
        let upsert = Upsert::new("docs", batch).durability(Durability::Os);
        call(&engine, upsert).unwrap();
    };
    for first in (0..POINTS).step_by(100) {
        upsert(first..first + 100);
    }
    upsert(300..400);
    let gone: Vec<u64> = (1_000..1_090).collect();
    call(&engine, Delete::new("docs", Ids::from(gone))).unwrap();
    call(&engine, Flush::new("docs")).unwrap();
    engine
}

fn index_of(engine: &Engine) -> IndexDescription {
    let description = call(engine, DescribeCollection::new("docs")).unwrap();
    description.index.unwrap()
}

/// The hits of the same queries, so many of them per call; with each filter and recall.
fn hits(engine: &Engine, together: usize) -> Vec<Vec<Hit>> {
    let queries = vectors(&mut Random(11), QUERIES);
    let mut all = Vec::new();
    for filter in [None, Some("third = 1"), Some("hundredth = 7")] {
        for recall in [0.8, 0.95, 1.0] {
            for part in queries.chunks(together * DIMENSION) {
                let mut search = Search::new("docs", Vectors::new(part, DIMENSION).unwrap());
                search.filter = filter.map(|text| Filter::parse(text).unwrap());
                let search = search.recall(recall).limit(20);
                all.extend(call(engine, search).unwrap().results);
            }
        }
    }
    all
}

#[test]
fn hits_do_not_depend_on_threads_or_batches_or_other_searches() {
    for metric in METRICS {
        let io = SimulatedIo::new(1);
        drop(filled(&io, metric, false));
        let engine = open(&io, 1, false);
        call(&engine, Flush::new("docs")).unwrap();
        let expected = hits(&engine, QUERIES);
        assert!(index_of(&engine).epoch > 1 && index_of(&engine).rows > 2_000);
        for together in [1, 7] {
            assert_eq!(hits(&engine, together), expected, "{metric:?} {together}");
        }
        drop(engine);
        let engine = open(&io, 4, false);
        call(&engine, Flush::new("docs")).unwrap();
        std::thread::scope(|scope| {
            for together in [QUERIES, QUERIES, 9] {
                let (engine, expected) = (&engine, &expected);
                scope.spawn(move || assert_eq!(hits(engine, together), *expected, "{metric:?}"));
            }
        });
    }
}

#[test]
fn hits_stay_the_same_when_the_store_is_reopened_once_8_bit_codes_are_made_again() {
    let lean = [false, true];
    let cases = METRICS
        .into_iter()
        .flat_map(|metric| lean.map(|lean| (metric, lean)));
    for (metric, lean) in cases {
        for killed in [false, true] {
            let io = SimulatedIo::new(2);
            let engine = filled(&io, metric, lean);
            let expected = hits(&engine, QUERIES);
            let left = if killed { io.kill().unwrap() } else { io };
            drop(engine);
            let engine = open(&left, 1, lean);
            // Without 8-bit codes there is nothing to make again.
            if !lean {
                call(&engine, Flush::new("docs")).unwrap();
            }
            let found = hits(&engine, QUERIES);
            assert_eq!(
                found, expected,
                "{metric:?}, lean: {lean}, killed: {killed}"
            );
        }
    }
}

#[test]
fn an_index_of_any_metric_is_kept_when_the_store_is_reopened() {
    for metric in METRICS {
        let io = SimulatedIo::new(3);
        let engine = filled(&io, metric, true);
        let before = index_of(&engine);
        drop(engine);
        let after = index_of(&open(&io, 1, true));
        assert!(before.rows > 2_000 && before.settled, "{before:?}");
        assert_eq!(after.fault, None, "{metric:?}");
        let kept = |index: &IndexDescription| {
            let numbers = (index.epoch, index.lists, index.rows, index.segments);
            (numbers, index.calibration.clone())
        };
        assert_eq!(kept(&after), kept(&before), "{metric:?}");
    }
}
