//! Deadlines, cancellation, and calls that take long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nearfield::{
    Cancellation, Compact, Context, Count, ErrorKind, ListCollections, Service, Stage,
};

use crate::fake::Patient;
use crate::server::Server;

const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_late_call_ends_on_both_sides() {
    let (service, ends) = Patient::new();
    let server = Server::start(Arc::new(service));
    let context = Context::with_timeout(Duration::from_millis(100));
    let start = Instant::now();
    let error = server
        .client()
        .call(&context, Count::new("docs").into())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    assert!(start.elapsed() < SOON);
    let end = ends.recv_timeout(SOON).unwrap();
    assert!(matches!(
        end,
        ErrorKind::DeadlineExceeded | ErrorKind::Cancelled
    ));
}

#[test]
fn a_cancelled_call_ends_on_both_sides() {
    let (service, ends) = Patient::new();
    let server = Server::start(Arc::new(service));
    let cancellation = Cancellation::default();
    let context = Context {
        cancellation: Some(cancellation.clone()),
        ..Context::default()
    };
    let client = server.client();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            cancellation.cancel();
        });
        client
            .call(&context, Count::new("docs").into())
            .unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert_eq!(ends.recv_timeout(SOON).unwrap(), ErrorKind::Cancelled);
}

#[test]
fn calls_that_last_keep_no_other_from_being_answered() {
    let (service, ends) = Patient::new();
    let server = Server::start(Arc::new(service));
    let client = server.client();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let context = Context::with_timeout(Duration::from_secs(1));
                client
                    .call(&context, Count::new("docs").into())
                    .unwrap_err();
            });
        }
        std::thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        let other = server.client();
        for _ in 0..10 {
            for client in [&client, &other] {
                client
                    .call(&Context::default(), ListCollections {}.into())
                    .unwrap();
            }
        }
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{:?}",
            start.elapsed()
        );
    });
    for _ in 0..16 {
        ends.recv_timeout(SOON).unwrap();
    }
}

#[test]
fn a_call_that_panics_is_an_error_and_the_next_is_answered() {
    let (service, _ends) = Patient::new();
    let server = Server::start(Arc::new(service));
    let client = server.client();
    let context = Context::default();
    let error = client
        .call(&context, Compact::new("docs").into())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    client.call(&context, ListCollections {}.into()).unwrap();
}

#[test]
fn a_call_tells_where_its_time_went() {
    let (service, _ends) = Patient::new();
    let server = Server::start(Arc::new(service));
    let client = server.client();
    let context = Context::default();
    client.call(&context, ListCollections {}.into()).unwrap();
    for stage in [
        Stage::ClientEncode,
        Stage::Decode,
        Stage::Engine,
        Stage::Encode,
    ] {
        assert!(!context.stages.get(stage).is_zero(), "{}", stage.as_str());
    }
}

#[test]
fn a_client_works_inside_another_runtime() {
    let (service, _ends) = Patient::new();
    let server = Server::start(Arc::new(service));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = server.client();
        let answer = client.call(&Context::default(), ListCollections {}.into());
        assert!(answer.is_ok());
    });
}
