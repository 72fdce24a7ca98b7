//! Answers as HTTP: messages, then a status in the trailers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use nearfield_model::{Error, StageClock};
use tokio::sync::mpsc;

use crate::error::to_status;
use crate::head::{GRPC, TIMING, WIRE, WIRE_HEADER, timing_to};

const STATUS: &str = "grpc-status";

/// An answer of one message.
pub(super) fn message(message: Bytes, stages: &StageClock) -> Response {
    let mut response = Response::new(Body::new(Messages::One(Some(message))));
    add_head(response.headers_mut(), Some(stages));
    response
}

/// An answer of messages that come one by one. An error ends them.
pub(super) fn messages(messages: mpsc::Receiver<Result<Bytes, Error>>) -> Response {
    let mut response = Response::new(Body::new(Messages::Many(messages)));
    add_head(response.headers_mut(), None);
    response
}

/// An answer that is an error alone.
pub(super) fn error(error: &Error, stages: Option<&StageClock>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = trailers(Err(error));
    add_head(response.headers_mut(), stages);
    response
}

/// The answer to what is not gRPC.
pub(super) fn not_grpc() -> Response {
    let mut response = Response::new(Body::from(
        "this path takes gRPC: content-type application/grpc\n",
    ));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

fn add_head(headers: &mut HeaderMap, stages: Option<&StageClock>) {
    headers.insert(CONTENT_TYPE, GRPC.clone());
    headers.insert(&WIRE_HEADER, HeaderValue::from_static(WIRE));
    if let Some(timing) = stages.and_then(timing_to) {
        headers.insert(&TIMING, timing);
    }
}

fn trailers(outcome: Result<(), &Error>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    match outcome {
        Ok(()) => _ = trailers.insert(STATUS, HeaderValue::from_static("0")),
        Err(error) => {
            if to_status(error).add_header(&mut trailers).is_err() {
                trailers.insert(STATUS, HeaderValue::from_static("13"));
            }
        }
    }
    trailers
}

/// The body of an answer.
enum Messages {
    One(Option<Bytes>),
    Many(mpsc::Receiver<Result<Bytes, Error>>),
    Ended,
}

impl http_body::Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Messages::Ended => return Poll::Ready(None),
            Messages::One(message) => Ok(message.take()),
            Messages::Many(messages) => match messages.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(next) => next.transpose(),
            },
        };
        let frame = match next {
            Ok(Some(message)) => Frame::data(message),
            Ok(None) => {
                *self = Messages::Ended;
                Frame::trailers(trailers(Ok(())))
            }
            Err(error) => {
                *self = Messages::Ended;
                Frame::trailers(trailers(Err(&error)))
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Messages::Ended)
    }
}
