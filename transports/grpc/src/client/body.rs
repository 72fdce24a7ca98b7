//! What a client sends: one message, or several that come one by one.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// The body of a request.
pub(super) enum Outgoing {
    One(Option<Bytes>),
    Many(mpsc::UnboundedReceiver<Bytes>),
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Outgoing::One(message) => Poll::Ready(message.take()),
            Outgoing::Many(messages) => messages.poll_recv(context),
        };
        next.map(|message| message.map(|message| Ok(Frame::data(message))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Outgoing::One(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::One(message) => {
                SizeHint::with_exact(message.as_ref().map_or(0, Bytes::len) as u64)
            }
            Outgoing::Many(_) => SizeHint::default(),
        }
    }
}
