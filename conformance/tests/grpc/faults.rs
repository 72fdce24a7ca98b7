//! What should not be sent: too much, garbage, requests without a right.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use nearfield::limits::BATCH_BYTES_MAX;
use nearfield::{
    Batch, Budget, Context, CreateCollection, ErrorKind, Get, ListCollections, Metric, Rights,
    Service, Upsert,
};
use nearfield_grpc::client::{Client, Settings};
use nearfield_grpc::server;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service as _, http};
use tonic::{Code, Status};

use crate::server::Server;

/// Sends a body as it is and gives back the status.
fn send(address: SocketAddr, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Status {
    let body = Body::new(Full::new(Bytes::copy_from_slice(body)));
    send_body(address, method, headers, body)
}

fn send_body(address: SocketAddr, method: &str, headers: &[(&str, &str)], body: Body) -> Status {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::new(format!("http://{address}")).unwrap();
        let mut channel = endpoint.connect().await.unwrap();
        let mut request = http::Request::post(format!("/nearfield.v1.Nearfield/{method}"))
            .header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        std::future::poll_fn(|context| channel.poll_ready(context))
            .await
            .unwrap();
        let response = channel.call(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        assert_eq!(head.status, 200);
        let collected = body.collect().await.unwrap();
        Status::from_header_map(&head.headers)
            .or_else(|| Status::from_header_map(collected.trailers()?))
            .unwrap()
    })
}

fn frame(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &len[..], message].concat()
}

#[test]
fn garbage_is_refused_and_the_server_answers_on() {
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service());
    let address = server.address();
    let garbled: &[&[u8]] = &[
        b"",
        b"\0",
        b"\0\0\0\0\x05abc",
        b"\0\xff\xff\xff\xff",
        b"\x01\0\0\0\0",
        b"\x07\0\0\0\0",
        &frame(&[0xff; 40]),
        &frame(b"\x0a\xff\xff\xff\xff\x0f"),
        &[frame(b""), frame(b"")].concat(),
        &[0xa5; 100_000],
    ];
    for method in ["Upsert", "Search", "Count", "Ingest"] {
        for body in garbled {
            let status = send(address, method, &[], body);
            let empty_stream = method == "Ingest" && body.is_empty();
            assert!(
                (status.code() == Code::Ok) == empty_stream || method == "Ingest",
                "{method} {body:?}: {status:?}"
            );
            assert_ne!(status.code(), Code::Internal, "{method} {body:?}");
        }
    }
    let deep = (0..2000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let mut len = inner.len();
        let mut outer = vec![0x1a];
        while len >= 0x80 {
            outer.push(len as u8 | 0x80);
            len >>= 7;
        }
        outer.push(len as u8);
        [outer, inner].concat()
    });
    let status = send(
        address,
        "Count",
        &[],
        &frame(&[&[0x12, 0x82, 0x20][..], &deep].concat()),
    );
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(
        Client::call(
            &server.client(),
            &Context::default(),
            ListCollections {}.into()
        )
        .is_ok()
    );
}

#[test]
fn metadata_of_calls_that_cannot_be_read_is_refused() {
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service());
    let list =
        |headers: &[(&str, &str)]| send(server.address(), "ListCollections", headers, &frame(b""));
    assert_eq!(list(&[]).code(), Code::Ok);
    for header in [("grpc-timeout", "soon"), ("nearfield-request-id", "7")] {
        assert_eq!(list(&[header]).code(), Code::InvalidArgument, "{header:?}");
    }
    assert_eq!(
        list(&[("grpc-encoding", "gzip")]).code(),
        Code::Unimplemented
    );
    assert_eq!(
        list(&[("grpc-timeout", "0n")]).code(),
        Code::DeadlineExceeded
    );
    let status = send(server.address(), "Teleport", &[], &frame(b""));
    assert_eq!(status.code(), Code::Unimplemented);
}

#[test]
fn bytes_that_are_no_http_harm_nobody_else() {
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service());
    let client = server.client();
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x5a; 5000],
    ] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let _closed = stream.write_all(bytes);
        let _closed = stream.read(&mut [0; 1000]);
        client
            .call(&Context::default(), ListCollections {}.into())
            .unwrap();
    }
}

#[test]
fn a_batch_at_the_limit_goes_through_and_one_above_is_too_large() {
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service());
    let client = server.client();
    let context = Context::default();
    let dimension = 4096;
    let row = dimension * 4 + 8;
    client
        .call(
            &context,
            CreateCollection::new("docs", dimension, Metric::Dot).into(),
        )
        .unwrap();
    let upsert = |rows: usize| {
        let ids: Vec<u64> = (0..rows as u64).collect();
        let upsert = Upsert::new("docs", Batch::from_values(ids, vec![0.5; rows * dimension]));
        client.call(&context, upsert.into())
    };
    let error = upsert(BATCH_BYTES_MAX / row + 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    upsert(BATCH_BYTES_MAX / row).unwrap();
}

