//! A server is killed with SIGKILL while several clients write, and started again on its port,
//! over and over, behind each door. The clients go on by themselves; nothing that was acknowledged
//! is lost, and nothing is applied twice.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should stop; it lets time pass"
)]

#[path = "common/served.rs"]
mod served;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nearfield::{
    Batch, Builder, Collection, Database, Durability, Filter, Id, Metadata, MetadataColumn, Metric,
};

use crate::served::Served;

const WRITERS: u64 = 4;
const KILLS: u64 = 12;
const ROWS: u64 = 20;

#[test]
fn over_http_with_json() {
    kill_over_and_over(|url| connect(Builder::new(url).json(true)));
}

#[test]
fn over_http_with_messagepack() {
    kill_over_and_over(|url| connect(Builder::new(url)));
}

/// Lets the writers end, also when a server does not start.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn connect(builder: Builder) -> Database {
    // A server that starts on a busy machine takes its time.
    let builder = builder.remote(|remote| remote.retry_timeout = Duration::from_secs(60));
    builder.timeout(Duration::from_secs(120)).open().unwrap()
}

/// The round in which each id was written last.
type State = BTreeMap<u64, u64>;

/// What a writer sent and what came back: writes that were acknowledged, and what is there.
#[derive(Default)]
struct Written {
    writes: u64,
    state: State,
}

#[test]
fn over_grpc() {
    kill_over_and_over(|url| connect(Builder::new(url.replace("http://", "grpc://"))));
}

fn kill_over_and_over(connect: impl Fn(&str) -> Database + Sync) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let mut server = Served::start(&store);
    let url = server.url().to_owned();
    let database = connect(&url);
    database
        .create_collection("points", 2, Metric::Euclidean)
        .unwrap();

    let is_over = AtomicBool::new(false);
    let written: Vec<Written> = std::thread::scope(|scope| {
        let over = Over(&is_over);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (connect, url, is_over) = (&connect, &url, &is_over);
                scope.spawn(move || {
                    let points = connect(url).collection("points").unwrap();
                    write(&points, writer, is_over)
                })
            })
            .collect();
        for kill in 0..KILLS {
            // Moments that differ from kill to kill, and fall into the opening as well.
            std::thread::sleep(Duration::from_millis(if kill % 4 == 3 {
                30
            } else {
                150 + 41 * kill
            }));
            server.kill();
            server = Served::start_on(&store, &url);
        }
        drop(over);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });

    let points = database.collection("points").unwrap();
    let writes: u64 = written.iter().map(|written| written.writes).sum();
    // Each write that was applied has a number of its own.
    assert_eq!(points.describe().unwrap().sequence, writes);
    let mut expected = State::new();
    written
        .into_iter()
        .for_each(|written| expected.extend(written.state));
    assert_eq!(read(&points), expected);
    assert!(writes > 3 * WRITERS, "{writes} writes");
    println!(
        "{KILLS} kills, {writes} writes acknowledged, {} points",
        expected.len()
    );
}

/// Writes rounds of new points, marks them, and removes some of those from the round before;
/// the marks and removals tell how many points they found, once.
fn write(points: &Collection, writer: u64, is_over: &AtomicBool) -> Written {
    let mut written = Written::default();
    for round in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let first = (writer << 32) + round * ROWS;
        let ids: Vec<u64> = (first..first + ROWS).collect();
        let values: Vec<f32> = ids
            .iter()
            .flat_map(|id| [*id as u32 as f32, round as f32])
            .collect();
        let text = format!("{{\"writer\": {writer}, \"round\": {round}, \"state\": \"new\"}}");
        let texts = vec![text.as_str(); ids.len()];
        let batch = Batch::from_values(ids.clone(), values)
            .metadata(MetadataColumn::from_texts(&texts).unwrap());
        let durability = [Durability::Os, Durability::Sync][(round % 2) as usize];
        let upserted = points.upsert(batch).durability(durability).run().unwrap();
        assert_eq!(upserted.upserted, ROWS);

        let is_new = format!("writer = {writer} and round = {round} and state = 'new'");
        let mark = Metadata::parse("{\"state\": \"marked\"}").unwrap();
        let marked = points
            .update_metadata_matching(Filter::parse(&is_new).unwrap(), mark)
            .run()
            .unwrap();
        assert_eq!(marked.updated, ROWS, "writer {writer}, round {round}");
        written.writes += 2;
        written.state.extend(ids.iter().map(|id| (*id, round)));

        if round % 3 == 2 {
            let before = round - 1;
            let old = format!("writer = {writer} and round = {before} and state = 'marked'");
            let deleted = points
                .delete_matching(Filter::parse(&old).unwrap())
                .run()
                .unwrap();
            assert_eq!(deleted.deleted, ROWS, "writer {writer}, round {round}");
            written.writes += 1;
            written.state.retain(|_, written| *written != before);
        }
    }
    written
}

fn read(points: &Collection) -> State {
    let mut state = State::new();
    let mut cursor = None;
    loop {
        let page = points
            .scan()
            .limit(5_000)
            .cursor(cursor)
            .with_vectors(true)
            .run()
            .unwrap();
        for point in page.points {
            let Id::U64(id) = point.id else {
                panic!("{} was never written", point.id);
            };
            let metadata = point.metadata.unwrap().to_value();
            assert_eq!(metadata["state"], "marked", "{id}");
            let round = metadata["round"].as_u64().unwrap();
            assert_eq!(point.vector.unwrap(), [id as u32 as f32, round as f32]);
            state.insert(id, round);
        }
        cursor = page.next;
        if cursor.is_none() {
            return state;
        }
    }
}
