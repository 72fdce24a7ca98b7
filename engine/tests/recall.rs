//! Recall that is asked for is reached: measured on fixed data against exact search, and
//! compared with what `baselines/recall.txt` says was reached before.
//!
//! `NEARFIELD_BASELINE=write` writes the baseline anew, for review.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(
    clippy::disallowed_methods,
    reason = "the baseline is no file of a store"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nearfield_engine::io::SimulatedIo;
use nearfield_engine::{Engine, Options};
use nearfield_model::{
    Batch, Context, CreateCollection, Durability, Filter, Found, Id, MetadataColumn, Metric,
    Response, Search, Service, Storage, Upsert, Vectors,
};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/baselines/recall.txt");
/// How far a recall may lie from the baseline's: other CPUs sum in another order.
const TOLERANCE: f64 = 0.01;
/// How far a recall may be below what was asked for: 1,000 neighbours are counted.
const SHORTFALL: f64 = 0.01;
/// Rows from which on there is an index, so that each case has one.
const INDEX_ROWS: u32 = 3_000;
const CLUSTERS: usize = 50;
const QUERIES: usize = 100;
const LIMIT: usize = 10;

/// Vectors in clusters, each a plane of few dimensions with a little noise.
struct Data {
    dimension: usize,
    intrinsic: usize,
    state: u64,
    /// A centre and the directions of a plane per cluster.
    clusters: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Data {
    fn new(dimension: usize, intrinsic: usize) -> Data {
        let mut data = Data {
            dimension,
            intrinsic,
            state: dimension as u64,
            clusters: Vec::new(),
        };
        for _ in 0..CLUSTERS {
            let centre = data.normal(dimension);
            let plane = data.normal(dimension * intrinsic);
            data.clusters.push((centre, plane));
        }
        data
    }

    /// The generator splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ number >> 31
    }

    /// About normally distributed numbers: sums of four even ones.
    fn normal(&mut self, count: usize) -> Vec<f32> {
        let mut one = || {
            let bits = self.next();
            let parts = (0..4).map(|part| (bits >> (16 * part) & 0xffff) as f32 / 65_536.0 - 0.5);
            parts.sum::<f32>() * 3_f32.sqrt()
        };
        (0..count).map(|_| one()).collect()
    }

    fn rows(&mut self, count: usize) -> Vec<f32> {
        self.rows_and_clusters(count).0
    }

    /// Rows, and the cluster of each.
    fn rows_and_clusters(&mut self, count: usize) -> (Vec<f32>, Vec<usize>) {
        let mut values = Vec::with_capacity(count * self.dimension);
        let mut clusters = Vec::with_capacity(count);
        for _ in 0..count {
            let cluster = (self.next() % CLUSTERS as u64) as usize;
            clusters.push(cluster);
            let weights = self.normal(self.intrinsic);
            let noise = self.normal(self.dimension);
            let (centre, plane) = &self.clusters[cluster];
            for (component, noise) in noise.into_iter().enumerate() {
                let plane = &plane[component * self.intrinsic..][..self.intrinsic];
                let inside: f32 = plane.iter().zip(&weights).map(|(a, b)| a * b).sum();
                let spread = inside / (self.intrinsic as f32).sqrt();
                values.push(centre[component] + spread + 0.05 * noise);
            }
        }
        (values, clusters)
    }
}

fn call(engine: &Engine, search: Search<'_>) -> Vec<Vec<Id>> {
    let answer = engine.call(&Context::default(), search.into()).unwrap();
    let Response::Search(Found { results, .. }) = answer else {
        panic!("{answer:?}");
    };
    let ids = |hits: Vec<nearfield_model::Hit>| hits.into_iter().map(|hit| hit.id).collect();
    results.into_iter().map(ids).collect()
}

/// The share of the exact hits that were found.
fn overlap(found: &[Vec<Id>], exact: &[Vec<Id>]) -> f64 {
    let pairs = || found.iter().zip(exact);
    let both = pairs().map(|(found, exact)| found.iter().filter(|id| exact.contains(id)).count());
    let all = exact.iter().map(Vec::len);
    both.sum::<usize>() as f64 / all.sum::<usize>() as f64
}

/// A collection to measure.
#[derive(Clone, Copy)]
struct Case {
    dimension: usize,
    intrinsic: usize,
    rows: usize,
    metric: Metric,
    storage: Storage,
}

impl Case {
    fn name(&self) -> String {
        let Case {
            dimension,
            rows,
            metric,
            ..
        } = self;
        let storage = match self.storage {
            Storage::F32 => "",
            Storage::F16 => "f16",
        };
        format!(
            "{rows:>6} x {dimension:<4} {storage:<3}  {:<9}",
            metric.as_str()
        )
    }
}

