//! One request's way: admitted, found in the table, read, called, answered.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HeaderValue, VARY};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use nearfield_model::codec::MetadataAs;
use nearfield_model::{
    Context, Error, ErrorKind, Observation, RequestId, Result, Rights, Service as _, Share, Stage,
    StageClock, Stamp, check_collection_name,
};
use tower_service::Service as _;

use super::answer::{self, Body};
use super::connection::Connection;
use super::door::Door;
use super::intake::{Intake, too_large};
use super::keys::unhex;
use super::media::{self, Coding};
use super::page;
use super::routes::{self, Found, Target};
use super::turn::Caller;
use crate::body::{Format, RequestReader, write_response_with};

/// After an error, so much of the body is read on, for so long: who is still sending would
/// otherwise not see the answer.
const DRAINED_BYTES_MAX: usize = 4 << 20;
const DRAINED_TIME_MAX: Duration = Duration::from_secs(1);

/// How long a body that comes without a pause keeps its thread from others.
const TURN_TIME_MAX: Duration = Duration::from_millis(1);

/// Answers a request.
pub(crate) async fn answer(
    door: &Door,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<Body> {
    let start = Instant::now();
    let (parts, mut body) = request.into_parts();
    if let Err(error) = admit(door, connection, &parts) {
        drain(&mut body).await;
        return answer::refuse(&error, None, &StageClock::default());
    }
    let rights = door.admission.rights(&parts.headers);
    let origin = door.admission.shares_with(&parts.headers);
    if is_grpc(&parts.headers) {
        let routed = route(door, parts, body, rights);
        return door.turns.watch(connection.number(), routed).await;
    }
    let mut call = Call {
        door,
        start,
        verb: None,
        context: Context::default(),
        sent: None,
        caller: match parts.version {
            Version::HTTP_2 => Caller::Shared,
            _ => Caller::Alone(connection.number()),
        },
    };
    let (mut response, error) = match call.answer(&parts, &mut body, rights).await {
        Ok(response) => (response, None),
        Err(refusal) => {
            drain(&mut body).await;
            let response = answer::refuse(&refusal.error, refusal.status, &call.context.stages);
            (refusal.finish(response), Some(refusal.error.kind()))
        }
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    call.observe(&parts, &response, error);
    if call.sent.is_some() {
        answer::leave(&mut response);
    }
    if parts.method == Method::HEAD {
        return page::without_body(response);
    }
    response
}

/// Refuses what nobody should send.
fn admit(door: &Door, connection: &Connection, parts: &Parts) -> Result<()> {
    let bytes: usize = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let bytes = bytes + parts.uri.path().len() + parts.uri.query().map_or(0, str::len);
    if bytes > door.settings.header_bytes_max {
        return Err(Error::too_large(format!(
            "the headers have {bytes} bytes; at most {} are allowed",
            door.settings.header_bytes_max
        )));
    }
    if matches!(parts.uri.path(), "/healthz" | "/readyz") {
        // Probes come by whatever address they know.
        return Ok(());
    }
    door.admission
        .check_place(&parts.headers, parts.uri.authority(), connection.local())
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Hands a request to the other door on this port.
async fn route(
    door: &Door,
    parts: Parts,
    body: Incoming,
    rights: Result<Rights>,
) -> Response<Body> {
    let Some(router) = &door.router else {
        let error = Error::new(ErrorKind::Unsupported, "this server does not answer gRPC");
        let status = Some(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        return answer::refuse(&error, status, &StageClock::default());
    };
    let mut request = Request::from_parts(parts, axum::body::Body::new(body));
    request.extensions_mut().insert(rights);
    let response = match router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let mut response = response.map(Body::Routed);
    answer::mark(&mut response);
    response
}

/// Reads on for a while, so that the answer is seen.
async fn drain(body: &mut Incoming) {
    if body.is_end_stream() {
        return;
    }
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, |data| data.len());
            if bytes > DRAINED_BYTES_MAX {
                break;
            }
        }
    };
    // Whoever sends longer than that may miss the answer.
    let _ = tokio::time::timeout(DRAINED_TIME_MAX, reading).await;
}

/// An error on its way out.
struct Refusal {
    error: Error,
    status: Option<StatusCode>,
    methods: Option<String>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal {
            error,
            status: None,
            methods: None,
        }
    }
}

impl Refusal {
    fn with(status: StatusCode) -> impl FnOnce(Error) -> Refusal {
        move |error| Refusal {
            status: Some(status),
            ..error.into()
        }
    }

    fn finish(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(methods) = &self.methods {
            answer::allow(&mut response, methods);
        }
        response
    }
}

