//! What the disaster tests share: chance from a seed, and a model of a collection that says
//! what a store may hold after a crash.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]
#![allow(clippy::print_stderr, reason = "a failing test names its seed")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nearfield_engine::Engine;
use nearfield_model::{
    Batch, Context, CreateCollection, Delete, DescribeCollection, Description, Durability, Filter,
    Id, Ids, Metadata, MetadataColumn, Metric, RequestId, Result, Scan, Search, Selection, Service,
    Storage, UpdateMetadata, Upsert, Verb,
};

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// Runs `play` with the seeds from 0 to `count` on all cores, or with the one that the
/// environment variable `variable` names; a failing seed is printed with how to replay it.
pub fn each_seed(test: &str, variable: &str, count: u64, play: impl Fn(u64) + Sync) {
    if let Some(seed) = std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
    {
        return play(seed);
    }
    let next = AtomicU64::new(0);
    let failed = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| play(seed))).is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                        eprintln!(
                            "seed {seed} failed; replay it with {variable}={seed} \
                             cargo test -p nearfield-engine --test {test}"
                        );
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    assert_eq!(failed, 0, "{failed} of {count} seeds failed");
}

/// Calls a request without a request id.
pub fn call<'a, V: Verb<'a>>(engine: &Engine, request: V) -> Result<V::Answer> {
    call_as(engine, None, request)
}

/// Calls a request under a request id.
pub fn call_as<'a, V: Verb<'a>>(
    engine: &Engine,
    request_id: Option<RequestId>,
    request: V,
) -> Result<V::Answer> {
    let context = Context {
        request_id,
        ..Context::default()
    };
    engine.call(&context, request.into())?.try_into()
}

/// A point as the model keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub vector: Arc<[f32]>,
    pub metadata: Option<String>,
}

/// All points of a collection.
pub type State = BTreeMap<Id, Row>;

/// A write, as it is sent and as it changes a state.
#[derive(Clone, Debug)]
pub enum Write {
    Upsert(Vec<(Id, Row)>),
    Delete(Vec<Id>),
    DeleteGroup(u64),
    Update(Vec<Id>, String),
}

impl Write {
    /// Changes `state`; gives how many points are affected.
    pub fn apply(&self, state: &mut State) -> u64 {
        match self {
            Write::Upsert(rows) => {
                state.extend(rows.iter().cloned());
                rows.len() as u64
            }
            Write::Delete(ids) => {
                let removed = ids.iter().filter(|id| state.remove(id).is_some());
                removed.count() as u64
            }
            Write::DeleteGroup(group) => {
                let before = state.len();
                state.retain(|_, row| group_of(row) != Some(*group));
                (before - state.len()) as u64
            }
            Write::Update(ids, patch) => {
                let patch = Metadata::from_checked(patch);
                let mut ids = ids.clone();
                ids.sort();
                ids.dedup();
                let mut updated = 0;
                for id in ids {
                    if let Some(row) = state.get_mut(&id) {
                        let old = Metadata::from_checked(row.metadata.as_deref().unwrap_or("{}"));
                        row.metadata = Some(old.merged(&patch).unwrap().as_str().to_owned());
                        updated += 1;
                    }
                }
                updated
            }
        }
    }

