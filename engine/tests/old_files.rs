//! Stores that earlier versions wrote open in this one. `fixtures/v1` is of the first version of
//! the format; a new version adds its own and keeps those before.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should stop; it copies files"
)]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};

use harness::call;
use nearfield_engine::{Engine, Options, doctor};
use nearfield_model::{
    Batch, Compact, CreateCollection, Delete, Filter, Get, Id, Ids, Metadata, MetadataColumn,
    Metric, Search, Storage, UpdateMetadata, Upsert,
};

fn fixture(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(version)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn remove_checkpoints(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            remove_checkpoints(&path);
        } else if path.extension().is_some_and(|end| end == "checkpoint") {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Makes the fixture of the present version: `cargo test -p nearfield-engine --test old_files
/// -- --ignored`.
#[test]
#[ignore = "writes into the source tree"]
fn make_v1() {
    let root = fixture("v1");
    assert!(!root.exists(), "an old version's files are not made anew");
    fs::create_dir_all(root.parent().unwrap()).unwrap();
    let engine = Engine::open(&root, Options::default()).unwrap();
    let albums = CreateCollection::new("albums", 3, Metric::Cosine);
    call(&engine, albums).unwrap();
    let books = CreateCollection::new("books", 2, Metric::Euclidean).storage(Storage::F16);
    call(&engine, books).unwrap();
    for year in 0..8 {
        let ids: Ids<'_> = Ids::from(vec![Id::from(year), Id::from(format!("album-{year}"))]);
        let rows: Vec<Metadata> = [1960, 1970]
            .map(|start| Metadata::parse(&format!("{{\"year\":{}}}", start + year)).unwrap())
            .into();
        let column: MetadataColumn<'_> = rows.iter().map(Some).collect();
        let values = [1.0, year as f32, 0.5, year as f32, 1.0, 0.25];
        let batch = Batch::new(ids, &values).metadata(column);
        call(&engine, Upsert::new("albums", batch)).unwrap();
        let batch = Batch::from_values(vec![year], vec![year as f32, 0.5]);
        call(&engine, Upsert::new("books", batch)).unwrap();
    }
    let gone = Ids::from([0, 1]);
    call(&engine, Delete::new("albums", gone)).unwrap();
    call(&engine, Compact::new("albums")).unwrap();
    let patch = Metadata::parse(r#"{"seen":true}"#).unwrap();
    let seen = UpdateMetadata::new("albums", Filter::eq("year", 1974), patch);
    call(&engine, seen).unwrap();
    call(&engine, Delete::new("books", Ids::from([7]))).unwrap();
    drop(engine);
    fs::remove_file(root.join("lock")).unwrap();
}

#[test]
fn v1_opens() {
    let folder = tempfile::tempdir().unwrap();
    for with_checkpoint in [true, false] {
        let root = folder.path().join(format!("store-{with_checkpoint}"));
        copy(&fixture("v1"), &root);
        if !with_checkpoint {
            remove_checkpoints(&root);
        }
        let report = doctor(&root, &Options::default()).unwrap();
        assert!(!report.findings.iter().any(|finding| finding.is_fault));
        for _ in 0..2 {
            let engine = Engine::open(&root, Options::default()).unwrap();
            assert_v1(&engine);
        }
    }
}

fn assert_v1(engine: &Engine) {
    let ids = (0..8).map(Id::from);
    let texts = (0..8).map(|year| Id::from(format!("album-{year}")));
    let ids: Vec<Id> = ids.chain(texts).collect();
    let got = call(engine, Get::new("albums", Ids::from(ids))).unwrap();
    for (position, point) in got.points.iter().enumerate() {
        let year = position as u64 % 8;
        let (start, vector) = if position < 8 {
            (1960, [1.0, year as f32, 0.5])
        } else {
            (1970, [year as f32, 1.0, 0.25])
        };
        if position < 2 {
            assert_eq!(*point, None);
            continue;
        }
        let point = point.as_ref().unwrap();
        assert_eq!(point.vector.as_deref(), Some(&vector[..]));
        let mut metadata = serde_json::json!({"year": start + year});
        if start + year == 1974 {
            metadata["seen"] = true.into();
        }
        assert_eq!(point.metadata.as_ref().unwrap().to_value(), metadata);
    }
    let books = harness::scan(engine, "books").unwrap();
    let expected: Vec<(Id, Vec<f32>)> = (0..7)
        .map(|id| (Id::from(id), vec![id as f32, 0.5]))
        .collect();
    let found: Vec<(Id, Vec<f32>)> = books
        .into_iter()
        .map(|(id, row)| (id, row.vector.to_vec()))
        .collect();
    assert_eq!(found, expected);
    let search = Search::new("books", &[3.2, 0.5]).limit(2).recall(1.0);
    let hits = call(engine, search).unwrap().results.remove(0);
    let hits: Vec<Id> = hits.into_iter().map(|hit| hit.id).collect();
    assert_eq!(hits, [Id::from(3), Id::from(4)]);
    let filter = Filter::eq("year", 1966);
    let search = Search::new("albums", &[1.0, 6.0, 0.5]).filter(filter);
    let hits = call(engine, search).unwrap().results.remove(0);
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].id, Id::from(6));
}
