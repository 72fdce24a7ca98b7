//! One unary call: its message is gathered, answered, and the answer framed.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use nearfield_model::{
    Cancellation, Context, Error, ErrorKind, Observation, Result, Rights, Stage, Stamp,
};

use super::arrival::Arrival;
use super::ingest::Ingest;
use super::work::work;
use super::{Door, answer};
use crate::convert::{Incoming, encode_response, verb};
use crate::head::{
    LEFT, SENT, SERVICE, is_grpc, request_id_from, stamp_from, stamp_to, timeout_from, traceparent,
};

/// The method that is a stream.
const INGEST: &str = "Ingest";

/// Answers a request to the service, and tells a sender who shares the clock when the answer leaves.
pub(super) async fn call(State(door): State<Arc<Door>>, request: Request) -> Response {
    let sent = stamp_from(request.headers(), &SENT);
    let mut response = respond(door, request, sent).await;
    if sent.is_some() {
        stamp_to(response.headers_mut(), &LEFT);
    }
    response
}

async fn respond(door: Arc<Door>, request: Request, sent: Option<Stamp>) -> Response {
    let start = Instant::now();
    let (mut parts, body) = request.into_parts();
    if !is_grpc(&parts.headers) {
        return answer::not_grpc();
    }
    let path = std::mem::take(&mut parts.uri);
    let method = path.path().strip_prefix(SERVICE).unwrap_or_default();
    let trace = traceparent(&parts.headers);
    let context = match context(&parts, start) {
        Ok(context) => context,
        Err(error) => {
            let context = Context::default();
            door.observe(verb(method), Some(&error), start, &context, trace);
            return answer::error(&error, None);
        }
    };
    if let Some(sent) = sent {
        context.stages.add(Stage::Send, sent.elapsed());
    }
    if method == INGEST {
        let trace = trace.map(str::to_owned);
        let ingest = Ingest {
            door,
            call: context,
            traceparent: trace,
        };
        return ingest.answer(body);
    }
    let mut arrival = Arrival::one(&door.settings, body);
    let (context, answered) = unary(&door, method, context, &mut arrival, start).await;
    let failure = answered.as_ref().err();
    door.observe(verb(method), failure, start, &context, trace);
    match answered {
        Ok(message) => match arrival.hold(message) {
            Ok(message) => answer::message(message, &context.stages),
            Err(error) => answer::error(&error, Some(&context.stages)),
        },
        Err(error) => answer::error(&error, Some(&context.stages)),
    }
}

async fn unary(
    door: &Arc<Door>,
    method: &str,
    context: Context,
    arrival: &mut Arrival<'_>,
    start: Instant,
) -> (Context, Result<Bytes>) {
    let arrived = match before(context.deadline, arrival.only()).await {
        Ok(message) => message,
        Err(error) => return (context, Err(error)),
    };
    context.stages.add(Stage::Send, start.elapsed());
    let decoded = context
        .stages
        .time(Stage::Decode, || Incoming::decode(method, arrived));
    let incoming = match decoded {
        Ok(incoming) => incoming,
        Err(error) => return (context, Err(error)),
    };
    let (context, answered) = work(door, context, incoming).await;
    let encode = |response| door.fitting(encode_response(&response)?);
    let encoded =
        answered.and_then(|response| context.stages.time(Stage::Encode, || encode(response)));
    (context, encoded)
}

/// Runs up to the deadline.
pub(super) async fn before<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match deadline {
        None => work.await,
        Some(deadline) => tokio::time::timeout_at(deadline.into(), work)
            .await
            .unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::DeadlineExceeded,
                    "the deadline passed before the request had arrived",
                ))
            }),
    }
}

/// What a call's metadata says.
fn context(parts: &Parts, start: Instant) -> Result<Context> {
    let rights = match parts.extensions.get::<Result<Rights>>() {
        Some(rights) => rights.clone()?,
        None => Rights::default(),
    };
    check_encoding(&parts.headers)?;
    let timeout = timeout_from(&parts.headers)?;
    Ok(Context {
        deadline: timeout.and_then(|timeout| start.checked_add(timeout)),
        cancellation: Some(Cancellation::default()),
        request_id: request_id_from(&parts.headers)?,
        rights,
        ..Context::default()
    })
}

fn check_encoding(headers: &HeaderMap) -> Result<()> {
    match headers.get("grpc-encoding") {
        Some(encoding) if encoding != "identity" => Err(Error::new(
            ErrorKind::Unsupported,
            "messages are not compressed on this wire; send them as they are",
        )),
        _ => Ok(()),
    }
}

impl Door {
    /// Refuses an answer over the limit.
    fn fitting(&self, message: Bytes) -> Result<Bytes> {
        if message.len() > self.settings.message_bytes_max {
            return Err(Error::too_large(format!(
                "the answer has {} bytes; at most {} are allowed, so ask for less per request",
                message.len(),
                self.settings.message_bytes_max
            )));
        }
        Ok(message)
    }

    /// Tells the observer how a call went.
    pub(super) fn observe(
        &self,
        verb: Option<&'static str>,
        error: Option<&Error>,
        start: Instant,
        context: &Context,
        traceparent: Option<&str>,
    ) {
        if let Some(observer) = &self.observer {
            observer.observe(&Observation {
                door: "grpc",
                verb,
                error: error.map(Error::kind),
                total: start.elapsed(),
                stages: &context.stages,
                traceparent,
            });
        }
    }
}