    /// Sends the write; gives how many points were affected, and the write's number.
    pub fn send(
        &self,
        engine: &Engine,
        collection: &str,
        durability: Durability,
        request: Option<RequestId>,
    ) -> Result<(u64, u64)> {
        match self {
            Write::Upsert(rows) => {
                let values: Vec<f32> = rows
                    .iter()
                    .flat_map(|(_, row)| row.vector.to_vec())
                    .collect();
                let metadata: Vec<Option<Metadata>> = rows
                    .iter()
                    .map(|(_, row)| row.metadata.as_deref().map(Metadata::from_checked))
                    .collect();
                let mut batch = Batch::from_values(ids_of(rows.iter().map(|(id, _)| id)), values);
                if metadata.iter().any(Option::is_some) {
                    let column: MetadataColumn<'_> = metadata.iter().map(Option::as_ref).collect();
                    batch = batch.metadata(column);
                }
                let request_ = Upsert::new(collection, batch).durability(durability);
                let done = call_as(engine, request, request_)?;
                Ok((done.upserted, done.sequence))
            }
            Write::Delete(ids) => {
                let delete = Delete::new(collection, ids_of(ids)).durability(durability);
                let done = call_as(engine, request, delete)?;
                Ok((done.deleted, done.sequence))
            }
            Write::DeleteGroup(group) => {
                let filter = Filter::eq("group", *group);
                let delete = Delete::new(collection, filter).durability(durability);
                let done = call_as(engine, request, delete)?;
                Ok((done.deleted, done.sequence))
            }
            Write::Update(ids, patch) => {
                let selection: Selection<'_> = ids_of(ids).into();
                let update =
                    UpdateMetadata::new(collection, selection, Metadata::from_checked(patch))
                        .durability(durability);
                let done = call_as(engine, request, update)?;
                Ok((done.updated, done.sequence))
            }
        }
    }
}

/// One array if all are numbers, else a list.
fn ids_of<'a>(ids: impl IntoIterator<Item = &'a Id>) -> Ids<'static> {
    let ids: Vec<Id> = ids.into_iter().cloned().collect();
    let numbers: Option<Vec<u64>> = ids
        .iter()
        .map(|id| match id {
            Id::U64(number) => Some(*number),
            _ => None,
        })
        .collect();
    numbers.map_or_else(|| Ids::from(ids), Ids::from)
}

pub fn group_of(row: &Row) -> Option<u64> {
    let metadata = Metadata::from_checked(row.metadata.as_deref()?);
    metadata.get("group")?.as_u64()
}

/// A write that was answered, to be retried later.
#[derive(Clone, Debug)]
struct Answered {
    write: Write,
    request: RequestId,
    sequence: u64,
    affected: u64,
}

/// What is known of a collection.
#[derive(Clone, Debug)]
pub struct Story {
    pub schema: CreateCollection,
    /// The state at write `base`.
    before: State,
    base: u64,
    /// The writes since; the last may be in doubt.
    writes: Vec<Write>,
    /// The state after all of them.
    pub now: State,
    /// The last write that was acknowledged as synced.
    pub synced: u64,
    /// The last write that was acknowledged.
    pub acknowledged: u64,
    answered: Vec<Answered>,
    client: [u8; 16],
    requests: u64,
}

const ANSWERED_MAX: usize = 100;
/// Ids are of so many numbers, and as many texts.
const ID_RANGE: u64 = 600;
const GROUPS: u64 = 12;

impl Story {
    pub fn new(schema: CreateCollection, random: &mut Random) -> Story {
        let mut client = [0; 16];
        client[..8].copy_from_slice(&random.next().to_le_bytes());
        Story {
            schema,
            before: State::new(),
            base: 0,
            writes: Vec::new(),
            now: State::new(),
            synced: 0,
            acknowledged: 0,
            answered: Vec::new(),
            client,
            requests: 0,
        }
    }

    /// Any schema under this name.
    pub fn any(name: &str, random: &mut Random) -> Story {
        let metric = random.pick(&[Metric::Cosine, Metric::Dot, Metric::Euclidean]);
        let storage = random.pick(&[Storage::F32, Storage::F32, Storage::F16]);
        let dimension = random.pick(&[3, 8, 40, 256]);
        let mut schema = CreateCollection::new(name, dimension, metric).storage(storage);
        if random.percent(20) {
            schema = schema.unindexed_fields(["group"]);
        }
        Story::new(schema, random)
    }

    pub fn name(&self) -> &str {
        &self.schema.collection
    }

    fn any_id(&self, random: &mut Random) -> Id {
        let number = random.below(ID_RANGE);
        if random.percent(15) {
            return Id::from(format!("text-{number}"));
        }
        Id::from(number)
    }

    fn any_ids(&self, random: &mut Random, count: u64) -> Vec<Id> {
        (0..count).map(|_| self.any_id(random)).collect()
    }

