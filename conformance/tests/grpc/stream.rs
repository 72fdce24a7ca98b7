//! Batch after batch through one stream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nearfield::{Batch, Context, Durability, ErrorKind, Metric, Upsert};
use nearfield_grpc::client::Settings;
use nearfield_grpc::server;

use crate::server::Server;

fn batch(number: u64, values: &[f32]) -> Upsert<'_> {
    let ids: Vec<u64> = (number * 10..number * 10 + 10).collect();
    Upsert::new("docs", Batch::new(ids, values)).durability(Durability::Os)
}

#[test]
fn each_batch_is_acknowledged_in_order_and_a_refused_one_stops_none() {
    let store = nearfield::connect(":memory:").unwrap();
    let docs = store.create_collection("docs", 8, Metric::Dot).unwrap();
    let server = Server::start(store.service());
    let values = [1.0; 80];
    let wrong = [1.0; 70];
    let nan = [f32::NAN; 80];
    let upserts = (0..50).map(|number| match number {
        7 => batch(number, &wrong),
        9 => batch(number, &nan),
        11 => batch(number, &values[..79]),
        _ => batch(number, &values),
    });
    let mut answers = Vec::new();
    server
        .client()
        .ingest(&Context::default(), upserts, |answer| answers.push(answer))
        .unwrap();
    assert_eq!(answers.len(), 50);
    let mut sequence = 0;
    for (number, answer) in answers.into_iter().enumerate() {
        match (number, answer) {
            (7 | 9 | 11, Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::InvalidArgument);
                assert_eq!(error.field(), Some("vectors"), "{error}");
            }
            (_, Ok(upserted)) => {
                assert_eq!(upserted.upserted, 10);
                assert!(upserted.sequence > sequence);
                sequence = upserted.sequence;
            }
            (number, answer) => panic!("batch {number}: {answer:?}"),
        }
    }
    assert_eq!(docs.count().run().unwrap().count, 470);
}

#[test]
fn a_stream_goes_on_over_a_restart_and_writes_each_batch_once() {
    let store = nearfield::connect(":memory:").unwrap();
    let docs = store.create_collection("docs", 8, Metric::Dot).unwrap();
    let server = Server::start(store.service());
    let address = server.address();
    let client = server.client_with(Settings {
        retries: 50,
        ..Settings::default()
    });
    let values = [1.0; 80];
    let acknowledged = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let ingest = scope.spawn(|| {
            let upserts = (0..400).map(|number| {
                std::thread::sleep(Duration::from_millis(1));
                batch(number, &values)
            });
            client.ingest(&Context::default(), upserts, |answer| {
                answer.unwrap();
                acknowledged.fetch_add(1, Ordering::Relaxed);
            })
        });
        while acknowledged.load(Ordering::Relaxed) < 50 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(server);
        let _server = Server::start_at(address, store.service(), server::Settings::default());
        ingest.join().unwrap().unwrap();
    });
    assert_eq!(acknowledged.load(Ordering::Relaxed), 400);
    assert_eq!(docs.count().run().unwrap().count, 4000);
    assert_eq!(docs.describe().unwrap().sequence, 400);
}

#[test]
fn a_stream_ends_at_its_deadline_or_without_a_server() {
    let store = nearfield::connect(":memory:").unwrap();
    store.create_collection("docs", 8, Metric::Dot).unwrap();
    let server = Server::start(store.service());
    let client = server.client_with(Settings {
        retries: 1,
        ..Settings::default()
    });
    let values = [1.0; 80];
    let context = Context::with_timeout(Duration::from_millis(100));
    let endless = (0..).map(|number| batch(number, &values));
    let error = client.ingest(&context, endless, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    drop(server);
    let some = (0..9).map(|number| batch(number, &values));
    let error = client
        .ingest(&Context::default(), some, |_| {})
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[test]
fn a_stream_of_nothing_is_no_error() {
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service());
    let answered = server
        .client()
        .ingest(&Context::default(), [], |_| panic!("no batch"));
    answered.unwrap();
}
