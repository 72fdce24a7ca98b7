//! The rows that a filter selects are those whose metadata it matches.

use std::collections::BTreeMap;
use std::path::Path;

use nearfield::{
    Batch, Collection, CreateCollection, Filter, Id, Ids, Metadata, MetadataColumn, Metric,
};

use crate::random::Random;

type Points = BTreeMap<Id, Option<Metadata>>;

pub(crate) fn run(seed: u64) {
    let mut random = Random::new(seed ^ 0xf117);
    // One in three has columns, and one in three more fields than are indexed.
    let (values, fields) = match seed % 3 {
        0 => (0, 0),
        1 => (3_000, 0),
        _ => (20, 1_800),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut points = Points::new();
    let schema = CreateCollection::new("docs", 1, Metric::Euclidean).unindexed_fields(["hidden"]);
    open(&path).call(schema).unwrap();
    for _round in 0..3 {
        let db = open(&path);
        let docs = db.collection("docs").unwrap();
        for _ in 0..2 {
            let rows = 1 + random.below(if seed.is_multiple_of(3) { 200 } else { 2_000 });
            write(&docs, &mut random, rows, values, fields, &mut points);
            check(&docs, &mut random, values, fields, &points);
        }
        drop((docs, db));
        let db = open(&path);
        check(
            &db.collection("docs").unwrap(),
            &mut random,
            values,
            fields,
            &points,
        );
    }
}

fn open(path: &Path) -> nearfield::Database {
    let builder = nearfield::Builder::new(path.to_string_lossy());
    builder
        .options(|options| options.log_file_bytes = 1 << 20)
        .open()
        .unwrap()
}

/// Upserts rows, some of them twice, then deletes some.
fn write(
    docs: &Collection,
    random: &mut Random,
    rows: u64,
    values: u64,
    fields: u64,
    points: &mut Points,
) {
    let ids: Vec<Id> = (0..rows).map(|_| random.id(4_000)).collect();
    let mut column = MetadataColumn::default();
    for id in &ids {
        let metadata = random.metadata(values, fields);
        column.push(metadata.as_ref()).unwrap();
        points.insert(id.clone(), metadata);
    }
    let batch = Batch::from_values(Ids::from(ids), vec![1.0; rows as usize]).metadata(column);
    docs.upsert(batch).run().unwrap();
    let dead: Vec<Id> = (0..1 + rows / 5).map(|_| random.id(4_000)).collect();
    dead.iter().for_each(|id| _ = points.remove(id));
    docs.delete(Ids::from(dead)).run().unwrap();
    if random.chance(50) {
        let filter = random.filter(values, fields, 1);
        docs.delete_matching(filter.clone()).run().unwrap();
        points.retain(|_, metadata| !matches(&filter, metadata));
    }
    if random.chance(30) {
        docs.compact().unwrap();
    }
}

fn matches(filter: &Filter, metadata: &Option<Metadata>) -> bool {
    filter.matches(metadata.as_ref().map(Metadata::as_str))
}

fn check(docs: &Collection, random: &mut Random, values: u64, fields: u64, points: &Points) {
    assert_eq!(docs.count().run().unwrap().count, points.len() as u64);
    for _ in 0..25 {
        let filter = random.filter(values, fields, 3);
        let expected: Vec<&Id> = points
            .iter()
            .filter(|(_, metadata)| matches(&filter, metadata))
            .map(|(id, _)| id)
            .collect();
        let count = docs.count().filter(filter.clone()).run().unwrap().count;
        assert_eq!(count, expected.len() as u64, "{filter}");
        let page = docs
            .scan()
            .limit(10_000)
            .filter(filter.clone())
            .run()
            .unwrap();
        let mut found: Vec<&Id> = page.points.iter().map(|point| &point.id).collect();
        found.sort();
        assert_eq!(found, expected, "{filter}");
    }
}
