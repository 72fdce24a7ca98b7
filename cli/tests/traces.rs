//! `nearfield serve --otlp-endpoint`: what a collector is sent, read as collectors read it.
#![cfg(feature = "otel")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::Place;
use nearfield::{Batch, Metric, connect};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message as _;
use rustix::process::{Pid, Signal, kill_process};

/// A collector that hands on what it is sent, each request with its head.
struct Collector {
    endpoint: String,
    requests: Receiver<(String, ExportTraceServiceRequest)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    reader.read_line(&mut head).unwrap();
                }
                let (_, rest) = head.split_once("content-length: ").unwrap();
                let len = rest.split_once("\r\n").unwrap().0.parse().unwrap();
                let mut body = vec![0; len];
                reader.read_exact(&mut body).unwrap();
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n";
                reader.get_mut().write_all(answer).unwrap();
                let request = ExportTraceServiceRequest::decode(&*body).unwrap();
                sender.send((head, request)).unwrap();
            }
        });
        Collector { endpoint, requests }
    }

    /// The spans of everything that came.
    fn spans(&self) -> (Vec<Span>, Vec<ResourceSpans>) {
        let mut resources = Vec::new();
        while let Ok((head, request)) = self.requests.recv_timeout(Duration::from_secs(1)) {
            assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/x-protobuf\r\n"));
            resources.extend(request.resource_spans);
        }
        let scopes = resources.iter().flat_map(|resource| &resource.scope_spans);
        let spans = scopes.flat_map(|scope| scope.spans.clone()).collect();
        (spans, resources)
    }
}

fn attributes(span: &Span) -> HashMap<&str, &Value> {
    span.attributes
        .iter()
        .map(|pair| {
            let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
            (pair.key.as_str(), value.unwrap())
        })
        .collect()
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

#[test]
fn each_call_is_a_span_with_its_door_its_stages_and_its_error() {
    let collector = Collector::start();
    let place = Place::new();
    let mut child = place
        .command(&["--json", "serve", "data", "--listen", "127.0.0.1:0"])
        .env("NEARFIELD_OTLP_ENDPOINT", &collector.endpoint)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = told["url"].as_str().unwrap().strip_prefix("http://");
    let address = address.unwrap();

    let grpc = connect(format!("grpc://{address}")).unwrap();
    let docs = grpc.create_collection("docs", 2, Metric::Dot).unwrap();
    let batch = Batch::from_values(vec![1_u64], vec![1.0, 2.0]);
    docs.upsert(batch).run().unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /v1/collections/nobody/count HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         traceparent: 00-0123456789abcdef0123456789abcdef-00000000000000ab-01\r\n\r\n"
    )
    .unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();

    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ending = Instant::now();
    assert!(child.wait().unwrap().success());
    // The client of gRPC is connected and silent.
    assert!(ending.elapsed() < Duration::from_secs(8));
    let (spans, resources) = collector.spans();

    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let upsert = named("upsert");
    let of_upsert = attributes(upsert);
    assert_eq!(of_upsert["nearfield.door"], &text("grpc"));
    assert!(!of_upsert.contains_key("error.type"));
    let Value::DoubleValue(engine) = of_upsert["nearfield.stage.engine_us"] else {
        panic!("{of_upsert:?}");
    };
    let total = upsert.end_time_unix_nano - upsert.start_time_unix_nano;
    assert!(*engine > 0.0 && *engine * 1e3 <= total as f64, "{engine}");
    assert!(upsert.parent_span_id.is_empty());

    let count = named("count");
    let of_count = attributes(count);
    assert_eq!(of_count["nearfield.door"], &text("http"));
    assert_eq!(of_count["error.type"], &text("not_found"));
    assert_eq!(
        count.trace_id,
        0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes()
    );
    assert_eq!(count.parent_span_id, 0xab_u64.to_be_bytes());

    let service = resources.iter().all(|resource| {
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        attributes.iter().any(|pair| {
            let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
            pair.key == "service.name" && value == Some(&text("nearfield"))
        })
    });
    assert!(service, "{resources:?}");
}

#[test]
fn a_collector_that_is_gone_keeps_no_call_and_no_end_waiting() {
    let place = Place::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let mut child = place
        .command(&["--json", "serve", "data", "--listen", "127.0.0.1:0"])
        .args(["--otlp-endpoint", &endpoint])
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    let database = connect(told["url"].as_str().unwrap()).unwrap();
    database.create_collection("docs", 2, Metric::Dot).unwrap();
    let start = Instant::now();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(8));
}