/// Measures one collection: names of the cases and their recalls.
fn measure(case: Case) -> Vec<(String, f64)> {
    let Case {
        dimension,
        intrinsic,
        rows,
        metric,
        storage,
    } = case;
    let mut options = Options::default();
    options.background = false;
    options.index_rows = INDEX_ROWS;
    options.exact_rows = 50;
    // Its random numbers are always the same, and so are the codes.
    let io = Arc::new(SimulatedIo::new(7));
    let engine = Engine::open_with(io, Path::new("/store"), options).unwrap();
    let context = Context::default();
    let create = CreateCollection::new("docs", dimension, metric).storage(storage);
    engine.call(&context, create.into()).unwrap();
    let mut data = Data::new(dimension, intrinsic);
    for first in (0..rows as u64).step_by(2_000) {
        let ids: Vec<u64> = (first..first + 2_000).collect();
        let (values, clusters) = data.rows_and_clusters(2_000);
        let shares = |(id, cluster): (&u64, usize)| {
            serde_json::json!({
                "tenth": id % 10 == 0,
                "hundredth": id % 100 == 0,
                "region": cluster < CLUSTERS / 10,
            })
        };
        let metadata: Vec<serde_json::Value> = ids.iter().zip(clusters).map(shares).collect();
        let column = MetadataColumn::try_from(&metadata[..]).unwrap();
        let batch = Batch::from_values(ids, values).metadata(column);
        let upsert = Upsert::new("docs", batch).durability(Durability::Os);
        engine.call(&context, upsert.into()).unwrap();
    }
    let queries = Vectors::new(data.rows(QUERIES), dimension).unwrap();
    let mut measured = Vec::new();
    for (share, filter) in [
        ("all", None),
        ("tenth", Some(Filter::eq("tenth", true))),
        ("hundredth", Some(Filter::eq("hundredth", true))),
        // Rows that lie together, and far from most queries.
        ("region", Some(Filter::eq("region", true))),
    ] {
        let search = |recall: f32| Search {
            filter: filter.clone(),
            ..Search::new("docs", queries.borrowed())
                .limit(LIMIT)
                .recall(recall)
        };
        let exact = call(&engine, search(1.0));
        assert!(exact.iter().all(|hits| hits.len() == LIMIT));
        for wanted in [0.9, 0.95, 0.99] {
            let found = call(&engine, search(wanted));
            assert!(found.iter().all(|hits| hits.len() == LIMIT));
            let name = format!("{}  {share:<9}  {wanted}", case.name());
            measured.push((name, overlap(&found, &exact)));
        }
    }
    measured
}

fn read_baseline() -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(BASELINE).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once("  "))
        .map(|(name, recall)| (name.trim_end().to_owned(), recall.parse().unwrap()))
        .collect()
}

#[test]
fn recall_that_is_asked_for_is_reached_and_no_less_than_before() {
    let mut measured = Vec::new();
    for (dimension, intrinsic, rows, storage) in [
        (20, 6, 60_000, Storage::F32),
        (32, 8, 12_000, Storage::F32),
        (128, 10, 12_000, Storage::F32),
        (128, 10, 12_000, Storage::F16),
        (384, 12, 10_000, Storage::F32),
        (784, 12, 4_000, Storage::F32),
        (1_536, 12, 4_000, Storage::F16),
    ] {
        for metric in [Metric::Euclidean, Metric::Cosine, Metric::Dot] {
            let case = Case {
                dimension,
                intrinsic,
                rows,
                metric,
                storage,
            };
            measured.extend(measure(case));
        }
    }
    let mut table = "# rows x dimension, storage if not f32, metric, share that matches, recall \
                     asked for: recall@10\n"
        .to_owned();
    for (name, recall) in &measured {
        table += &format!("{name}  {recall:.3}\n");
    }
    println!("{table}");
    if std::env::var("NEARFIELD_BASELINE").is_ok_and(|value| value == "write") {
        std::fs::write(BASELINE, &table).unwrap();
    }
    let baseline = read_baseline();
    assert_eq!(
        baseline.len(),
        measured.len(),
        "the baseline has other cases"
    );
    let mut faults = Vec::new();
    for (name, recall) in &measured {
        let wanted: f64 = name.rsplit_once("  ").unwrap().1.parse().unwrap();
        if *recall < wanted - SHORTFALL {
            faults.push(format!("{name}: {recall:.3} is too low"));
        }
        match baseline.get(name) {
            Some(before) if (recall - before).abs() <= TOLERANCE => {}
            before => faults.push(format!("{name}: {recall:.3}, and {before:?} before")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
