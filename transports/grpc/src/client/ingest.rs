//! Many batches through one stream: several are on their way at once, and each is acknowledged
//! in order.

use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use nearfield_model::{Context, Error, ErrorKind, Request, Result, Stage, Upsert, Upserted};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::Client;
use super::attempt::{Failure, How, broken, check_head, line, nonsense, request};
use super::body::Outgoing;
use super::retry::{Limits, Pauses};
use super::target::Target;
use crate::convert::{encode_upsert, read};
use crate::error::{from_message, from_status};
use crate::frame::Deframer;
use crate::proto;
use crate::proto::ingest_response::Outcome;

impl Client {
    /// Writes batch after batch without waiting for each answer: up to
    /// [`Settings::ingest_batches`](super::Settings::ingest_batches) are on their way at once.
    /// `acknowledged` is told of each, in order; a refused batch changed nothing and does not
    /// stop those behind it. When the connection breaks, what was not acknowledged is sent
    /// again.
    ///
    /// # Errors
    /// Of the stream: `Unavailable`, `DeadlineExceeded`, `Cancelled`. Batches that were not
    /// acknowledged until then may or may not have been written.
    pub fn ingest<'u>(
        &self,
        context: &Context,
        upserts: impl IntoIterator<Item = Upsert<'u>>,
        mut acknowledged: impl FnMut(Result<Upserted>),
    ) -> Result<()> {
        let mut ingest = Ingest {
            client: self,
            context,
            limits: Limits {
                deadline: context.deadline,
                cancellation: context.cancellation.as_ref(),
            },
            waiting: VecDeque::new(),
            stream: None,
        };
        let batches_max = self.settings.ingest_batches.max(1);
        for upsert in upserts {
            while ingest.waiting.len() >= batches_max {
                acknowledged(ingest.answer()?);
            }
            ingest.send(upsert)?;
        }
        while !ingest.waiting.is_empty() {
            acknowledged(ingest.answer()?);
        }
        ingest.close()
    }
}

struct Ingest<'c> {
    client: &'c Client,
    context: &'c Context,
    limits: Limits<'c>,
    /// Batches on their way, the oldest first.
    waiting: VecDeque<Batch>,
    stream: Option<Stream>,
}

/// A batch on its way, or what was found wrong with it before it was sent.
enum Batch {
    Sent(Bytes),
    Refused(Error),
}

/// An open stream.
struct Stream {
    messages: mpsc::UnboundedSender<Bytes>,
    answers: Incoming,
    deframer: Deframer,
    /// Of the connection.
    number: u64,
}

impl Ingest<'_> {
    /// Puts a batch on its way.
    fn send(&mut self, upsert: Upsert<'_>) -> Result<()> {
        let request = Request::Upsert(upsert);
        let encode = || {
            request.check()?;
            match &request {
                Request::Upsert(upsert) => encode_upsert(upsert, self.client.new_request_id()),
                other => Err(Error::internal(format!("{} is no upsert", other.verb()))),
            }
        };
        let message = match self.context.stages.time(Stage::ClientEncode, encode) {
            Ok(message) => message,
            Err(error) => {
                self.waiting.push_back(Batch::Refused(error));
                return Ok(());
            }
        };
        let is_first = self.waiting.is_empty();
        self.waiting.push_back(Batch::Sent(message.clone()));
        let client = self.client;
        client.wait(self.push(message, is_first))?
    }

    /// Hands a batch to the stream. What fails here is seen when its answer is waited for.
    async fn push(&mut self, message: Bytes, is_first: bool) -> Result<()> {
        let limits = self.limits;
        match &self.stream {
            Some(stream) => _ = stream.messages.send(message),
            None if is_first => self.stream = limits.within(self.open()).await?.ok(),
            None => {}
        }
        // The batch leaves before the caller makes the next one.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Opens a stream and hands it all that is waiting.
    async fn open(&self) -> Result<Stream, Failure> {
        let client = self.client;
        let mut line = line(&client.connection).await?;
        let (messages, receiver) = mpsc::unbounded_channel();
        for batch in &self.waiting {
            if let Batch::Sent(message) = batch {
                let _open = messages.send(message.clone());
            }
        }
        let body = Outgoing::Many(receiver);
        let request = request(
            &client.connection,
            &client.settings,
            "Ingest",
            self.limits.deadline,
            body,
        )?;
        let response = match line.sender.send_request(request).await {
            Ok(response) => response,
            Err(error) => {
                client.connection.give_up(line.number).await;
                return Err(broken(&client.connection, &line, &error));
            }
        };
        check_head(&client.connection, response.status(), response.headers())?;
        Ok(Stream {
            messages,
            answers: response.into_body(),
            deframer: Deframer::new(client.settings.answer_bytes_max),
            number: line.number,
        })
    }

    /// Waits for the answer to the oldest batch.
    fn answer(&mut self) -> Result<Result<Upserted>> {
        let answer = match self.waiting.front() {
            Some(Batch::Refused(error)) => Err(error.clone()),
            _ => {
                let client = self.client;
                client.wait(self.arrived())??
            }
        };
        self.waiting.pop_front();
        Ok(answer)
    }

    async fn arrived(&mut self) -> Result<Result<Upserted>> {
        let limits = self.limits;
        let mut pauses = Pauses::new(self.client.settings.retries);
        loop {
            let failure = match limits.within(self.next()).await? {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if let Some(stream) = self.stream.take()
                && failure.how != How::Answered
            {
                self.client.connection.give_up(stream.number).await;
            }
            if !failure.is_passing(true) {
                return Err(failure.error);
            }
            let Some(pause) = pauses.next(failure.how) else {
                return Err(failure.error);
            };
            limits.within(tokio::time::sleep(pause)).await?;
        }
    }

    /// The next answer of the stream.
    async fn next(&mut self) -> Result<Result<Upserted>, Failure> {
        let connection = &self.client.connection;
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open().await?,
        };
        let stream = self.stream.insert(stream);
        loop {
            if let Some(message) = stream.deframer.next()? {
                let answer: proto::IngestResponse =
                    read(message).map_err(|error| nonsense(connection, error.message()))?;
                return match answer.outcome {
                    Some(Outcome::Upserted(upserted)) => Ok(Ok(Upserted {
                        upserted: upserted.upserted,
                        sequence: upserted.sequence,
                    })),
                    Some(Outcome::Error(error)) => Ok(Err(from_message(error))),
                    None => Err(nonsense(connection, "an answer is empty").into()),
                };
            }
            let trailers = match stream.answers.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => {
                        stream.deframer.push(piece);
                        continue;
                    }
                    Err(frame) => frame.into_trailers().ok(),
                },
                Some(Err(_)) | None => None,
            };
            return Err(ended(&connection.target, trailers.as_ref()));
        }
    }

    /// Ends the stream, of which all is acknowledged.
    fn close(self) -> Result<()> {
        let (client, limits) = (self.client, self.limits);
        let Some(Stream {
            messages,
            mut answers,
            ..
        }) = self.stream
        else {
            return Ok(());
        };
        drop(messages);
        let end = async { while answers.frame().await.is_some_and(|frame| frame.is_ok()) {} };
        client.wait(limits.within(end))?
    }
}

/// The failure of a stream that ended before all was acknowledged.
fn ended(target: &Target, trailers: Option<&HeaderMap>) -> Failure {
    match trailers.and_then(Status::from_header_map) {
        Some(status) if status.code() != Code::Ok => from_status(&status).into(),
        _ => Failure {
            error: Error::new(
                ErrorKind::Unavailable,
                format!("the connection to {target} broke"),
            ),
            how: How::Broke,
        },
    }
}
