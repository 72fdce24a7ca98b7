//! One random sequence of requests, sent to both stores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nearfield::{
    Batch, Compact, Context, Count, CreateCollection, Database, Delete, DescribeCollection,
    Description, DropCollection, Durability, Filter, Flush, Get, Hit, Id, Ids, IndexDescription,
    ListCollections, MetadataColumn, Metric, Plan, Point, Request, RequestId, Response, Scan,
    Scanned, Search, Selection, Service, Snapshot, Storage, UpdateMetadata, Upsert, Vectors,
};
use nearfield_conformance::Naive;

use crate::behind::{Wire, behind};
use crate::random::Random;

const NAME: &str = "docs";
/// Hits of a search for all that there is.
const ALL: usize = 10_000;

/// Sizes and events beyond which the engine goes another way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crossed {
    RowsWithCodes,
    /// Columns instead of bitmaps.
    Columns,
    MoreFieldsThanIndexed,
    SeveralLogFiles,
    Trained,
    NextEpoch,
    AssignedAnew,
    /// More lists than one cell has.
    TwoLevels,
    Merged,
    DeadRowsLeftOut,
    AllDrained,
    ReopenedWithIndex,
    SnapshotWithIndex,
    SearchedExactly,
    SearchedMatchesExactly,
    SearchedCodes,
    SearchedLists,
    SearchedListedRows,
}

const CROSSED: usize = Crossed::SearchedListedRows as usize + 1;
static COUNTS: [AtomicU64; CROSSED] = [const { AtomicU64::new(0) }; CROSSED];

/// Of the recalls that searches ask for: how many of the nearest were to be found, and how many
/// were.
const RECALLS: [f32; 4] = [0.5, 0.9, 0.95, 0.99];
static RECALLED: [[AtomicU64; 2]; 4] = [const { [const { AtomicU64::new(0) }; 2] }; 4];

impl Crossed {
    fn note(self, happened: bool) {
        COUNTS[self as usize].fetch_add(happened.into(), Ordering::Relaxed);
    }
}

/// Fails unless every size was crossed, and recalls were reached on average; what there was is
/// printed.
pub(crate) fn assert_crossed(whole: bool) {
    let counts = COUNTS.each_ref().map(|count| count.load(Ordering::Relaxed));
    println!("in the order of `Crossed`: {counts:?}");
    assert!(!whole || counts.iter().all(|count| *count >= 5));
    for (asked, counts) in RECALLS.iter().zip(&RECALLED) {
        let [wanted, found] = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        let recall = found as f64 / wanted.max(1) as f64;
        println!("recall {asked}: {recall:.4} of {wanted}");
        assert!(!whole || recall >= f64::from(*asked) - 0.05);
    }
}

/// Runs the sequence of a seed, embedded or over a wire.
pub(crate) fn run(seed: u64, wire: Option<Wire>) {
    let mut both = Both::new(seed, wire);
    for step in 0..both.shape.steps {
        both.step = step;
        both.take_step();
    }
    both.check_all();
    if both.path.is_some() {
        both.reopen();
        both.check_all();
    }
}

/// How large a sequence is.
struct Shape {
    dimension: usize,
    metric: Metric,
    storage: Storage,
    /// Whether components are small whole numbers.
    whole: bool,
    steps: u64,
    batch_max: u64,
    ids: u64,
    values: u64,
    fields: u64,
    /// Bytes that fill up the metadata, so that log files fill.
    padding: usize,
    background: bool,
    /// Thresholds of the index, if it has other than the usual: points, rows per batch and list,
    /// and points that are compared exactly.
    index: Option<[u32; 4]>,
}

impl Shape {
    fn new(seed: u64, random: &mut Random) -> Shape {
        let (steps, batch_max, ids) = match seed % 50 {
            0 => (12, 900, 3_000),
            1..5 => (20, 250, 1_200),
            _ => (25, 30, 80),
        };
        let large = seed.is_multiple_of(50);
        let mut between = |low: u64, high: u64| (low + random.below(high - low)) as u32;
        let tiny = [between(4, 30), between(3, 16), between(1, 6), 0];
        let medium = [
            between(60, 300),
            between(16, 64),
            between(1, 32),
            between(0, 2) * 40,
        ];
        let index = match (ids, between(0, 10)) {
            (_, 0..3) => None,
            (80, _) | (_, 3..6) => Some(tiny),
            _ => Some(medium),
        };
        Shape {
            dimension: match random.below(20) {
                0 => 64 + random.below(80) as usize,
                _ => 1 + random.below(20) as usize,
            },
            metric: *random.pick(&[Metric::Cosine, Metric::Dot, Metric::Euclidean]),
            storage: *random.pick(&[Storage::F32, Storage::F32, Storage::F16]),
            whole: random.chance(50),
            steps,
            batch_max,
            ids,
            values: if large { 2_500 } else { 0 },
            fields: if seed.is_multiple_of(100) { 400 } else { 0 },
            padding: if large { 900 } else { 0 },
            background: random.chance(25),
            index,
        }
    }
}

