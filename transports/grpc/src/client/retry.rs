//! Tries a call again where that is safe, up to its deadline.

use std::time::{Duration, Instant};

use nearfield_model::{Cancellation, Context, Error, ErrorKind, Request, Response, Result};

use super::Client;
use super::attempt::{Call, Failure, How, attempt};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often a waiting call looks whether it was cancelled.
const CANCELLATION_PERIOD: Duration = Duration::from_millis(2);

/// Whether a request may reach the store twice. All but a snapshot do: reads change nothing,
/// `flush` and `compact` find nothing left to do, and the engine applies a request id once.
pub(super) fn is_repeatable(request: &Request<'_>) -> bool {
    match request {
        Request::Snapshot(_) => false,
        Request::CreateCollection(_)
        | Request::DropCollection(_)
        | Request::ListCollections(_)
        | Request::DescribeCollection(_)
        | Request::Upsert(_)
        | Request::Get(_)
        | Request::Delete(_)
        | Request::UpdateMetadata(_)
        | Request::Search(_)
        | Request::Scan(_)
        | Request::Count(_)
        | Request::Flush(_)
        | Request::Compact(_) => true,
    }
}

/// Sends a call until it is answered.
pub(super) async fn call(client: &Client, call: &Call<'_>, repeatable: bool) -> Result<Response> {
    let limits = Limits {
        deadline: call.deadline,
        cancellation: call.cancellation,
    };
    let mut pauses = Pauses::new(client.settings.retries);
    loop {
        let failure = match limits.within(attempt(client, call)).await? {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        if !failure.is_passing(repeatable) {
            return Err(failure.error);
        }
        let Some(pause) = pauses.next(failure.how) else {
            return Err(failure.error);
        };
        limits.within(tokio::time::sleep(pause)).await?;
    }
}

impl Failure {
    /// Whether the same call may succeed later.
    pub(super) fn is_passing(&self, repeatable: bool) -> bool {
        match self.how {
            How::NotSent => self.error.kind() == ErrorKind::Unavailable,
            How::BrokeOld | How::Broke => repeatable,
            How::Answered => match self.error.kind() {
                ErrorKind::Overloaded => true,
                ErrorKind::Unavailable => repeatable,
                _ => false,
            },
        }
    }
}

/// The pauses between attempts: doubling, and drawn from the upper half, so that many clients do
/// not come back at once.
pub(super) struct Pauses {
    left: u32,
    next: Duration,
}

impl Pauses {
    pub(super) fn new(retries: u32) -> Self {
        Pauses {
            left: retries,
            next: FIRST_PAUSE,
        }
    }

    /// The pause before the next attempt, if there is to be one.
    pub(super) fn next(&mut self, how: How) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        // A connection that went while it was idle tells nothing about the server.
        if how == How::BrokeOld {
            return Some(Duration::ZERO);
        }
        let whole = self.next;
        self.next = (whole * 2).min(PAUSE_MAX);
        let share = getrandom::u32().unwrap_or(u32::MAX);
        Some(whole.mul_f64(0.5 + 0.5 * f64::from(share) / f64::from(u32::MAX)))
    }
}

/// What ends the waiting.
#[derive(Clone, Copy)]
pub(super) struct Limits<'c> {
    pub(super) deadline: Option<Instant>,
    pub(super) cancellation: Option<&'c Cancellation>,
}

impl Limits<'_> {
    /// Waits for `work` unless the caller stops waiting before.
    pub(super) async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let stopped = self.stopped();
        let outcome = {
            let (mut work, mut stopped) = (std::pin::pin!(work), std::pin::pin!(stopped));
            std::future::poll_fn(|context| {
                if let std::task::Poll::Ready(done) = work.as_mut().poll(context) {
                    return std::task::Poll::Ready(Ok(done));
                }
                stopped.as_mut().poll(context).map(Err)
            })
            .await
        };
        if outcome.is_err() {
            // What was given up is told to the server.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        }
        outcome
    }

    async fn stopped(&self) -> Error {
        loop {
            let context = Context {
                deadline: self.deadline,
                cancellation: self.cancellation.cloned(),
                ..Context::default()
            };
            if let Err(error) = context.check() {
                return error;
            }
            let look = self
                .cancellation
                .map(|_| Instant::now() + CANCELLATION_PERIOD);
            match [self.deadline, look].into_iter().flatten().min() {
                Some(next) => tokio::time::sleep_until(next.into()).await,
                None => std::future::pending().await,
            }
        }
    }
}