    /// Components are eighths, which `f16` keeps exactly.
    pub fn any_vector(&self, random: &mut Random) -> Arc<[f32]> {
        let mut vector: Vec<f32> = (0..self.schema.dimension)
            .map(|_| random.below(129) as f32 / 8.0 - 8.0)
            .collect();
        vector[0] = 0.5 + random.below(32) as f32 / 8.0;
        vector.into()
    }

    fn any_metadata(&self, random: &mut Random) -> Option<String> {
        match random.below(10) {
            0..2 => None,
            2 => Some(format!(
                "{{\"group\":{},\"text\":\"{}\"}}",
                random.below(GROUPS),
                "long ".repeat(random.below(400) as usize)
            )),
            _ => Some(format!(
                "{{\"group\":{},\"mark\":{}}}",
                random.below(GROUPS),
                random.below(5_000)
            )),
        }
    }

    /// Any write; `large` ones fill files.
    pub fn any_write(&self, random: &mut Random) -> Write {
        match random.below(100) {
            0..62 => {
                let rows = match random.below(100) {
                    0..55 => 1 + random.below(8),
                    55..92 => 1 + random.below(60),
                    _ => 100 + random.below(300),
                };
                let row = |random: &mut Random| Row {
                    vector: self.any_vector(random),
                    metadata: self.any_metadata(random),
                };
                let rows = (0..rows)
                    .map(|_| (self.any_id(random), row(random)))
                    .collect();
                Write::Upsert(rows)
            }
            62..76 => {
                let count = 1 + random.below(40);
                Write::Delete(self.any_ids(random, count))
            }
            76..84 => Write::DeleteGroup(random.below(GROUPS)),
            _ => {
                let patch = random.pick(&[
                    r#"{"group":3}"#,
                    r#"{"group":null,"seen":true}"#,
                    r#"{"mark":7,"deep":{"a":"b"}}"#,
                ]);
                let count = 1 + random.below(25);
                Write::Update(self.any_ids(random, count), patch.to_owned())
            }
        }
    }

    /// Sends a write and keeps account of it. After an error the write is in doubt.
    pub fn write(&mut self, engine: &Engine, write: Write, durability: Durability) -> Result<()> {
        self.requests += 1;
        let request = RequestId {
            client: self.client,
            number: self.requests,
        };
        let name = self.name().to_owned();
        let affected = write.apply(&mut self.now);
        self.writes.push(write.clone());
        let number = self.base + self.writes.len() as u64;
        if self.answered.len() == ANSWERED_MAX {
            self.answered.remove(0);
        }
        self.answered.push(Answered {
            write: write.clone(),
            request,
            sequence: number,
            affected,
        });
        let done = write.send(engine, &name, durability, Some(request))?;
        assert_eq!(
            done,
            (affected, number),
            "{name}: points affected, and number"
        );
        self.acknowledged = number;
        if durability == Durability::Sync {
            self.synced = number;
        }
        Ok(())
    }

    /// Sends once more a write that was sent before; it must not be applied again.
    pub fn retry(&mut self, engine: &Engine, random: &mut Random) -> Result<()> {
        if self.answered.is_empty() {
            return Ok(());
        }
        let position = random.below(self.answered.len() as u64) as usize;
        let again = self.answered[position].clone();
        let name = self.name().to_owned();
        let durability = random.pick(&[Durability::Sync, Durability::Os]);
        let done = again
            .write
            .send(engine, &name, durability, Some(again.request))?;
        assert_eq!(
            done,
            (again.affected, again.sequence),
            "{name}: a retry is answered as the first try was"
        );
        if durability == Durability::Sync {
            self.synced = self.synced.max(again.sequence);
        }
        Ok(())
    }

    /// Whether the last write but one was sent and not answered.
    pub fn is_in_doubt(&self) -> bool {
        self.base + self.writes.len() as u64 == self.acknowledged + 1
    }

    /// The last write was refused before it was begun.
    pub fn forget_last(&mut self) {
        self.writes.pop();
        self.answered.pop();
    }

    /// All writes so far are on disk.
    pub fn flushed(&mut self) {
        self.synced = self.base + self.writes.len() as u64;
        self.acknowledged = self.synced;
    }

