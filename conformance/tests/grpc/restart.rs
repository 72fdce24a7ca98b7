//! The server goes and comes back; the client stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nearfield::{
    Batch, Context, Count, Counted, CreateCollection, Durability, ErrorKind, Metric, RequestId,
    Response, Service, Snapshot, Upsert,
};
use nearfield_grpc::client::Settings;
use nearfield_grpc::server;

use crate::server::Server;

#[test]
fn a_client_is_made_without_a_server_and_finds_it_later() {
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service());
    let address = server.address();
    drop(server);
    let client = nearfield_grpc::client::Client::connect(
        &format!("grpc://{address}"),
        Settings {
            retries: 0,
            ..Settings::default()
        },
    )
    .unwrap();
    let count = || client.call(&Context::default(), Count::new("docs").into());
    let error = count().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let _server = Server::start_at(address, store.service(), server::Settings::default());
    assert_eq!(count().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn writes_go_on_over_restarts_and_each_is_applied_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store").to_string_lossy().into_owned();
    let open = || nearfield::connect(&path).unwrap();
    let mut store = Some(open());
    let mut server = Some(Server::start(store.as_ref().unwrap().service()));
    let address = server.as_ref().unwrap().address();
    let client = server.as_ref().unwrap().client_with(Settings {
        retries: 50,
        ..Settings::default()
    });
    client
        .call(
            &Context::default(),
            CreateCollection::new("docs", 2, Metric::Dot).into(),
        )
        .unwrap();
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let ids = [written];
                let upsert = Upsert::new("docs", Batch::new(ids, &[1.0, 2.0]));
                client
                    .call(
                        &Context::default(),
                        upsert.durability(Durability::Os).into(),
                    )
                    .unwrap();
                written += 1;
            }
            written
        });
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(300));
            drop(server.take());
            drop(store.take());
            store = Some(open());
            let service = store.as_ref().unwrap().service();
            server = Some(Server::start_at(
                address,
                service,
                server::Settings::default(),
            ));
        }
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(written > 10, "{written}");
    let described = store
        .unwrap()
        .collection("docs")
        .unwrap()
        .describe()
        .unwrap();
    assert_eq!(described.count, written);
    assert_eq!(described.sequence, written, "a retry was applied again");
}

#[test]
fn a_write_with_the_callers_request_id_is_answered_alike_when_it_is_sent_again() {
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service());
    let client = server.client();
    let call = |number, request: nearfield::Request<'_>| {
        let context = Context {
            request_id: Some(RequestId {
                client: [7; 16],
                number,
            }),
            ..Context::default()
        };
        client.call(&context, request).unwrap()
    };
    call(1, CreateCollection::new("docs", 1, Metric::Dot).into());
    let upsert = |value| Upsert::new("docs", Batch::from_values(vec![1], vec![value]));
    let first = call(2, upsert(1.0).into());
    assert_eq!(call(2, upsert(1.0).into()), first);
    assert_ne!(call(3, upsert(1.0).into()), first);
    let counted = call(4, Count::new("docs").into());
    assert_eq!(counted, Response::Count(Counted { count: 1 }));
}

#[test]
fn a_snapshot_waits_for_the_server_as_it_was_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store").to_string_lossy().into_owned();
    let store = nearfield::connect(&path).unwrap();
    store.create_collection("docs", 1, Metric::Dot).unwrap();
    let server = Server::start(store.service());
    let address = server.address();
    let client = server.client_with(Settings {
        retries: 50,
        ..Settings::default()
    });
    drop(server);
    std::thread::scope(|scope| {
        let snapshot =
            scope.spawn(|| client.call(&Context::default(), Snapshot::new("docs").into()));
        std::thread::sleep(Duration::from_millis(200));
        let _server = Server::start_at(
            address,
            Arc::clone(&store.service()),
            server::Settings::default(),
        );
        snapshot.join().unwrap().unwrap();
    });
}
