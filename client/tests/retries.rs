//! A context names a write until it has succeeded: calling again with it is a retry.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nearfield::{
    Batch, Context, CreateCollection, Database, Error, ErrorKind, Metric, Request, Response,
    Result, Service, Snapshot, Upsert,
};

/// A store whose answers are lost on the way as long as it is said so.
struct Lossy {
    store: Arc<dyn Service>,
    loses: AtomicBool,
}

impl Service for Lossy {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        let answer = self.store.call(context, request);
        match self.loses.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::Unavailable, "the answer was lost")),
            false => answer,
        }
    }
}

fn lossy(target: &str) -> (Arc<Lossy>, Database) {
    let store = nearfield::connect(target).unwrap().service();
    let lossy = Arc::new(Lossy {
        store,
        loses: AtomicBool::new(false),
    });
    let db = Database::over(lossy.clone()).unwrap();
    db.call(CreateCollection::new("docs", 1, Metric::Dot))
        .unwrap();
    (lossy, db)
}

fn write(id: u64) -> Upsert<'static> {
    Upsert::new("docs", Batch::from_values([id], vec![1.0]))
}

#[test]
fn two_writes_with_one_context_are_both_applied() {
    let (_, db) = lossy(":memory:");
    let context = &mut Context::default();
    let first = db.call_with(context, write(1)).unwrap();
    let second = db.call_with(context, write(2)).unwrap();
    assert!(second.sequence > first.sequence);
    let docs = db.collection("docs").unwrap();
    assert_eq!(docs.count().run().unwrap().count, 2);
}

#[test]
fn a_write_whose_answer_was_lost_is_applied_once() {
    let (lossy, db) = lossy(":memory:");
    let context = &mut Context::default();
    lossy.loses.store(true, Ordering::Relaxed);
    let lost = db.call_with(context, write(1)).unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Unavailable);
    lossy.loses.store(false, Ordering::Relaxed);
    let before = db.collection("docs").unwrap().describe().unwrap().sequence;
    let again = db.call_with(context, write(1)).unwrap();
    let after = db.collection("docs").unwrap().describe().unwrap().sequence;
    assert_eq!((again.sequence, after), (before, before));
}

#[test]
fn a_snapshot_whose_answer_was_lost_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (lossy, db) = lossy(&at("store"));
    db.call(write(1)).unwrap();
    let snapshot = || Snapshot::new("docs").destination(at("copy"));
    let context = &mut Context::default();
    lossy.loses.store(true, Ordering::Relaxed);
    db.call_with(context, snapshot()).unwrap_err();
    lossy.loses.store(false, Ordering::Relaxed);
    db.call(write(2)).unwrap();
    let taken = db.call_with(context, snapshot()).unwrap();
    assert_eq!(
        (taken.path, taken.sequence, taken.count),
        (at("copy"), 1, 1)
    );
    assert!(taken.bytes > 0);
    // Another call is no retry.
    let error = db.call(snapshot()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    let copy = nearfield::connect(at("copy")).unwrap();
    let docs = copy.collection("docs").unwrap();
    assert_eq!(docs.count().run().unwrap().count, 1);
}