#[test]
fn the_server_refuses_what_is_too_large_by_itself_in_both_directions() {
    let store = nearfield::connect(":memory:").unwrap();
    store.create_collection("docs", 1000, Metric::Dot).unwrap();
    let settings = server::Settings {
        message_bytes_max: 20_000,
        ..server::Settings::default()
    };
    let any = "127.0.0.1:0".parse().unwrap();
    let server = Server::start_at(any, store.service(), settings);
    let client = server.client();
    let context = Context::default();
    let upsert = |first: u64, rows: u64| {
        let ids: Vec<u64> = (first..first + rows).collect();
        let batch = Batch::from_values(ids, vec![0.5; 1000 * rows as usize]);
        client.call(&context, Upsert::new("docs", batch).into())
    };
    assert_eq!(upsert(0, 5).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(
        store
            .collection("docs")
            .unwrap()
            .count()
            .run()
            .unwrap()
            .count,
        0
    );
    for first in [0, 4] {
        upsert(first, 4).unwrap();
    }
    let get = |ids: Vec<u64>| client.call(&context, Get::new("docs", ids).into());
    assert_eq!(
        get((0..8).collect()).unwrap_err().kind(),
        ErrorKind::TooLarge
    );
    get((0..4).collect()).unwrap();
}

#[test]
fn requests_over_the_budget_are_told_to_come_back() {
    let store = nearfield::connect(":memory:").unwrap();
    store.create_collection("docs", 1000, Metric::Dot).unwrap();
    let settings = server::Settings {
        budget: Budget::new(1000),
        ..server::Settings::default()
    };
    let any = "127.0.0.1:0".parse().unwrap();
    let server = Server::start_at(any, store.service(), settings);
    let client = server.client_with(Settings {
        retries: 0,
        ..Settings::default()
    });
    let batch = Batch::from_values((0..500).collect::<Vec<u64>>(), vec![0.5; 500_000]);
    let error = client
        .call(&Context::default(), Upsert::new("docs", batch).into())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
}

#[test]
fn answers_count_against_the_budget_too_and_give_it_back() {
    let store = nearfield::connect(":memory:").unwrap();
    let docs = store.create_collection("docs", 1000, Metric::Dot).unwrap();
    let values = vec![0.5; 4_000];
    docs.upsert(Batch::from_values(vec![1_u64, 2, 3, 4], values))
        .run()
        .unwrap();
    let budget = Budget::new(10_000);
    let settings = server::Settings {
        budget: Arc::clone(&budget),
        ..server::Settings::default()
    };
    let any = "127.0.0.1:0".parse().unwrap();
    let server = Server::start_at(any, store.service(), settings);
    let client = server.client_with(Settings {
        retries: 0,
        ..Settings::default()
    });
    let get = |ids: Vec<u64>| client.call(&Context::default(), Get::new("docs", ids).into());
    for _ in 0..5 {
        let error = get(vec![1, 2, 3, 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
        get(vec![1, 2]).unwrap();
    }
    drop(client);
    drop(server);
    assert_eq!(budget.used(), 0);
}

/// A body that begins and never ends.
struct Stuck(Option<Bytes>);

impl http_body::Body for Stuck {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        match self.0.take() {
            Some(piece) => task::Poll::Ready(Some(Ok(http_body::Frame::data(piece)))),
            None => task::Poll::Pending,
        }
    }
}

#[test]
fn a_message_that_does_not_arrive_gives_its_place_back() {
    let store = nearfield::connect(":memory:").unwrap();
    let budget = Budget::new(10_000);
    let settings = server::Settings {
        budget: Arc::clone(&budget),
        pause_max: Duration::from_millis(200),
        ..server::Settings::default()
    };
    let any = "127.0.0.1:0".parse().unwrap();
    let server = Server::start_at(any, store.service(), settings);
    for (method, piece) in [
        ("Upsert", &b""[..]),
        ("Upsert", b"\0\0"),
        ("Ingest", b"\0\0\0\x20\0abc"),
    ] {
        let body = Body::new(Stuck(Some(Bytes::from_static(piece))));
        let status = send_body(server.address(), method, &[], body);
        assert_eq!(status.code(), Code::DeadlineExceeded, "{method} {piece:?}");
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn rights_that_a_layer_found_are_kept() {
    let store = nearfield::connect(":memory:").unwrap();
    let create = || CreateCollection::new("docs", 1, Metric::Dot).into();
    let reader = Server::start_with(store.service(), |request| {
        request
            .extensions_mut()
            .insert(nearfield::Result::<Rights>::Ok(Rights::Read));
    });
    let client = reader.client();
    let context = Context::default();
    let error = client.call(&context, create()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    client.call(&context, ListCollections {}.into()).unwrap();
    let unknown = Server::start_with(store.service(), |request| {
        let error = nearfield::Error::new(ErrorKind::Unauthenticated, "who are you");
        request
            .extensions_mut()
            .insert(nearfield::Result::<Rights>::Err(error));
    });
    let error = unknown
        .client()
        .call(&context, ListCollections {}.into())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(error.message(), "who are you");
    let keyed = Server::start_with(store.service(), |request| {
        let key = request.headers().get("authorization");
        let rights = match key.map(|key| key.as_bytes()) {
            Some(b"Bearer sesame") => Rights::Admin,
            _ => Rights::Read,
        };
        request
            .extensions_mut()
            .insert(nearfield::Result::<Rights>::Ok(rights));
    });
    let client = keyed.client_with(Settings {
        api_key: Some("sesame".to_owned()),
        ..Settings::default()
    });
    client.call(&context, create()).unwrap();
}

#[test]
fn an_error_of_the_engine_keeps_its_kind() {
    let (service, _ends) = crate::fake::Patient::new();
    let server = Server::start(Arc::new(service));
    let error = server
        .client()
        .call(&Context::default(), nearfield::Flush::new("docs").into())
        .unwrap_err();
    assert_eq!(
        error,
        nearfield::Error::new(ErrorKind::WritesStopped, "no more")
    );
}
