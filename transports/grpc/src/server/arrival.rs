//! Messages that arrive in a body: cut out, counted, and in time.

use std::time::Instant;

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use nearfield_model::{Error, ErrorKind, Result, Share};

use super::Settings;
use crate::frame::{Deframer, Pieces};

/// The messages of one body.
pub(super) struct Arrival<'s> {
    settings: &'s Settings,
    body: Body,
    deframer: Deframer,
    share: Share,
    /// Whether the caller may take its time before a message begins.
    may_rest: bool,
}

impl<'s> Arrival<'s> {
    /// A body of one message.
    pub(super) fn one(settings: &'s Settings, body: Body) -> Self {
        Arrival {
            body,
            deframer: Deframer::new(settings.message_bytes_max),
            share: Share::new(&settings.budget),
            settings,
            may_rest: false,
        }
    }

    /// A body of messages that come when the caller has them.
    pub(super) fn many(settings: &'s Settings, body: Body) -> Self {
        Arrival {
            may_rest: true,
            ..Arrival::one(settings, body)
        }
    }

    /// The next message; none at the end of the body. Its bytes count until the one after.
    pub(super) async fn next(&mut self) -> Result<Option<Pieces>> {
        self.share = Share::new(&self.settings.budget);
        self.share.grow(self.deframer.len())?;
        let mut began = None;
        loop {
            if let Some(message) = self.deframer.next()? {
                return Ok(Some(message));
            }
            let frame = if self.may_rest && self.deframer.is_empty() {
                self.body.frame().await
            } else {
                let now = Instant::now();
                let end = *began.get_or_insert(now) + self.settings.arrival_max;
                let due = end.min(now + self.settings.pause_max);
                let next = tokio::time::timeout_at(due.into(), self.body.frame());
                next.await.map_err(|_| slow())?
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        self.share.grow(piece.len())?;
                        self.deframer.push(piece);
                    }
                }
                Some(Err(error)) => {
                    return Err(Error::invalid(format!("the request broke off: {error}")));
                }
                None if self.deframer.is_empty() => return Ok(None),
                None => return Err(Error::invalid("the request ended inside a message")),
            }
        }
    }

    /// The only message.
    pub(super) async fn only(&mut self) -> Result<Pieces> {
        let message = self.next().await?;
        let message = message.ok_or_else(|| Error::invalid("the request has no message"))?;
        if self.deframer.is_empty() {
            Ok(message)
        } else {
            Err(Error::invalid("the request has more than one message"))
        }
    }

    /// Has an answer count, too, until it has left.
    ///
    /// # Errors
    /// `Overloaded` if that would go beyond the budget.
    pub(super) fn hold(mut self, answer: Bytes) -> Result<Bytes> {
        self.share.grow(answer.len())?;
        Ok(Bytes::from_owner(Held {
            answer,
            _share: self.share,
        }))
    }
}

/// Bytes with what they hold of the budget.
struct Held {
    answer: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

fn slow() -> Error {
    Error::new(
        ErrorKind::DeadlineExceeded,
        "the message arrives too slowly; send less per request",
    )
}
