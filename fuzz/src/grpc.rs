//! What the gRPC door must hold to, whatever bytes a body has. The fuzz target calls this with
//! what libFuzzer finds, and a test of `transports/grpc` with random and mutated messages.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request as HttpRequest;
use axum::http::HeaderValue;
use http_body::Frame;
use nearfield_grpc::server::{Settings, router};
use nearfield_model::{
    Context, Counted, Deleted, Error, Flushed, Found, Got, Hit, Id, Listed, MetadataUpdated, Point,
    Request, Response, Result, Scanned, Service, Upserted,
};
use tokio::runtime::Runtime;
use tower_service::Service as _;

/// The methods, the stream among them.
pub(crate) const METHODS: [&str; 15] = [
    "CreateCollection",
    "DropCollection",
    "ListCollections",
    "DescribeCollection",
    "Upsert",
    "Get",
    "Delete",
    "UpdateMetadata",
    "Search",
    "Scan",
    "Count",
    "Flush",
    "Compact",
    "Snapshot",
    "Ingest",
];

/// Bytes of a message, at most: a bound that small inputs reach, too.
const MESSAGE_BYTES_MAX: usize = 512;

/// Checks each request and gives back what it can of it.
struct Echo;

impl Service for Echo {
    fn call(&self, _: &Context, request: Request<'_>) -> Result<Response> {
        request.check()?;
        Ok(match request {
            Request::Upsert(upsert) => {
                upsert.batch.check_metadata()?;
                Response::Upsert(Upserted {
                    upserted: upsert.batch.len() as u64,
                    sequence: 1,
                })
            }
            Request::Get(get) => Response::Get(Got {
                points: get.ids.iter().map(|id| Some(point(id.to_id()))).collect(),
            }),
            Request::Search(search) => Response::Search(Found {
                results: search
                    .vectors
                    .rows()
                    .map(|row| {
                        vec![Hit {
                            id: Id::from(1_u64),
                            score: 0.5,
                            metadata: None,
                            vector: Some(row.to_vec()),
                        }]
                    })
                    .collect(),
                explained: None,
            }),
            Request::Scan(scan) => Response::Scan(Scanned {
                points: vec![point(Id::from(7_u64))],
                next: scan.cursor,
            }),
            Request::ListCollections(_) => Response::ListCollections(Listed {
                collections: vec![],
            }),
            Request::Delete(_) => Response::Delete(Deleted {
                deleted: 0,
                sequence: 1,
            }),
            Request::UpdateMetadata(_) => Response::UpdateMetadata(MetadataUpdated {
                updated: 0,
                sequence: 1,
            }),
            Request::Count(_) => Response::Count(Counted { count: 0 }),
            Request::Flush(_) => Response::Flush(Flushed { sequence: 1 }),
            _ => return Err(Error::invalid("not here")),
        })
    }
}

fn point(id: Id) -> Point {
    Point {
        id,
        vector: Some(vec![1.0, 2.0]),
        metadata: None,
    }
}

/// A body that comes in pieces.
struct Cut(VecDeque<Bytes>);

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// The first byte chooses the method, the second the size of pieces; then come frames. Whatever
/// they hold, the answer has a status, and it is not that of a defect.
pub(crate) fn grpc_body(bytes: &[u8]) {
    let [method, piece, body @ ..] = bytes else {
        return;
    };
    let method = METHODS[usize::from(*method) % METHODS.len()];
    let pieces = body.chunks(usize::from(*piece) + 1);
    let body = Body::new(Cut(pieces.map(Bytes::copy_from_slice).collect()));
    let request = HttpRequest::post(format!("/nearfield.v1.Nearfield/{method}"))
        .header("content-type", "application/grpc")
        .body(body)
        .expect("a request");
    let status = RUNTIME.with(|runtime| runtime.block_on(answer(request)));
    let status = status.expect("a status");
    assert!(status != "13", "{method} answers with a defect");
}

thread_local! {
    static RUNTIME: Runtime = {
        let runtime = tokio::runtime::Builder::new_current_thread();
        { runtime }.enable_time().build().expect("a runtime")
    };
    static ROUTER: Router = {
        let settings = Settings {
            message_bytes_max: MESSAGE_BYTES_MAX,
            ..Settings::default()
        };
        router(Arc::new(Echo), None, settings)
    };
}

/// The status of the answer.
async fn answer(request: HttpRequest) -> Option<HeaderValue> {
    let response = ROUTER.with(|router| router.clone().call(request));
    let (head, mut body) = response.await.expect("an answer").into_parts();
    assert_eq!(head.status, 200);
    let mut status = head.headers.get("grpc-status").cloned();
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        if let Ok(trailers) = frame.expect("a frame").into_trailers() {
            status = trailers.get("grpc-status").cloned().or(status);
        }
    }
    status
}