/// A write that was answered, to be sent again.
struct Written {
    id: RequestId,
    request: Request<'static>,
    response: Response,
}

struct Both {
    seed: u64,
    wire: Option<Wire>,
    step: u64,
    random: Random,
    shape: Shape,
    naive: Naive,
    db: Option<Database>,
    /// Where the store is, unless it is in memory.
    path: Option<PathBuf>,
    folder: tempfile::TempDir,
    copies: u32,
    written: Vec<Written>,
    number: u64,
    /// The index when it was last looked at.
    index: Option<IndexDescription>,
}

impl Both {
    fn new(seed: u64, wire: Option<Wire>) -> Both {
        let mut random = Random::new(seed);
        let shape = Shape::new(seed, &mut random);
        let folder = tempfile::tempdir().unwrap();
        let on_disk = seed.is_multiple_of(50) || random.chance(25);
        let path = on_disk.then(|| folder.path().join("store"));
        let mut both = Both {
            seed,
            wire,
            step: 0,
            db: None,
            naive: Naive::default(),
            random,
            shape,
            path,
            folder,
            copies: 0,
            written: Vec::new(),
            number: 0,
            index: None,
        };
        both.open();
        both.create();
        both
    }

    fn told(&self) -> String {
        let Shape {
            dimension,
            metric,
            storage,
            ..
        } = self.shape;
        format!(
            "seed {}, {:?}, step {}, {dimension} dimensions, {metric}, {}",
            self.seed,
            self.wire,
            self.step,
            storage.as_str()
        )
    }

    fn open(&mut self) {
        let target = match &self.path {
            Some(path) => path.to_string_lossy().into_owned(),
            None => ":memory:".to_owned(),
        };
        self.db = Some(self.open_at(&target));
    }

    fn open_at(&self, target: &str) -> Database {
        let builder = nearfield::Builder::new(target).options(|options| {
            options.log_file_bytes = 1 << 20;
            options.checkpoint_bytes = 64 << 10;
            options.background = self.shape.background;
            options.search_threads = 2;
            if let Some([rows, batch, list, exact]) = self.shape.index {
                options.index_rows = rows;
                options.index_batch_rows = batch;
                options.index_list_rows = list;
                options.exact_rows = exact;
            }
        });
        builder
            .open()
            .and_then(|database| match self.wire {
                None => Ok(database),
                Some(wire) => Database::over(behind(database.service(), wire)?),
            })
            .unwrap_or_else(|error| panic!("{}: {error}", self.told()))
    }

    fn service(&self) -> std::sync::Arc<dyn Service> {
        self.db.as_ref().unwrap().service()
    }

    fn create(&mut self) {
        let shape = &self.shape;
        let schema = CreateCollection::new(NAME, shape.dimension, shape.metric)
            .storage(shape.storage)
            .unindexed_fields(["hidden"]);
        self.write(schema);
    }

    /// Sends a write to both stores; the answers are equal.
    fn write(&mut self, request: impl Into<Request<'static>>) {
        let request = request.into();
        self.number += 1;
        let id = RequestId {
            client: [7; 16],
            number: self.number,
        };
        let context = Context {
            request_id: Some(id),
            ..Context::default()
        };
        let found = self.service().call(&context, request.clone());
        let expected = self.naive.call(&context, request.clone());
        match (found, expected) {
            (Ok(response), Ok(expected)) => {
                assert_eq!(response, expected, "{}: {request:?}", self.told());
                self.written.push(Written {
                    id,
                    request,
                    response,
                });
            }
            (Err(found), Err(expected)) => {
                let place = |error: &nearfield::Error| (error.kind(), error.row());
                assert_eq!(
                    place(&found),
                    place(&expected),
                    "{}: {request:?}",
                    self.told()
                );
            }
            (found, expected) => {
                panic!(
                    "{}: {request:?} gave {found:?}, not {expected:?}",
                    self.told()
                )
            }
        }
    }

