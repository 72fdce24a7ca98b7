//! A server on a free port, and a caller that writes and reads bytes itself, so that it can also
//! do what no good client does.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use nearfield_http::server::{Server, Settings};
use nearfield_model::*;
use serde_json::Value;

/// Answers each verb in a moment, as if the store were empty.
pub(crate) struct Prompt;

impl Service for Prompt {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        context.check()?;
        request.check()?;
        if let Request::Upsert(upsert) = &request {
            upsert.batch.check_metadata()?;
        }
        Ok(prompt(&request))
    }
}

/// What an empty store would answer.
pub(crate) fn prompt(request: &Request<'_>) -> Response {
    match request {
        Request::CreateCollection(create) => Response::CreateCollection(Created {
            collection: create.collection.clone(),
        }),
        Request::DropCollection(drop) => Response::DropCollection(Dropped {
            collection: drop.collection.clone(),
        }),
        Request::ListCollections(_) => Response::ListCollections(Listed {
            collections: vec![],
        }),
        Request::DescribeCollection(describe) => {
            Response::DescribeCollection(description(&describe.collection))
        }
        Request::Upsert(upsert) => Response::Upsert(Upserted {
            upserted: upsert.batch.len() as u64,
            sequence: 1,
        }),
        Request::Get(get) => Response::Get(Got {
            points: vec![None; get.ids.len()],
        }),
        Request::Delete(_) => Response::Delete(Deleted {
            deleted: 0,
            sequence: 1,
        }),
        Request::UpdateMetadata(_) => Response::UpdateMetadata(MetadataUpdated {
            updated: 0,
            sequence: 1,
        }),
        Request::Search(search) => Response::Search(Found {
            results: vec![vec![]; search.vectors.len()],
            explained: None,
        }),
        Request::Scan(_) => Response::Scan(Scanned {
            points: vec![],
            next: None,
        }),
        Request::Count(_) => Response::Count(Counted { count: 0 }),
        Request::Flush(_) => Response::Flush(Flushed { sequence: 1 }),
        Request::Compact(_) => Response::Compact(Compacted {
            files: 0,
            bytes_before: 0,
            bytes_after: 0,
        }),
        Request::Snapshot(_) => Response::Snapshot(SnapshotTaken {
            path: "copy".into(),
            sequence: 1,
            count: 0,
            bytes: 0,
        }),
    }
}

fn description(collection: &str) -> Description {
    let text = format!(
        r#"{{"collection":"{collection}","dimension":2,"metric":"cosine","storage":"f32",
        "unindexed_fields":[],"count":0,"unindexed":0,"unencoded":0,"sequence":1,"synced":1,
        "log_files":1,"log_bytes":0,"dead_rows":0,"memory_bytes":0,"fields":[]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// Calls a function.
struct Answering<F>(F);

/// A service that is a function.
pub(crate) fn answering(
    function: impl Fn(&Context, &Request<'_>) -> Result<Response> + Send + Sync + 'static,
) -> impl Service + 'static {
    Answering(function)
}

impl<F: Fn(&Context, &Request<'_>) -> Result<Response> + Send + Sync> Service for Answering<F> {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        (self.0)(context, &request)
    }
}

/// A server in front of a service.
pub(crate) fn serve(service: impl Service + 'static, change: impl FnOnce(&mut Settings)) -> Server {
    let mut settings = Settings::default();
    settings.listen = "127.0.0.1:0".to_owned();
    change(&mut settings);
    Server::start(Arc::new(service), settings).unwrap()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The kind of a refusal, which has to be a whole problem.
    pub(crate) fn kind(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        for member in ["type", "title", "detail"] {
            assert!(!problem[member].as_str().unwrap().is_empty(), "{problem}");
        }
        problem["kind"].as_str().unwrap().to_owned()
    }
}

/// A connection.
pub(crate) struct Caller {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Caller {
            stream,
            received: Vec::new(),
        }
    }

    /// Sends a request and reads the answer.
    pub(crate) fn call(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.send(&request(method, path, headers, body));
        self.answer().expect("an answer")
    }

    /// Sends bytes; the other side may have gone.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads an answer; none if the connection was closed before.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let head = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break self.received.drain(..end + 4).collect::<Vec<u8>>();
            }
            self.read()?;
        };
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        while self.received.len() < length {
            self.read()?;
        }
        let body = self.received.drain(..length).collect();
        match status {
            100 => self.answer(),
            _ => Some(Answer {
                status,
                headers,
                body,
            }),
        }
    }

    /// Whether the other side closes.
    pub(crate) fn is_closed(&mut self) -> bool {
        while self.read().is_some() {}
        true
    }

    fn read(&mut self) -> Option<()> {
        let mut piece = [0; 65_536];
        match self.stream.read(&mut piece) {
            Ok(0) => None,
            Ok(bytes) => {
                self.received.extend(&piece[..bytes]);
                Some(())
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                ) =>
            {
                None
            }
            Err(error) => panic!("nothing came: {error}"),
        }
    }
}

/// The bytes of a request.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}");
    if !headers.contains("content-length") && !headers.contains("transfer-encoding") {
        bytes += &format!("content-length: {}\r\n", body.len());
    }
    let mut bytes = bytes.into_bytes();
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// Sends one request over a connection of its own.
pub(crate) fn call(
    server: &Server,
    method: &str,
    path: &str,
    headers: &str,
    body: impl AsRef<[u8]>,
) -> Answer {
    Caller::new(server.local_addr()).call(method, path, headers, body.as_ref())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A body that each verb takes.
pub(crate) fn body(verb: &str) -> &'static str {
    match verb {
        "create_collection" => r#"{"dimension": 2}"#,
        "upsert" => r#"{"ids": [1], "vectors": [[1, 2]]}"#,
        "get" | "delete" => r#"{"ids": [1]}"#,
        "update_metadata" => r#"{"ids": [1], "patch": {"a": 1}}"#,
        "search" => r#"{"vectors": [[1, 2]]}"#,
        "scan" | "count" | "flush" | "compact" | "snapshot" => "{}",
        _ => "",
    }
}

/// All routes of verbs: method, path for the collection `docs`, verb.
pub(crate) const VERBS: [(&str, &str, &str); 14] = [
    ("PUT", "/v1/collections/docs", "create_collection"),
    ("GET", "/v1/collections/docs", "describe_collection"),
    ("DELETE", "/v1/collections/docs", "drop_collection"),
    ("GET", "/v1/collections", "list_collections"),
    ("POST", "/v1/collections/docs/upsert", "upsert"),
    ("POST", "/v1/collections/docs/get", "get"),
    ("POST", "/v1/collections/docs/delete", "delete"),
    (
        "POST",
        "/v1/collections/docs/update_metadata",
        "update_metadata",
    ),
    ("POST", "/v1/collections/docs/search", "search"),
    ("POST", "/v1/collections/docs/scan", "scan"),
    ("POST", "/v1/collections/docs/count", "count"),
    ("POST", "/v1/collections/docs/flush", "flush"),
    ("POST", "/v1/collections/docs/compact", "compact"),
    ("POST", "/v1/collections/docs/snapshot", "snapshot"),
];