/// How an answer is to be written.
struct Answer {
    format: Format,
    metadata: MetadataAs,
    coding: Option<Coding>,
    status: StatusCode,
}

/// A request under way.
struct Call<'d> {
    door: &'d Door,
    start: Instant,
    verb: Option<&'static str>,
    context: Context,
    /// When the request was sent, if its sender shares the clock.
    sent: Option<Stamp>,
    caller: Caller,
}

impl Call<'_> {
    async fn answer(
        &mut self,
        parts: &Parts,
        body: &mut Incoming,
        rights: Result<Rights>,
    ) -> Result<Response<Body>, Refusal> {
        let (route, collection) = match routes::find(&parts.method, parts.uri.path()) {
            Found::Route(route, collection) => (route, collection),
            Found::Methods(methods) => return self.method(parts, &methods),
            Found::Nothing => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    "nothing is served at this path; /docs lists what is",
                )
                .into());
            }
        };
        if let Some(right) = route.right {
            self.context.rights = rights?;
            self.context.require(right)?;
        }
        let Target::Verb(verb) = route.target else {
            let (door, stages) = (self.door, &self.context.stages);
            let page = || page::answer(door, route.target, stages);
            return door.turns.run(self.caller, page).map_err(Into::into);
        };
        self.verb = Some(verb);
        if !collection.is_empty() {
            check_collection_name(collection)?;
        }
        self.read_headers(&parts.headers)?;
        let format = media::answer_format(&parts.headers)
            .map_err(Refusal::with(StatusCode::NOT_ACCEPTABLE))?;
        let answer = Answer {
            format,
            metadata: media::answer_metadata(&parts.headers),
            coding: media::answer_coding(&parts.headers),
            status: StatusCode::from_u16(route.status).unwrap_or(StatusCode::OK),
        };
        let (reader, share) = self.read_body(parts, body, verb, collection).await?;
        if let Some(sent) = self.sent {
            // What has arrived is decoded while the rest is on its way.
            let stages = &self.context.stages;
            let on_the_way = sent.elapsed().saturating_sub(stages.get(Stage::Decode));
            stages.add(Stage::Send, on_the_way);
        }
        let waiting = Instant::now();
        self.door
            .turns
            .run(self.caller, || {
                self.context.stages.add(Stage::Queue, waiting.elapsed());
                self.call(reader, share, &answer)
            })
            .map_err(Into::into)
    }

    /// Answers a method that a path does not take.
    fn method(&self, parts: &Parts, methods: &[&Method]) -> Result<Response<Body>, Refusal> {
        let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        let names = names.join(", ");
        if parts.method == Method::OPTIONS {
            return Ok(page::options(&names, &self.context.stages));
        }
        let method: String = parts.method.as_str().chars().take(20).collect();
        Err(Refusal {
            error: Error::new(
                ErrorKind::Unsupported,
                format!("this path does not take {method}; it takes {names}"),
            ),
            status: Some(StatusCode::METHOD_NOT_ALLOWED),
            methods: Some(names),
        })
    }

    /// Takes the request id and the timeout.
    fn read_headers(&mut self, headers: &HeaderMap) -> Result<()> {
        if let Some(value) = headers.get("nearfield-request-id") {
            let id = value.to_str().ok().and_then(request_id);
            self.context.request_id = Some(id.ok_or_else(|| {
                Error::invalid("a request id is 32 hex digits, a dash and a number")
                    .in_field("nearfield-request-id")
            })?);
        }
        if let Some(value) = headers.get("nearfield-sent-ns") {
            self.sent = value.to_str().ok().and_then(Stamp::read);
        }
        if let Some(value) = headers.get("nearfield-timeout-ms") {
            let timeout = value.to_str().ok().and_then(|text| text.parse().ok());
            let timeout = timeout.ok_or_else(|| {
                Error::invalid("the timeout is a whole number of milliseconds")
                    .in_field("nearfield-timeout-ms")
            })?;
            self.context.deadline = self.start.checked_add(Duration::from_millis(timeout));
        }
        Ok(())
    }

    /// Reads the body as it arrives.
    async fn read_body(
        &self,
        parts: &Parts,
        body: &mut Incoming,
        verb: &'static str,
        collection: &str,
    ) -> Result<(RequestReader, Share), Refusal> {
        let settings = &self.door.settings;
        let share = Share::new(&self.door.budget);
        if body.is_end_stream() {
            return Ok((RequestReader::new(Format::Json, verb, collection), share));
        }
        let unsupported = Refusal::with(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let format = media::format_of(&parts.headers).map_err(unsupported)?;
        let unsupported = Refusal::with(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let coding = media::coding_of(&parts.headers).map_err(unsupported)?;
        if body.size_hint().lower() > settings.body_bytes_max as u64 {
            return Err(too_large(settings.body_bytes_max).into());
        }
        let reader = RequestReader::new(format, verb, collection);
        let stages = &self.context.stages;
        let mut intake = Intake::new(coding, reader, settings.body_bytes_max, share, stages)?;
        let end = self.start + settings.body_timeout;
        let end = self
            .context
            .deadline
            .map_or(end, |deadline| deadline.min(end));
        let mut turn = Instant::now();
        while let Some(piece) = self.next_piece(body, end).await? {
            // Who sends without a pause lets others have their turn.
            if turn.elapsed() > TURN_TIME_MAX {
                tokio::task::yield_now().await;
                turn = Instant::now();
            }
            match intake.is_compressed() {
                false => intake.feed(&piece)?,
                true => self.door.turns.run(self.caller, || intake.feed(&piece))?,
            }
        }
        Ok(intake.finish()?)
    }

    async fn next_piece(&self, body: &mut Incoming, end: Instant) -> Result<Option<bytes::Bytes>> {
        loop {
            let pause_end = Instant::now() + self.door.settings.body_pause_max;
            let next = tokio::time::timeout_at(pause_end.min(end).into(), body.frame());
            match next.await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(Some(Err(error))) => {
                    return Err(Error::invalid(format!("the body ends early: {error}")));
                }
                Err(_) => {
                    self.context.check()?;
                    return Err(Error::new(
                        ErrorKind::DeadlineExceeded,
                        "the body arrives too slowly; send less per request",
                    ));
                }
            }
        }
    }

    /// Decodes the rest, calls, and encodes.
    fn call(
        &self,
        reader: RequestReader,
        mut share: Share,
        answer: &Answer,
    ) -> Result<Response<Body>> {
        let stages = &self.context.stages;
        let request = stages.time(Stage::Decode, || reader.finish())?;
        self.context.require(request.right())?;
        let start = Instant::now();
        let limited = &self.door.limited;
        // Nothing that the service shares is left half done by a panic: its locks tell.
        let work = AssertUnwindSafe(|| limited.call(&self.context, request));
        let outcome = catch_unwind(work)
            .unwrap_or_else(|_| Err(Error::internal("the call ended in a defect of the server")));
        if stages.get(Stage::Engine).is_zero() {
            stages.add(Stage::Engine, start.elapsed());
        }
        let response = outcome?;
        let start = Instant::now();
        let mut bytes = Vec::new();
        write_response_with(answer.format, answer.metadata, &response, &mut bytes)?;
        drop(response);
        share.grow(bytes.len())?;
        let coding = answer
            .coding
            .filter(|_| bytes.len() >= self.door.settings.compress_from_bytes);
        if let Some(coding) = coding {
            bytes = compress(coding, &bytes)?;
        }
        stages.add(Stage::Encode, start.elapsed());
        let mut response = answer::respond(
            answer.status,
            answer.format.media_type(),
            bytes,
            Some(share),
            stages,
        );
        if let Some(coding) = coding {
            answer::encoded(&mut response, coding);
        }
        Ok(response)
    }

    /// Tells how it went.
    fn observe(&self, parts: &Parts, response: &Response<Body>, error: Option<ErrorKind>) {
        let total = self.start.elapsed();
        self.door.observer.observe(&Observation {
            door: "http",
            verb: self.verb,
            error,
            total,
            stages: &self.context.stages,
            traceparent: traceparent(&parts.headers),
        });
        let status = response.status().as_u16();
        let us = total.as_micros() as u64;
        if response.status().is_server_error() {
            tracing::warn!(method = %parts.method, path = parts.uri.path(), status, us, "failed");
        } else {
            tracing::debug!(method = %parts.method, path = parts.uri.path(), status, us, "answered");
        }
    }
}

/// The trace that the caller's work belongs to.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok()
}

/// Reads `<32 hex digits of client>-<number>`.
fn request_id(text: &str) -> Option<RequestId> {
    let (client, number) = text.split_once('-')?;
    Some(RequestId {
        client: unhex(client)?,
        number: number.parse().ok()?,
    })
}

fn compress(coding: Coding, bytes: &[u8]) -> Result<Vec<u8>> {
    let outcome = match coding {
        Coding::Gzip => {
            let to = Vec::with_capacity(bytes.len() / 4);
            let mut encoder = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        Coding::Zstd => zstd::bulk::compress(bytes, 1),
    };
    outcome.map_err(|error| Error::internal(format!("a response cannot be compressed: {error}")))
}