    /// Compares the reopened collection with the model: it holds the writes up to some
    /// number, which is at least `floor`. From then on these are the writes there are.
    pub fn settle(&mut self, engine: &Engine, floor: u64) {
        let name = self.name().to_owned();
        let description = call(engine, DescribeCollection::new(&name)).unwrap();
        let sequence = description.sequence;
        let last = self.base + self.writes.len() as u64;
        assert!(
            (floor..=last).contains(&sequence),
            "{name}: {floor} writes were acknowledged, {last} sent, and {sequence} are there"
        );
        for write in self.writes.drain(..).take((sequence - self.base) as usize) {
            write.apply(&mut self.before);
        }
        self.now = self.before.clone();
        self.base = sequence;
        self.synced = sequence;
        self.acknowledged = sequence;
        // A write that is gone was applied to a state that is gone; sent again, it is a new one.
        self.answered.retain(|again| again.sequence <= sequence);
        self.check(engine, &description);
    }

    /// Fails unless the collection holds exactly the state of the model.
    fn check(&self, engine: &Engine, description: &Description) {
        let name = self.name();
        assert_eq!(description.count, self.now.len() as u64, "{name}: points");
        let found = scan(engine, name).unwrap();
        assert_eq!(found, self.now, "{name}");
    }

    /// Searches by several queries, exactly and not, and by filter.
    pub fn check_search(&self, engine: &Engine, random: &mut Random) {
        self.search_as_expected(engine, random).unwrap();
    }

    /// As [`check_search`](Self::check_search), handing errors back.
    pub fn search_as_expected(&self, engine: &Engine, random: &mut Random) -> Result<()> {
        for round in 0..3 {
            let query = self.any_vector(random);
            let group = (round == 2).then(|| random.below(GROUPS));
            let mut expected: Vec<(Id, f64)> = self
                .now
                .iter()
                .filter(|(_, row)| group.is_none() || group_of(row) == group)
                .map(|(id, row)| (id.clone(), score(self.schema.metric, &query, &row.vector)))
                .collect();
            let sign = if self.schema.metric == Metric::Euclidean {
                1.0
            } else {
                -1.0
            };
            expected.sort_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)));
            let limit = 1 + random.below(20) as usize;
            let recall = random.pick(&[1.0, 1.0, 0.95]);
            let mut search = Search::new(self.name(), &query[..])
                .limit(limit)
                .recall(recall);
            if let Some(group) = group {
                search = search.filter(Filter::eq("group", group));
            }
            let found = call(engine, search)?;
            let hits = &found.results[0];
            assert_eq!(
                hits.len(),
                limit.min(expected.len()),
                "{}: hits",
                self.name()
            );
            for (rank, hit) in hits.iter().enumerate() {
                let row = &self.now[&hit.id];
                assert!(group.is_none() || group_of(row) == group);
                let own = score(self.schema.metric, &query, &row.vector);
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-4 * (1.0 + a.abs());
                assert!(
                    near(own, hit.score.into()),
                    "{}: {own} {}",
                    self.name(),
                    hit.score
                );
                if recall == 1.0 {
                    assert!(near(own, expected[rank].1), "{}: rank {rank}", self.name());
                }
            }
        }
        Ok(())
    }
}

fn score(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let dot: f64 = pairs().map(|(a, b)| a * b).sum();
    match metric {
        Metric::Dot => dot,
        Metric::Cosine => {
            let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            dot / (norm(a) * norm(b))
        }
        Metric::Euclidean => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
    }
}

/// Reads all points; fails if an id comes twice.
pub fn scan(engine: &Engine, name: &str) -> Result<State> {
    let mut state = State::new();
    let mut cursor = None;
    loop {
        let scan = Scan::new(name).cursor(cursor).with_vectors(true).limit(700);
        let page = call(engine, scan)?;
        for point in page.points {
            let row = Row {
                vector: point.vector.unwrap().into(),
                metadata: point.metadata.map(|metadata| metadata.as_str().to_owned()),
            };
            let twice = state.insert(point.id.clone(), row);
            assert!(twice.is_none(), "{name}: {} is there twice", point.id);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(state);
        }
    }
}
