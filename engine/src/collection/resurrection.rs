//! Nothing that was deleted or replaced comes back, whichever log files were compacted, once the
//! log is replayed whole because checkpoint and index are lost.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use nearfield_model::{Context, Durability, Ids, Metadata, Selection, UpdateMetadata};

use super::Collection;
use super::fixture::{delete, open_at, options, upsert, vector, work};
use crate::index::random::SplitMix;
use crate::io::{Io, SimulatedIo};
use crate::options::Options;

const SEEDS: u64 = 200;
const STEPS: u64 = 60;
const IDS: u64 = 24;

/// The version and the times that the metadata was updated, of each point that is there.
type Points = BTreeMap<u64, (u64, u64)>;

/// With files so small that hardly any are neighbours that become one.
fn small_files() -> Options {
    Options {
        log_file_bytes: 4_096,
        ..options()
    }
}

fn update(docs: &Collection, ids: Vec<u64>, update: u64) {
    let patch = serde_json::json!({"update": update}).to_string();
    let selection = Selection::Ids(Ids::from(ids));
    let update = UpdateMetadata::new("docs", selection, Metadata::from_checked(&patch));
    docs.update_metadata(&Context::default(), &update).unwrap();
}

/// Rewrites the log files at these places among those that there are.
fn rewrite(docs: &Collection, places: &[usize]) {
    docs.seal_log().unwrap();
    let view = docs.view();
    let numbers: Vec<u64> = places
        .iter()
        .map(|place| view.files[*place].header.number)
        .collect();
    docs.rewrite_files(&Context::default(), &numbers).unwrap();
}

/// Fails unless exactly these points are there, with what was written last.
fn check(docs: &Collection, points: &Points) {
    let view = docs.view();
    let mut found = Points::new();
    for row in view.live_rows(0) {
        let id = view.live_id(row).unwrap().to_id().to_string();
        let id: u64 = id.parse().unwrap();
        let metadata: serde_json::Value =
            serde_json::from_str(view.metadata(row).unwrap().unwrap()).unwrap();
        let update = metadata
            .get("update")
            .map_or(0, |update| update.as_u64().unwrap());
        let (values, _) = view.vector(&docs.schema, row).unwrap();
        let version = points.get(&id).map_or(0, |point| point.0);
        assert_eq!(values, vector(id, version), "{id}");
        let twice = found.insert(id, (version, update));
        assert_eq!(twice, None, "{id} is there twice");
    }
    assert_eq!(found, *points);
    assert_eq!(view.count(), points.len() as u64);
    let ids: Vec<u64> = (0..IDS).collect();
    let rows = docs.find_rows(&Ids::from(&ids[..])).unwrap().1;
    for (id, row) in ids.iter().zip(rows) {
        assert_eq!(row.is_some(), points.contains_key(id), "{id}");
    }
}

/// Removes all files that can be made again from the log.
fn lose_what_is_derived(io: &SimulatedIo) {
    let mut lost = 0;
    for (path, _) in io.files().unwrap() {
        let name = path.file_name().unwrap().to_string_lossy();
        if !name.ends_with(".log") && name != "manifest" {
            io.remove(&path).unwrap();
            lost += u64::from(name.ends_with(".checkpoint"));
        }
    }
    assert!(lost <= 2);
}

/// The collection after its process died, without checkpoint and index.
fn replayed(io: &SimulatedIo, options: Options) -> (SimulatedIo, Collection) {
    let io = io.kill().unwrap();
    lose_what_is_derived(&io);
    let docs = open_at(&io, "/docs", options);
    (io, docs)
}

/// Four versions of a point, each in a file of its own, and the files between them.
fn with_versions(io: &SimulatedIo) -> Collection {
    let docs = open_at(io, "/docs", small_files());
    for version in 0..4 {
        upsert(&docs, 0..1, version, Durability::Sync);
        upsert(&docs, 10 + version..11 + version, 0, Durability::Sync);
        docs.seal_log().unwrap();
    }
    docs
}

