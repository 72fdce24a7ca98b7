//! What the disaster tests share: chance from a seed, and a model of a collection that says
//! what a store may hold after a crash.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failing test names its seed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nearfield_engine::io::SimulatedIo;
use nearfield_engine::{Engine, Options};
use nearfield_model::{
    Batch, Context, CreateCollection, Delete, DescribeCollection, Description, Durability, Filter,
    Hit, Id, Ids, IndexDescription, ListCollections, Metadata, MetadataColumn, Metric, Plan,
    RequestId, Result, Scan, Search, Selection, Service, Storage, UpdateMetadata, Upsert, Verb,
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

/// Gives options the thresholds of an index that a small run crosses, or those that it never
/// crosses.
pub fn any_thresholds(random: &mut Random, options: &mut Options) {
    match random.below(8) {
        0..2 => {}
        2..6 => {
            options.index_rows = 20 + random.below(60) as u32;
            options.index_batch_rows = 8 + random.below(24) as u32;
            options.index_list_rows = 1 + random.below(8) as u32;
            options.exact_rows = 0;
        }
        _ => {
            options.index_rows = 60 + random.below(240) as u32;
            options.index_batch_rows = 16 + random.below(48) as u32;
            options.index_list_rows = 4 + random.below(28) as u32;
            options.exact_rows = random.pick(&[0, 40]);
        }
    }
}

/// What indexes and searches went through, in all seeds together.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Trained,
    NextEpoch,
    /// Rows of an older epoch were there, or none any more right after the next was trained.
    OlderRows,
    AssignedAnew,
    Merged,
    DeadRowsLeftOut,
    /// More lists than one cell has.
    TwoLevels,
    DrainedAtRest,
    Reopened,
    LostAtOpening,
    SearchedCodes,
    SearchedLists,
    SearchedListedRows,
    /// A snapshot was opened with the index that it was taken with.
    SnapshotOpened,
    SearchedForAll,
}

const EVENTS: usize = Event::SearchedForAll as usize + 1;
static EVENT_COUNTS: [AtomicU64; EVENTS] = [const { AtomicU64::new(0) }; EVENTS];

impl Event {
    pub fn note(self, happened: bool) {
        EVENT_COUNTS[self as usize].fetch_add(happened.into(), Ordering::Relaxed);
    }

    /// Fails unless each of these happened so often; not where one seed was asked for.
    pub fn assert_seen(events: &[Event], times: u64) {
        let seen = |event: &Event| EVENT_COUNTS[*event as usize].load(Ordering::Relaxed);
        let counts: Vec<String> = events
            .iter()
            .map(|event| format!("{event:?} {}", seen(event)))
            .collect();
        println!("{}", counts.join(", "));
        if std::env::var_os("NEARFIELD_SEED").is_none() {
            assert!(
                events.iter().all(|event| seen(event) >= times),
                "{counts:?}"
            );
        }
    }
}

/// Recalls that searches ask for.
const RECALLS: [f32; 3] = [0.9, 0.95, 0.99];
/// Of each, how many of the nearest were to be found, and how many were.
static RECALLED: [[AtomicU64; 2]; 3] = [const { [const { AtomicU64::new(0) }; 2] }; 3];

/// Fails unless the recalls asked for were reached, on average over all searches.
pub fn assert_recalled() {
    for (asked, counts) in RECALLS.iter().zip(&RECALLED) {
        let [wanted, found] = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        let recall = found as f64 / wanted.max(1) as f64;
        println!("recall {asked}: {recall:.4} of {wanted}");
        if std::env::var_os("NEARFIELD_SEED").is_none() {
            assert!(recall >= f64::from(*asked) - 0.05, "{asked}: {recall}");
        }
    }
}

