//! The ladder itself, on engines and transports whose times are known, and on one that loses rows.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nearfield::{
    Batch, Builder, Context, Database, Durability, Metric, Request, Response, Service, Stage,
};

use super::attribution::attribute;
use super::check::Checker;
use super::climb::{AsEngine, COLLECTION, Order, Rung, WARM, ingest};
use super::leg::Leg;
use super::options::Ladder;
use super::work::Work;

const DIM: usize = 8;
const BATCH: usize = 100;

/// An engine that takes its time over each write.
struct Slow(Arc<dyn Service>, Duration);

/// A transport that takes its time before, and some that it does not tell of.
struct Far {
    next: Arc<dyn Service>,
    stages: Vec<(Stage, Duration)>,
    hidden: Duration,
}

/// A door that loses the last row of each batch.
struct Leaky(Arc<dyn Service>);

/// Keeps the core busy, so that the time is kept to the microsecond.
fn spend(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

impl Service for Slow {
    fn call(&self, context: &Context, request: Request<'_>) -> nearfield::Result<Response> {
        if matches!(request, Request::Upsert(_)) {
            spend(self.1);
        }
        self.0.call(context, request)
    }
}

impl Service for Far {
    fn call(&self, context: &Context, request: Request<'_>) -> nearfield::Result<Response> {
        if matches!(request, Request::Upsert(_)) {
            for (stage, time) in &self.stages {
                context.stages.time(*stage, || spend(*time));
            }
            spend(self.hidden);
        }
        self.next.call(context, request)
    }
}

impl Service for Leaky {
    fn call(&self, context: &Context, request: Request<'_>) -> nearfield::Result<Response> {
        let Request::Upsert(mut upsert) = request else {
            return self.0.call(context, request);
        };
        let kept = upsert.batch.len() - 1;
        let ids: Vec<u64> = (0..kept as u64).collect();
        let values = upsert.batch.values[..kept * DIM].to_vec();
        upsert.batch = Batch::from_values(ids, values);
        self.0.call(context, upsert.into())
    }
}

fn work(folder: &Path) -> Work {
    let ladder = Ladder::brief(&[], 4_000, folder.to_owned());
    let mut plan = ladder.plan().unwrap();
    plan.dim = DIM;
    Work::make(&plan, folder).unwrap()
}

fn climb(service: Arc<dyn Service>, work: &Work) -> Leg {
    let rung = Rung::Client(Database::over(service).unwrap());
    for name in [WARM, COLLECTION] {
        let database = rung.database().unwrap();
        database
            .create_collection(name, DIM, Metric::Euclidean)
            .unwrap();
    }
    let order = Order {
        batch: BATCH,
        durability: Durability::Os,
        time_max: Duration::from_secs(10),
        server_cpu: &|| Ok(0.0),
    };
    ingest(&rung, work, &order).unwrap()
}

fn micros(us: u64) -> Duration {
    Duration::from_micros(us)
}

/// How long a try without disturbance is waited for.
const TRIES_TIME_MAX: Duration = Duration::from_secs(90);

/// Another process may take the core away: a try in which that did not happen counts.
fn in_some_try(mut is_so: impl FnMut() -> Result<(), String>) {
    let start = Instant::now();
    while let Err(why) = is_so() {
        assert!(start.elapsed() < TRIES_TIME_MAX, "{why}");
    }
}

#[test]
fn known_delays_are_found_to_within_5_percent() {
    let folder = tempfile::tempdir().unwrap();
    let work = work(folder.path());
    let null = || nearfield::connect("null:").unwrap().service();
    let slow = || -> Arc<dyn Service> { Arc::new(AsEngine(Arc::new(Slow(null(), micros(400))))) };
    let known = [
        (Stage::ClientEncode, 600),
        (Stage::Send, 300),
        (Stage::Decode, 900),
        (Stage::Receive, 200),
    ];
    let hidden = 500.0;
    let gap = known.iter().map(|(_, us)| *us as f64).sum::<f64>() + hidden;
    in_some_try(|| {
        let bare = climb(slow(), &work);
        let far = climb(
            Arc::new(Far {
                next: slow(),
                stages: known.map(|(stage, us)| (stage, micros(us))).to_vec(),
                hidden: micros(hidden as u64),
            }),
            &work,
        );
        let found = attribute(far.us(), &far.stages_us().unwrap(), bare.us());
        let near = |what: &str, found: f64, expected: f64| {
            let error = (found / expected - 1.0).abs();
            match error < 0.05 {
                true => Ok(()),
                false => Err(format!("{what}: {found} where {expected} was spent")),
            }
        };
        for (stage, us) in known {
            let share = us as f64 / gap;
            near(stage.as_str(), found.shares[stage.as_str()], share)?;
        }
        near("unexplained", found.unexplained, hidden / gap)?;
        match found.shares["engine"].abs() < 0.05 {
            true => Ok(()),
            false => Err(format!("engine: {}", found.shares["engine"])),
        }
    });
}

#[test]
fn a_door_that_loses_rows_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let work = work(folder.path());
    let mut checker = Checker::new(&work);
    let honest = Builder::new(":memory:").open().unwrap();
    let leg = climb(honest.service(), &work);
    let collection = honest.collection(COLLECTION).unwrap();
    checker.check(&collection, leg.count).unwrap();

    let store = nearfield::connect(":memory:").unwrap();
    let leg = climb(Arc::new(Leaky(store.service())), &work);
    let collection = store.collection(COLLECTION).unwrap();
    let error = checker.check(&collection, leg.count).unwrap_err();
    assert!(error.to_string().contains("points are there"), "{error}");
}

#[test]
fn a_store_with_another_vector_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let work = work(folder.path());
    let store = nearfield::connect(":memory:").unwrap();
    let leg = climb(store.service(), &work);
    let collection = store.collection(COLLECTION).unwrap();
    let nearest = collection
        .search(work.query(0, 1))
        .recall(1.0)
        .run()
        .unwrap();
    let id = nearest.results[0][0].id.clone();
    let other = Batch::from_values([id], vec![0.0; DIM]);
    collection.upsert(other).run().unwrap();
    let error = Checker::new(&work)
        .check(&collection, leg.count)
        .unwrap_err();
    assert!(error.to_string().contains("than"), "{error}");
}