#[test]
fn a_deleted_point_stays_away_though_only_the_file_of_its_last_version_was_compacted() {
    let all_but_the_point: Points = (10..14).map(|id| (id, (0, 0))).collect();
    for order in [
        &[3][..],
        &[3, 4],
        &[4, 3],
        &[1, 2, 3, 4],
        &[4, 1, 3, 2],
        &[2, 4, 3, 1, 0],
    ] {
        let io = SimulatedIo::new(1);
        let docs = with_versions(&io);
        delete(&docs, 0..1, Durability::Sync);
        upsert(&docs, 20..21, 0, Durability::Sync);
        docs.seal_log().unwrap();
        let numbers: Vec<u64> = docs.view().files.iter().map(|f| f.header.number).collect();
        let mut points = all_but_the_point.clone();
        points.insert(20, (0, 0));
        for place in order {
            docs.rewrite_files(&Context::default(), &[numbers[*place]])
                .unwrap();
        }
        check(&docs, &points);
        let (_, docs) = replayed(&io, small_files());
        check(&docs, &points);
    }
}

#[test]
fn a_delete_goes_once_all_that_it_removes_is_gone() {
    let io = SimulatedIo::new(1);
    let docs = with_versions(&io);
    delete(&docs, 0..100, Durability::Sync);
    for place in [3, 1, 0, 2] {
        rewrite(&docs, &[place.min(docs.view().files.len() - 1)]);
    }
    docs.compact(&Context::default()).unwrap();
    // Only the file that is written to is left.
    let view = docs.view();
    assert_eq!((view.files.len(), view.count()), (1, 0));
}

#[test]
fn replaced_rows_of_a_point_that_is_there_need_no_removal() {
    let io = SimulatedIo::new(1);
    let docs = with_versions(&io);
    rewrite(&docs, &[1]);
    let view = docs.view();
    let removals = docs
        .removals(&view, [view.files[2].header.number].into())
        .unwrap();
    assert_eq!(removals.bytes(), 0);
    delete(&docs, 0..1, Durability::Sync);
    let view = docs.view();
    let removals = docs
        .removals(&view, [view.files[2].header.number].into())
        .unwrap();
    // Of the two older versions one is gone.
    assert_eq!(removals.bytes(), 4);
}

#[test]
fn any_writes_and_compactions_are_replayed_to_what_was_there() {
    for seed in 0..SEEDS {
        let played = catch_unwind(|| play(seed));
        assert!(played.is_ok(), "seed {seed}");
    }
}

fn play(seed: u64) {
    let mut random = SplitMix(seed);
    let mut below = move |bound: u64| random.next() % bound;
    let options = Options {
        log_file_bytes: [4_096, 16 << 10, 1 << 20][below(3) as usize],
        ..options()
    };
    let mut io = SimulatedIo::new(seed);
    let mut docs = open_at(&io, "/docs", options.clone());
    let mut points = Points::new();
    for step in 1..=STEPS {
        let first = below(IDS);
        let ids = first..IDS.min(first + 1 + below(5));
        match below(20) {
            0..7 => {
                upsert(&docs, ids.clone(), step, Durability::Sync);
                points.extend(ids.map(|id| (id, (step, 0))));
            }
            7..11 => {
                delete(&docs, ids.clone(), Durability::Sync);
                points.retain(|id, _| !ids.contains(id));
            }
            11..13 => {
                update(&docs, ids.clone().collect(), step);
                for id in ids {
                    points.entry(id).and_modify(|point| point.1 = step);
                }
            }
            13..17 => {
                docs.seal_log().unwrap();
                let files = docs.view().files.len();
                let mut places: Vec<usize> = (0..files).filter(|_| below(3) == 0).collect();
                places.truncate(4);
                let dies = below(4) == 0;
                if dies {
                    io.power_off_after(below(60));
                    let view = docs.view();
                    let numbers = places.iter().map(|place| view.files[*place].header.number);
                    let numbers: Vec<u64> = numbers.collect();
                    let _died = docs.rewrite_files(&Context::default(), &numbers);
                    io = io.crash(seed * 100 + step).unwrap();
                    docs = open_at(&io, "/docs", options.clone());
                } else {
                    rewrite(&docs, &places);
                }
            }
            17 => docs.compact(&Context::default()).map(drop).unwrap(),
            18 => work(&docs, below(2) == 0),
            _ => {
                (io, docs) = replayed(&io, options.clone());
            }
        }
        check(&docs, &points);
    }
    let (_, docs) = replayed(&io, options);
    check(&docs, &points);
}
