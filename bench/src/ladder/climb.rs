//! Climbing from Rust: the loop that writes, and the one that searches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nearfield::{
    Batch, Context, Database, Durability, Ids, RequestId, Result as NearfieldResult, Search,
    Service, Stage, Upsert, Vectors, Verb,
};

use super::leg::{Leg, Stages};
use super::work::{QUERIES, Work};
use crate::Result;
use crate::clock::{micros, process_cpu};

/// The collection that is measured, and the one that is written to before.
pub(super) const COLLECTION: &str = "ladder";
pub(super) const WARM: &str = "warm";
/// Hits per query.
pub(super) const LIMIT: usize = 10;
/// Requests and vectors before the clock starts, at most.
const WARM_REQUESTS: usize = 50;
const WARM_VECTORS: usize = 10_000;
/// Time that searches go on before the clock starts.
const WARM_TIME: Duration = Duration::from_millis(100);

/// What is called.
pub(super) enum Rung {
    /// A service, without a client.
    Bare(Arc<dyn Service>, AtomicU64),
    /// The client.
    Client(Database),
}

impl Rung {
    pub(super) fn bare(service: Arc<dyn Service>) -> Rung {
        Rung::Bare(service, AtomicU64::new(1))
    }

    /// A handle on the same store, for what is not measured.
    pub(super) fn database(&self) -> Result<Database> {
        Ok(match self {
            Rung::Bare(service, _) => Database::over(Arc::clone(service))?,
            Rung::Client(database) => database.clone(),
        })
    }

    fn call<'a, V: Verb<'a>>(
        &self,
        context: &mut Context,
        request: V,
    ) -> NearfieldResult<V::Answer> {
        match self {
            Rung::Client(database) => database.call_with(context, request),
            Rung::Bare(service, next) => {
                // Writes bear an id, as the client's do.
                context.request_id = Some(RequestId {
                    client: [1; 16],
                    number: next.fetch_add(1, Ordering::Relaxed),
                });
                service.call(context, request.into())?.try_into()
            }
        }
    }
}

/// How a loop goes.
pub(super) struct Order<'o> {
    pub(super) batch: usize,
    pub(super) durability: Durability,
    pub(super) time_max: Duration,
    /// CPU time of the other process so far.
    pub(super) server_cpu: &'o dyn Fn() -> Result<f64>,
}

/// Writes the vectors, until all are written or time is up.
pub(super) fn ingest(rung: &Rung, work: &Work, order: &Order<'_>) -> Result<Leg> {
    let upsert = |context: &mut Context, collection: &str, ids: &Ids<'_>, first: usize| {
        let batch = Batch::new(ids.borrowed(), work.slice(first, ids.len()));
        let upsert = Upsert::new(collection, batch).durability(order.durability);
        rung.call(context, upsert)
    };
    let columns = ids(work.rows(), order.batch);
    let mut warmed = 0;
    for ids in columns.iter().take(WARM_REQUESTS) {
        if warmed >= WARM_VECTORS {
            break;
        }
        upsert(&mut Context::default(), WARM, ids, warmed)?;
        warmed += ids.len();
    }
    let mut run = Run::start(order)?;
    for ids in &columns {
        let first = run.leg.count;
        let mut context = Context::default();
        upsert(&mut context, COLLECTION, ids, first)?;
        if run.lap(&context, ids.len()) {
            break;
        }
    }
    run.end()
}

/// Searches, until time is up.
pub(super) fn search(rung: &Rung, work: &Work, order: &Order<'_>) -> Result<Leg> {
    let queries = order.batch.min(QUERIES);
    let search = |context: &mut Context, number: usize| -> Result<()> {
        let vectors = Vectors::new(work.query(number, queries), work.dim)?;
        let found = rung.call(context, Search::new(COLLECTION, vectors).limit(LIMIT))?;
        match found.results.len() == queries {
            true => Ok(()),
            false => Err("a search answers fewer queries than were asked".into()),
        }
    };
    let start = Instant::now();
    let mut warmed = 0;
    while start.elapsed() < WARM_TIME {
        search(&mut Context::default(), warmed)?;
        warmed += 1;
    }
    let mut run = Run::start(order)?;
    for number in 0.. {
        let mut context = Context::default();
        search(&mut context, number)?;
        if run.lap(&context, queries) {
            break;
        }
    }
    run.end()
}

/// The ids of batch after batch.
fn ids(rows: usize, batch: usize) -> Vec<Ids<'static>> {
    let firsts = (0..rows).step_by(batch);
    let numbers = firsts.map(|first| first as u64..(first + batch).min(rows) as u64);
    numbers
        .map(|numbers| Ids::from(numbers.collect::<Vec<u64>>()))
        .collect()
}

/// A loop under way.
struct Run<'o> {
    order: &'o Order<'o>,
    leg: Leg,
    stages: Stages,
    client_before: Duration,
    server_before: f64,
    start: Instant,
    last: Instant,
}

impl<'o> Run<'o> {
    fn start(order: &'o Order<'o>) -> Result<Run<'o>> {
        let server_before = (order.server_cpu)()?;
        let client_before = process_cpu();
        let start = Instant::now();
        Ok(Run {
            order,
            leg: Leg::default(),
            stages: Stages::default(),
            client_before,
            server_before,
            start,
            last: start,
        })
    }

    /// Notes a request; true once time is up.
    fn lap(&mut self, context: &Context, count: usize) -> bool {
        let now = Instant::now();
        self.leg.count += count;
        self.leg.times.push(micros(now - self.last));
        self.last = now;
        for (sum, stage) in self.stages.iter_mut().zip(Stage::ALL) {
            *sum += micros(context.stages.get(stage));
        }
        now - self.start >= self.order.time_max
    }

    fn end(mut self) -> Result<Leg> {
        self.leg.seconds = (self.last - self.start).as_secs_f64();
        self.leg.client_seconds = (process_cpu() - self.client_before).as_secs_f64();
        self.leg.server_seconds = (self.order.server_cpu)()? - self.server_before;
        if self.stages.iter().any(|us| *us > 0.0) {
            self.leg.stages = Some(self.stages);
        }
        Ok(self.leg)
    }
}

/// Times a service as the engine's stage, where nobody else does.
pub(super) struct AsEngine(pub(super) Arc<dyn Service>);

impl Service for AsEngine {
    fn call(
        &self,
        context: &Context,
        request: nearfield::Request<'_>,
    ) -> NearfieldResult<nearfield::Response> {
        context
            .stages
            .time(Stage::Engine, || self.0.call(context, request))
    }

    fn reserve(&self, components: usize) -> NearfieldResult<Box<dyn nearfield::Reserved>> {
        self.0.reserve(components)
    }
}
