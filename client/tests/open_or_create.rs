//! Collections that are opened where they are there, and made where they are not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[cfg(feature = "shm")]
#[path = "common/process.rs"]
mod process;

use std::sync::Barrier;

use nearfield::{
    Batch, Context, CreateCollection, Database, ErrorKind, Metric, RequestId, Storage,
};

fn asked() -> CreateCollection {
    CreateCollection::new("docs", 2, Metric::Dot)
        .storage(Storage::F16)
        .unindexed_fields(["text", "author.name"])
}

#[test]
fn the_second_run_finds_what_the_first_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for run in 1..=3_u64 {
        let db = nearfield::connect(path.to_string_lossy()).unwrap();
        let docs = db
            .open_or_create_collection("docs", 2, Metric::Euclidean)
            .unwrap();
        docs.upsert(Batch::new([run], &[1.0, 0.0])).run().unwrap();
        assert_eq!(docs.count().run().unwrap().count, run);
    }
}

#[test]
fn a_collection_with_other_settings_is_refused_and_they_are_named() {
    let db = nearfield::connect(":memory:").unwrap();
    db.open_or_create(asked()).unwrap();
    let mut all = CreateCollection::new("docs", 3, Metric::Cosine);
    all.unindexed_fields = (0..10).map(|field| format!("f{field}")).collect();
    let cases = [
        (
            CreateCollection {
                dimension: 3,
                ..asked()
            },
            "dimension",
            "dimension 2 where 3 was asked for;",
        ),
        (
            CreateCollection {
                metric: Metric::Cosine,
                ..asked()
            },
            "metric",
            "metric dot where cosine was asked for;",
        ),
        (
            asked().storage(Storage::F32),
            "storage",
            "storage f16 where f32 was asked for;",
        ),
        (
            asked().unindexed_fields(["text"]),
            "unindexed_fields",
            "unindexed_fields [author.name, text] where [text] was asked for;",
        ),
        (
            all,
            "dimension",
            "dimension 2 where 3 was asked for and metric dot where cosine was asked for and \
             storage f16 where f32 was asked for and unindexed_fields [author.name, text] where \
             [f0, f1, f2, f3, f4, f5, f6, f7 and 2 more] was asked for;",
        ),
    ];
    for (other, field, difference) in cases {
        let error = db.open_or_create(other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        assert_eq!(error.field(), Some(field));
        let start = format!("collection docs exists with {difference} ask for what it has");
        assert!(error.message().starts_with(&start), "{error}");
    }
    assert_eq!(db.collections().unwrap(), ["docs"]);
}

#[test]
fn neither_order_nor_repetition_of_fields_makes_a_difference() {
    let db = nearfield::connect(":memory:").unwrap();
    db.call(asked()).unwrap();
    let fields = ["author.name", "text", "text"];
    db.open_or_create(asked().unindexed_fields(fields)).unwrap();
}

#[test]
fn what_cannot_be_made_is_refused_as_by_create() {
    let db = nearfield::connect(":memory:").unwrap();
    for (name, dimension) in [("docs", 0), ("no name", 2), ("", 2)] {
        let opened = db.open_or_create_collection(name, dimension, Metric::Dot);
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn a_context_is_left_as_it_came() {
    let db = nearfield::connect(":memory:").unwrap();
    let mut context = Context::default();
    for _ in 0..2 {
        db.open_or_create_with(&mut context, asked()).unwrap();
        assert_eq!(context.request_id, None);
    }
    let id = RequestId {
        client: [7; 16],
        number: 1,
    };
    context.request_id = Some(id);
    db.open_or_create_with(&mut context, asked()).unwrap();
    assert_eq!(context.request_id, Some(id));
}

/// Opens `docs` and two more at once from all handles, again and again.
fn race(handles: &[Database]) {
    let start = Barrier::new(handles.len());
    for round in 0..20 {
        std::thread::scope(|scope| {
            for handle in handles {
                scope.spawn(|| {
                    start.wait();
                    let docs = handle
                        .open_or_create_collection(format!("docs{round}"), 2, Metric::Dot)
                        .unwrap();
                    assert_eq!(docs.describe().unwrap().dimension, 2);
                });
            }
        });
    }
    assert_eq!(handles[0].collections().unwrap().len(), 20);
}

#[test]
fn threads_that_open_at_once_all_get_it() {
    let db = nearfield::connect(":memory:").unwrap();
    race(&[db.clone(), db.clone(), db.clone(), db]);
}

/// Not a test of its own: what other processes run.
#[cfg(feature = "shm")]
#[test]
fn child() {
    process::run(|path, _| {
        process::say("ready");
        process::wait();
        let db = nearfield::connect(path.to_string_lossy()).unwrap();
        for round in 0..20 {
            let docs = db
                .open_or_create_collection(format!("docs{round}"), 2, Metric::Dot)
                .unwrap();
            let id = u64::from(std::process::id());
            docs.upsert(Batch::new([id], &[1.0, 0.0])).run().unwrap();
        }
        let other = db.open_or_create_collection("docs0", 3, Metric::Dot);
        assert_eq!(other.unwrap_err().kind(), ErrorKind::AlreadyExists);
        process::say("done");
        process::wait();
    });
}

#[cfg(feature = "shm")]
#[test]
fn processes_that_open_at_once_all_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let start = |_| process::Process::start(&path, "open");
    let mut processes: Vec<process::Process> = (0..3).map(start).collect();
    for step in ["ready", "done"] {
        processes
            .iter_mut()
            .for_each(|process| process.expect(step));
        if step == "ready" {
            processes.iter_mut().for_each(process::Process::go_on);
        }
    }
    let db = nearfield::connect(path.to_string_lossy()).unwrap();
    for round in 0..20 {
        let docs = db.collection(format!("docs{round}")).unwrap();
        assert_eq!(docs.count().run().unwrap().count, 3);
    }
}