    /// Sends a read to both stores and gives both answers.
    fn read(&self, request: impl Into<Request<'static>>) -> (Response, Response) {
        let request = request.into();
        let context = Context::default();
        let call = |service: &dyn Service| {
            service
                .call(&context, request.clone())
                .unwrap_or_else(|error| panic!("{}: {request:?}: {error}", self.told()))
        };
        (call(&*self.service()), call(&self.naive))
    }

    /// Sends a read to both stores; the answers are equal.
    fn same(&self, request: impl Into<Request<'static>>) {
        let request = request.into();
        let (found, expected) = self.read(request.clone());
        assert_eq!(found, expected, "{}: {request:?}", self.told());
    }

    fn take_step(&mut self) {
        match self.random.below(100) {
            0..30 => self.upsert(),
            30..35 => self.delete_ids(),
            35..38 => self.delete_matching(),
            38..44 => self.update(),
            44..62 => self.search(),
            62..68 => self.get(),
            68..73 => self.scan(),
            73..78 => self.count(),
            78..81 => self.flush(),
            81..86 => self.compact(),
            86..89 => self.retry(),
            89..93 => self.reopen(),
            93..95 => self.open_a_snapshot(),
            95..97 => self.go_on_with_a_copy(),
            97 => self.refuse(),
            98 if self.random.chance(50) => {
                self.write(DropCollection::new(NAME));
                self.create();
                self.index = None;
            }
            _ => self.same(ListCollections {}),
        }
    }

    fn durability(&mut self) -> Durability {
        *self.random.pick(&[
            Durability::Os,
            Durability::Os,
            Durability::Os,
            Durability::Sync,
        ])
    }