/// Fails unless the index files of the store at `root` are those that are in use, and no more.
pub fn assert_no_leftovers(io: &SimulatedIo, root: &str, engine: &Engine) {
    let names = call(engine, ListCollections {}).unwrap().collections;
    let indexes = names.iter().filter_map(|name| {
        let describe = DescribeCollection::new(name);
        call(engine, describe).unwrap().index
    });
    let indexes: Vec<IndexDescription> = indexes.collect();
    let there = |ending: &str| {
        let files = io.files().unwrap();
        let ours = files.iter().filter(|(path, _)| {
            path.starts_with(format!("{root}/collections"))
                && path.extension().is_some_and(|end| end == ending)
        });
        ours.count() as u64
    };
    let segments: u64 = indexes.iter().map(|index| index.segments).sum();
    assert_eq!(there("segment"), segments, "{indexes:?}");
    let models = indexes.iter().filter(|index| index.epoch > 0).count() as u64;
    assert!(
        (models..=2 * models).contains(&there("model")),
        "{indexes:?}"
    );
    assert_eq!(there("new"), 0);
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
    /// The index when it was last looked at.
    index: Option<IndexDescription>,
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
            index: None,
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

    /// Rows that the index covered when it was last looked at.
    pub fn indexed(&self) -> u64 {
        self.index.as_ref().map_or(0, |index| index.rows)
    }

    /// Notes what became of the index since it was last looked at.
    pub fn look_at_index(&mut self, engine: &Engine, options: &Options) {
        let description = call(engine, DescribeCollection::new(self.name())).unwrap();
        let Some(index) = description.index else {
            let before = self.index.take();
            assert!(
                before.is_none_or(|index| index.epoch == 0),
                "{description:?}"
            );
            return;
        };
        Event::Trained.note(index.epoch == 1);
        Event::NextEpoch.note(index.epoch > 1);
        Event::OlderRows.note(index.older_epoch_rows > 0);
        Event::TwoLevels.note(index.lists > 256);
        // A batch is a segment: fewer are several that became one.
        let batch = u64::from(options.index_batch_rows);
        Event::Merged.note(index.segments * batch < index.rows);
        Event::DrainedAtRest.note(description.unindexed == 0 && !index.rows.is_multiple_of(batch));
        Event::LostAtOpening.note(index.fault.is_some());
        if let Some(before) = &self.index {
            let anew = index.epoch > before.epoch && before.rows > 0 && index.older_epoch_rows == 0;
            Event::AssignedAnew.note(anew);
            let same = index.epoch == before.epoch && index.rows >= before.rows;
            Event::DeadRowsLeftOut.note(same && index.dead_rows < before.dead_rows);
        }
        self.index = Some(index);
    }

    /// Searches by several queries, exactly and not, and by filter.
    pub fn check_search(&self, engine: &Engine, random: &mut Random) {
        self.search_as_expected(engine, random).unwrap();
    }

    /// As [`check_search`](Self::check_search), handing errors back.
    pub fn search_as_expected(&self, engine: &Engine, random: &mut Random) -> Result<()> {
        for round in 0..4 {
            let query = self.any_vector(random);
            let group = (round == 2).then(|| random.below(GROUPS));
            let limit = match random.below(4) {
                0 => 10_000,
                _ => 1 + random.below(20) as usize,
            };
            let recall = random.pick(&[1.0, 1.0, 0.9, 0.95, 0.95, 0.99]);
            let mut search = Search::new(self.name(), &query[..])
                .limit(limit)
                .recall(recall)
                .explain(true);
            if let Some(group) = group {
                search = search.filter(Filter::eq("group", group));
            }
            if recall < 1.0 && random.percent(20) {
                search = search.probes(1 + random.below(3) as usize);
            }
            let found = call(engine, search.clone())?;
            self.check_hits(&search, group, &found.results[0]);
            let plan = found.explained.unwrap().plan;
            Event::SearchedCodes.note(plan == Plan::Codes);
            Event::SearchedLists.note(plan == Plan::Lists);
            Event::SearchedListedRows.note(plan == Plan::ListedRows);
            Event::SearchedForAll.note(plan == Plan::Lists && limit > self.now.len());
        }
        Ok(())
    }

    /// Fails unless hits are such as the search may find: as many as there are or as were asked
    /// for, in order, each once, with its own score, and the nearest of all if all were compared.
    fn check_hits(&self, search: &Search<'_>, group: Option<u64>, hits: &[Hit]) {
        let (name, metric) = (self.name(), self.schema.metric);
        let matches = |row: &Row| group.is_none() || group_of(row) == group;
        let query = search.vectors.rows().next().unwrap();
        // Lower is nearer.
        let sign = if metric == Metric::Euclidean {
            1.0
        } else {
            -1.0
        };
        let mut expected: Vec<f64> = self
            .now
            .values()
            .filter(|row| matches(row))
            .map(|row| sign * score(metric, query, &row.vector))
            .collect();
        expected.sort_by(f64::total_cmp);
        assert_eq!(hits.len(), search.limit.min(expected.len()), "{name}: hits");
        let in_order = hits.is_sorted_by(|a, b| {
            let keys = [a, b].map(|hit| sign * f64::from(hit.score));
            keys[0].total_cmp(&keys[1]).then(a.id.cmp(&b.id)).is_lt()
        });
        assert!(in_order, "{name}: {hits:?}");
        let ids: BTreeSet<&Id> = hits.iter().map(|hit| &hit.id).collect();
        assert_eq!(ids.len(), hits.len(), "{name}: {hits:?}");
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-4 * (1.0 + a.abs());
        let mut nearest = 0;
        for (rank, hit) in hits.iter().enumerate() {
            let row = self.now.get(&hit.id);
            let row = row.unwrap_or_else(|| panic!("{name}: {} is gone", hit.id));
            assert!(matches(row), "{name}: {}", hit.id);
            let own = sign * score(metric, query, &row.vector);
            let said = sign * f64::from(hit.score);
            assert!(near(own, said), "{name}: {own} {said}");
            let last = expected[hits.len() - 1];
            nearest += u64::from(own < last || near(own, last));
            if search.recall == 1.0 {
                assert!(near(own, expected[rank]), "{name}: rank {rank}");
            }
        }
        let asked = RECALLS.iter().position(|recall| *recall == search.recall);
        if let Some(asked) = asked.filter(|_| search.probes.is_none()) {
            let counts = [hits.len() as u64, nearest];
            for (sum, count) in RECALLED[asked].iter().zip(counts) {
                sum.fetch_add(count, Ordering::Relaxed);
            }
        }
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
