//! A stream of upserts: each is answered in order, and a refused one does not end the stream.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use nearfield_model::{Cancellation, Context, Result, Stage};
use tokio::sync::mpsc;

use super::arrival::Arrival;
use super::call::before;
use super::work::work;
use super::{Door, answer};
use crate::convert::{Incoming, request_id_from};
use crate::error::to_message;
use crate::frame::{Pieces, frame};
use crate::proto;
use crate::proto::ingest_response::Outcome;

/// Answers that wait for the caller, at most.
const WAITING_MAX: usize = 64;

/// A stream under way.
pub(super) struct Ingest {
    pub(super) door: Arc<Door>,
    /// What the stream's metadata says.
    pub(super) call: Context,
    pub(super) traceparent: Option<String>,
}

impl Ingest {
    /// Answers the batches in `body`.
    pub(super) fn answer(self, body: Body) -> Response {
        let (answers, messages) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            if let Err(error) = self.run(body, &answers).await {
                // Whoever is gone needs no answer.
                let _gone = answers.send(Err(error)).await;
            }
        });
        answer::messages(messages)
    }

    async fn run(&self, body: Body, answers: &mpsc::Sender<Result<Bytes>>) -> Result<()> {
        let mut arrival = Arrival::many(&self.door.settings, body);
        loop {
            let start = Instant::now();
            let Some(message) = before(self.call.deadline, arrival.next()).await? else {
                return Ok(());
            };
            let answer = self.upsert(message, start).await?;
            if answers.send(Ok(answer)).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Answers one batch. An error is one of the stream.
    async fn upsert(&self, message: Pieces, start: Instant) -> Result<Bytes> {
        let mut context = Context {
            deadline: self.call.deadline,
            cancellation: Some(Cancellation::default()),
            rights: self.call.rights,
            ..Context::default()
        };
        let decoded = context
            .stages
            .time(Stage::Decode, || Incoming::decode("Upsert", message));
        let incoming = decoded?;
        if let Incoming::Upsert(upsert) = &incoming {
            let id = upsert.request_id.as_ref();
            context.request_id = id.map(request_id_from).transpose()?;
        }
        let (context, answered) = work(&self.door, context, incoming).await;
        let (failure, trace) = (answered.as_ref().err(), self.traceparent.as_deref());
        self.door
            .observe(Some("upsert"), failure, start, &context, trace);
        let outcome = match answered.and_then(nearfield_model::Upserted::try_from) {
            Ok(upserted) => Outcome::Upserted(proto::UpsertResponse {
                upserted: upserted.upserted,
                sequence: upserted.sequence,
            }),
            Err(error) => Outcome::Error(to_message(&error)),
        };
        let outcome = Some(outcome);
        frame(&proto::IngestResponse { outcome }, None)
    }
}
