//! A collection on a simulated disk for tests, whose background work is done when they say so.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use nearfield_model::{
    Batch, Context, CreateCollection, Delete, Durability, Filter, Found, Id, Ids, MetadataColumn,
    Metric, Search, Upsert,
};

use super::Collection;
use crate::index::random::SplitMix;
use crate::io::{Io, SimulatedIo};
use crate::log::writer::Place;
use crate::options::Options;
use crate::search::search;
use crate::storage::Schema;

pub(crate) const DIMENSION: usize = 16;

/// Thresholds that a few points cross. Nothing works in the background, and writers leave the
/// work to [`work`].
pub(crate) fn options() -> Options {
    Options {
        index_rows: 48,
        index_batch_rows: 16,
        index_list_rows: 4,
        exact_rows: 0,
        log_file_bytes: 1 << 20,
        ..Options::default()
    }
}

pub(crate) fn open_at(io: &SimulatedIo, directory: &str, options: Options) -> Collection {
    open_on(Arc::new(io.clone()), directory, options)
}

pub(crate) fn open_on(io: Arc<dyn Io>, directory: &str, options: Options) -> Collection {
    let place = Place {
        io: io.clone(),
        directory: directory.into(),
        collection: [7; 16],
        file_bytes: options.log_file_bytes,
    };
    if !io.exists(Path::new(directory)).unwrap() {
        Collection::create(&place).unwrap();
    }
    let schema = Schema::new(CreateCollection::new("docs", DIMENSION, Metric::Euclidean));
    Collection::open("docs".to_owned(), schema, place, options, false, true).unwrap()
}

pub(crate) fn open(io: &SimulatedIo) -> Collection {
    open_at(io, "/docs", options())
}

/// The vector of a point, in the version that `seed` stands for.
pub(crate) fn vector(id: u64, seed: u64) -> Vec<f32> {
    let mut random = SplitMix(seed << 32 | id);
    let component = |_| (random.next() % 1_000) as f32 / 100.0;
    (0..DIMENSION).map(component).collect()
}

/// Writes points; the metadata of each says its number modulo 8.
pub(crate) fn upsert(docs: &Collection, ids: Range<u64>, seed: u64, durability: Durability) {
    let values = ids.clone().flat_map(|id| vector(id, seed)).collect();
    let metadata: Vec<serde_json::Value> = ids
        .clone()
        .map(|id| serde_json::json!({"eighth": id % 8}))
        .collect();
    let ids: Vec<u64> = ids.collect();
    let column = MetadataColumn::try_from(&metadata[..]).unwrap();
    let batch = Batch::from_values(ids, values).metadata(column);
    let upsert = Upsert::new("docs", batch).durability(durability);
    docs.upsert(&Context::default(), &upsert).unwrap();
}

pub(crate) fn delete(docs: &Collection, ids: Range<u64>, durability: Durability) {
    let ids = Ids::from(ids.collect::<Vec<u64>>());
    let delete = Delete::new("docs", ids).durability(durability);
    docs.delete(&Context::default(), &delete).unwrap();
}

/// Does all work on the index that there is.
pub(crate) fn work(docs: &Collection, at_rest: bool) {
    for _ in 0..1_000 {
        let coded = docs.encode_some();
        let kept = docs.upkeep_some(at_rest, &|| false) | docs.compact_some(at_rest);
        if !(docs.drain_some(at_rest, &|| false) || kept || coded) {
            assert_eq!(docs.index.fault(), None);
            return;
        }
    }
    panic!("the work on the index never ends");
}

pub(crate) fn find(docs: &Collection, request: &Search<'_>) -> Found {
    search(docs, &Context::default(), request, 1).unwrap()
}

/// The points that a search by codes finds when it asks for more than there are, in order.
pub(crate) fn all_found(docs: &Collection, filter: Option<Filter>) -> Vec<u64> {
    let query = vector(0, 0);
    let request = Search {
        filter,
        ..Search::new("docs", &query[..]).limit(10_000)
    };
    let mut ids: Vec<u64> = find(docs, &request).results[0]
        .iter()
        .map(|hit| match hit.id {
            Id::U64(id) => id,
            _ => panic!("{} was never written", hit.id),
        })
        .collect();
    ids.sort_unstable();
    ids
}