    fn ids(&mut self, count: u64) -> Ids<'static> {
        (0..count).map(|_| self.random.id(self.shape.ids)).collect()
    }

    fn filter(&mut self) -> Filter {
        let (values, fields) = (self.shape.values, self.shape.fields);
        self.random.filter(values, fields, 2)
    }

    fn upsert(&mut self) {
        let rows = 1 + self.random.below(self.shape.batch_max);
        let ids = self.ids(rows);
        let shape = &self.shape;
        let mut values = Vec::new();
        let mut column = MetadataColumn::default();
        for _ in 0..rows {
            // Some vectors come twice, so that scores tie.
            match self.random.chance(10) && values.len() >= shape.dimension {
                true => values.extend_from_within(..shape.dimension),
                false => values.extend(self.random.vector(shape.dimension, shape.whole)),
            }
            let mut metadata = self.random.metadata(shape.values, shape.fields);
            if shape.padding > 0 {
                metadata = metadata.map(|metadata| {
                    let mut members = metadata.to_value();
                    members["padding"] = " ".repeat(shape.padding).into();
                    members.try_into().unwrap()
                });
            }
            column.push(metadata.as_ref()).unwrap();
        }
        let mut batch = Batch::from_values(ids, values);
        if self.random.chance(85) {
            batch = batch.metadata(column);
        }
        let durability = self.durability();
        self.write(Upsert::new(NAME, batch).durability(durability));
    }

    fn delete_ids(&mut self) {
        let count = 1 + self.random.below(self.shape.batch_max);
        let ids = self.ids(count);
        let durability = self.durability();
        self.write(Delete::new(NAME, Selection::Ids(ids)).durability(durability));
    }

    fn delete_matching(&mut self) {
        let filter = self.filter();
        let durability = self.durability();
        self.write(Delete::new(NAME, filter).durability(durability));
    }

    fn update(&mut self) {
        let selection = match self.random.chance(50) {
            true => Selection::Ids(self.ids(5)),
            false => Selection::Filter(self.filter()),
        };
        let patch = self.random.patch();
        let durability = self.durability();
        self.write(UpdateMetadata::new(NAME, selection, patch).durability(durability));
    }

    /// A write that breaks a rule in its last row changes nothing.
    fn refuse(&mut self) {
        let dimension = self.shape.dimension;
        let fault = *self.random.pick(&[f32::NAN, f32::INFINITY]);
        let mut values = self.random.vector(dimension, true);
        values.extend(std::iter::repeat_n(fault, dimension));
        let ids = self.ids(2);
        self.write(Upsert::new(NAME, Batch::from_values(ids, values)));
    }

    /// A write that is sent again gives the first answer and is not applied again.
    fn retry(&mut self) {
        if self.written.is_empty() {
            return;
        }
        let again = self.random.below(self.written.len() as u64) as usize;
        let Written {
            id,
            request,
            response,
        } = &self.written[again];
        // Writes to a collection that was dropped since are forgotten with it.
        let dropped = |later: &Written| matches!(later.request, Request::DropCollection(_));
        if self.written[again..].iter().any(dropped) {
            return;
        }
        let context = Context {
            request_id: Some(*id),
            ..Context::default()
        };
        let found = self.service().call(&context, request.clone());
        assert_eq!(
            found.as_ref(),
            Ok(response),
            "{}: {request:?} again",
            self.told()
        );
    }

    fn get(&mut self) {
        let count = 1 + self.random.below(20);
        let ids = self.ids(count);
        let get = Get::new(NAME, ids)
            .with_vectors(self.random.chance(70))
            .with_metadata(self.random.chance(70));
        self.same(get);
    }

    fn count(&mut self) {
        self.same(Count::new(NAME));
        let filter = self.filter();
        self.same(Count::new(NAME).filter(filter));
    }

    fn flush(&mut self) {
        self.same(Flush::new(NAME));
        let (Response::DescribeCollection(found), _) = self.read(DescribeCollection::new(NAME))
        else {
            panic!("{}", self.told());
        };
        assert!(found.synced >= found.sequence, "{}: {found:?}", self.told());
        self.look_at_index(&found);
        if !self.shape.background || self.random.chance(20) {
            self.rest();
        }
    }

    /// The rows end up in lists of one epoch, once nobody writes.
    fn rest(&mut self) {
        let trains = |found: &Description| {
            let rows = self.shape.index.map_or(20_000, |[rows, ..]| rows);
            found.count >= rows.into() || found.index.is_some()
        };
        for _ in 0..2_000 {
            let (Response::DescribeCollection(found), _) = self.read(DescribeCollection::new(NAME))
            else {
                panic!("{}", self.told());
            };
            let done = found.index.as_ref().is_some_and(|index| {
                // A few rows are not worth a segment.
                let few = found.unindexed == 0 || found.unindexed < index.rows / 256;
                few && index.older_epoch_rows == 0
            });
            if done || !trains(&found) {
                self.look_at_index(&found);
                return;
            }
            assert!(self.shape.background, "{}: {found:?}", self.told());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("{}: the index is never done", self.told());
    }

    /// Notes what became of the index since it was last looked at.
    fn look_at_index(&mut self, found: &Description) {
        let Some(index) = &found.index else {
            return;
        };
        assert_eq!(index.fault, None, "{}", self.told());
        let batch = u64::from(self.shape.index.map_or(u32::MAX, |[_, batch, ..]| batch));
        Crossed::Trained.note(index.epoch > 0);
        Crossed::NextEpoch.note(index.epoch > 1);
        Crossed::TwoLevels.note(index.lists > 256);
        Crossed::Merged.note(index.segments * batch < index.rows);
        Crossed::AllDrained.note(found.unindexed == 0 && index.rows > 0);
        if let Some(before) = &self.index {
            let anew = index.epoch > before.epoch && before.rows > 0 && index.older_epoch_rows == 0;
            Crossed::AssignedAnew.note(anew);
            let same = index.epoch == before.epoch && index.rows >= before.rows;
            Crossed::DeadRowsLeftOut.note(same && index.dead_rows < before.dead_rows);
        }
        self.index = Some(index.clone());
    }

    fn compact(&mut self) {
        self.read(Compact::new(NAME));
        let (Response::DescribeCollection(found), _) = self.read(DescribeCollection::new(NAME))
        else {
            panic!("{}", self.told());
        };
        assert_eq!(found.dead_rows, 0, "{}: {found:?}", self.told());
        self.look_at_index(&found);
    }

    fn pages(&self, service: &dyn Service, scan: &Scan) -> Vec<Point> {
        let mut points = Vec::new();
        let mut cursor = None;
        loop {
            let page = scan.clone().cursor(cursor);
            let answer = service.call(&Context::default(), page.into());
            let Ok(Response::Scan(Scanned { points: page, next })) = answer else {
                panic!("{}: {answer:?}", self.told());
            };
            assert!(page.len() <= scan.limit);
            points.extend(page);
            cursor = next;
            if cursor.is_none() {
                return points;
            }
        }
    }

    fn scan(&mut self) {
        let mut scan = Scan::new(NAME)
            .limit(1 + self.random.below(self.shape.ids) as usize)
            .with_vectors(self.random.chance(50))
            .with_metadata(self.random.chance(50));
        if self.random.chance(50) {
            scan = scan.filter(self.filter());
        }
        let found = self.pages(&*self.service(), &scan);
        let expected = self.pages(&self.naive, &scan);
        assert_eq!(found, expected, "{}: {scan:?}", self.told());
    }

    /// Everything that can be read is the same.
    fn check_all(&mut self) {
        let scan = Scan::new(NAME).limit(ALL).with_vectors(true);
        let found = self.pages(&*self.service(), &scan);
        let expected = self.pages(&self.naive, &scan);
        assert_eq!(found, expected, "{}", self.told());
        self.count();
        self.search();
        let (Response::DescribeCollection(found), Response::DescribeCollection(expected)) =
            self.read(DescribeCollection::new(NAME))
        else {
            panic!("{}", self.told());
        };
        assert_eq!(
            (found.count, found.sequence, found.metric, found.dimension),
            (
                expected.count,
                expected.sequence,
                expected.metric,
                expected.dimension
            ),
            "{}",
            self.told()
        );
        let columns = found.fields.iter().any(|field| field.distinct.is_none());
        Crossed::RowsWithCodes.note(found.unindexed.saturating_sub(found.unencoded) >= 256);
        Crossed::Columns.note(columns);
        Crossed::MoreFieldsThanIndexed.note(found.fields.len() == 256);
        Crossed::SeveralLogFiles.note(found.log_files > 2);
        self.look_at_index(&found);
    }

    fn reopen(&mut self) {
        if self.path.is_some() {
            self.db = None;
            self.open();
            let rows = self.indexed();
            Crossed::ReopenedWithIndex.note(rows > 0);
        }
    }

    /// Rows that the index covers; it is not damaged.
    fn indexed(&mut self) -> u64 {
        let (Response::DescribeCollection(found), _) = self.read(DescribeCollection::new(NAME))
        else {
            panic!("{}", self.told());
        };
        self.look_at_index(&found);
        found.index.map_or(0, |index| index.rows)
    }

    /// Goes on with a snapshot as the store.
    fn open_a_snapshot(&mut self) {
        if self.path.is_none() {
            return;
        }
        self.copies += 1;
        let destination = self.folder.path().join(format!("snapshot-{}", self.copies));
        let snapshot = Snapshot::new(NAME).destination(destination.to_string_lossy());
        let (Response::Snapshot(found), Response::Snapshot(expected)) = self.read(snapshot) else {
            panic!("{}", self.told());
        };
        assert_eq!(
            (found.count, found.sequence),
            (expected.count, expected.sequence),
            "{}",
            self.told()
        );
        self.db = None;
        self.path = Some(destination);
        // What made the collection is not part of it.
        let made = |write: &Written| matches!(write.request, Request::CreateCollection(_));
        self.written.retain(|write| !made(write));
        self.open();
        let rows = self.indexed();
        Crossed::SnapshotWithIndex.note(rows > 0);
    }

    /// Goes on with the files as they are while the store is open: as after the process died.
    fn go_on_with_a_copy(&mut self) {
        let (Some(path), false) = (&self.path, self.shape.background) else {
            return;
        };
        self.copies += 1;
        let copy = self.folder.path().join(format!("copy-{}", self.copies));
        copy_folder(path, &copy);
        self.db = None;
        self.path = Some(copy);
        self.open();
    }

    fn search(&mut self) {
        let Shape {
            dimension, whole, ..
        } = self.shape;
        let most = if self.random.chance(10) { 20 } else { 2 };
        let queries = 1 + self.random.below(most) as usize;
        let vectors: Vec<f32> = (0..queries)
            .flat_map(|_| self.random.vector(dimension, whole))
            .collect();
        let most = if self.random.chance(20) {
            self.shape.ids
        } else {
            20
        };
        let mut search = Search::new(NAME, Vectors::new(vectors, dimension).unwrap())
            .limit(1 + self.random.below(most) as usize)
            .recall(
                *self
                    .random
                    .pick(&[0.5, 0.9, 0.95, 0.95, 0.99, 1.0, 1.0, 1.0]),
            )
            .explain(true)
            .with_metadata(self.random.chance(30))
            .with_vectors(self.random.chance(30));
        if self.random.chance(50) {
            search = search.filter(self.filter());
        }
        if search.recall < 1.0 {
            // Of knobs that leave the number of hits as it is.
            match self.random.below(8) {
                0 => search = search.probes(1 + self.random.below(4) as usize),
                1 => {
                    let rerank = search.limit + self.random.below(20) as usize;
                    search = search.rerank(rerank);
                }
                _ => {}
            }
        }
        let all = Search {
            limit: ALL,
            with_metadata: true,
            with_vectors: true,
            ..search.clone()
        };
        let found = self
            .service()
            .call(&Context::default(), search.clone().into());
        let expected = self.naive.call(&Context::default(), all.into());
        let (Ok(Response::Search(found)), Ok(Response::Search(expected))) = (&found, &expected)
        else {
            panic!("{}: {search:?} gave {found:?}", self.told());
        };
        let plan = found.explained.as_ref().unwrap().plan;
        Crossed::SearchedExactly.note(plan == Plan::ExactAll);
        Crossed::SearchedMatchesExactly.note(plan == Plan::Exact);
        Crossed::SearchedCodes.note(plan == Plan::Codes);
        Crossed::SearchedLists.note(plan == Plan::Lists);
        Crossed::SearchedListedRows.note(plan == Plan::ListedRows);
        assert_eq!(found.results.len(), queries, "{}", self.told());
        for (found, expected) in found.results.iter().zip(&expected.results) {
            if let Err(fault) = self.compare(&search, found, expected) {
                panic!("{}: {search:?}: {fault}, found {found:?}", self.told());
            }
        }
    }

    /// Compares hits with all that match, nearest first.
    fn compare(&self, search: &Search<'_>, found: &[Hit], expected: &[Hit]) -> Result<(), String> {
        let metric = self.shape.metric;
        if found.len() != search.limit.min(expected.len()) {
            return Err(format!("{} hits, {} match", found.len(), expected.len()));
        }
        // Lower is nearer.
        let key = |score: f32| {
            if metric.larger_is_nearer() {
                -score
            } else {
                score
            }
        };
        let in_order = found.is_sorted_by(|a, b| {
            key(a.score)
                .total_cmp(&key(b.score))
                .then(a.id.cmp(&b.id))
                .is_lt()
        });
        if !in_order {
            return Err("hits out of order".to_owned());
        }
        let by_id: BTreeMap<&Id, &Hit> = expected.iter().map(|hit| (&hit.id, hit)).collect();
        for hit in found {
            let Some(expected) = by_id.get(&hit.id) else {
                return Err(format!("{} does not match", hit.id));
            };
            let metadata = expected.metadata.clone().filter(|_| search.with_metadata);
            let vector = expected.vector.clone().filter(|_| search.with_vectors);
            if (&hit.metadata, &hit.vector) != (&metadata, &vector) {
                return Err(format!("{} has other content", hit.id));
            }
            if (hit.score - expected.score).abs() > tolerance(expected.score) {
                return Err(format!("{} scores {}", hit.id, expected.score));
            }
        }
        if search.recall < 1.0 {
            let asked = RECALLS.iter().position(|recall| *recall == search.recall);
            if let (Some(asked), None, None) = (asked, search.probes, search.rerank)
                && let Some(last) = expected[..found.len()].last()
            {
                let last = key(last.score) + tolerance(last.score);
                let nearest = found.iter().filter(|hit| key(hit.score) <= last).count();
                RECALLED[asked][0].fetch_add(found.len() as u64, Ordering::Relaxed);
                RECALLED[asked][1].fetch_add(nearest as u64, Ordering::Relaxed);
            }
            return Ok(());
        }
        if self.shape.whole && metric != Metric::Cosine {
            let exact = found.iter().zip(expected).all(|(a, b)| a.id == b.id);
            return if exact {
                Ok(())
            } else {
                Err(format!("other hits than {:?}", &expected[..found.len()]))
            };
        }
        let Some(last) = found.last() else {
            return Ok(());
        };
        let last_vector = &by_id[&last.id].vector;
        let hits: std::collections::BTreeSet<&Id> = found.iter().map(|hit| &hit.id).collect();
        for missed in expected.iter().filter(|hit| !hits.contains(&hit.id)) {
            let nearer = key(missed.score) < key(last.score) - tolerance(last.score);
            let first = missed.vector == *last_vector && missed.id < last.id;
            if nearer || first {
                return Err(format!("{} is missing, score {}", missed.id, missed.score));
            }
        }
        Ok(())
    }
}

fn tolerance(score: f32) -> f32 {
    2e-5 * score.abs().max(1.0)
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_folder(&entry.path(), &to),
            kind if kind.is_file() => _ = std::fs::copy(entry.path(), to).unwrap(),
            _ => {}
        }
    }
}
