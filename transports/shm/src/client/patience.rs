//! How long a call waits.

use std::io;
use std::time::{Duration, Instant};

use nearfield_model::{Cancellation, Context, Error, ErrorKind, Request};

/// How long compact and snapshot may take, unless their context has a deadline.
const LONG: Duration = Duration::from_secs(24 * 3_600);
/// How long a call sleeps before it looks whether its caller still waits.
const TICK: Duration = Duration::from_millis(100);
/// The shortest sleep before a deadline.
const TICK_MIN: Duration = Duration::from_millis(1);

/// When a caller stops waiting.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience {
    deadline: Option<Instant>,
    cancellation: Option<Cancellation>,
}

impl Patience {
    pub(super) fn new(context: &Context, request: &Request<'_>, timeout: Duration) -> Self {
        let timeout = match request {
            Request::Compact(_) | Request::Snapshot(_) => LONG,
            _ => timeout,
        };
        let deadline = || Instant::now().checked_add(timeout);
        Patience {
            deadline: context.deadline.or_else(deadline),
            cancellation: context.cancellation.clone(),
        }
    }

    /// The time that is left; none without a deadline.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        self.deadline.map(left)
    }

    /// How long to sleep before looking again.
    pub(super) fn tick(&self) -> Duration {
        self.left().map_or(TICK, |left| left.clamp(TICK_MIN, TICK))
    }

    /// Fails once the caller has stopped waiting.
    pub(super) fn check(&self) -> Result<(), Error> {
        let context = Context {
            deadline: self.deadline,
            cancellation: self.cancellation.clone(),
            ..Context::default()
        };
        context.check()
    }

    /// The same, as a failure of input or output.
    pub(super) fn check_io(&self) -> io::Result<()> {
        self.check().map_err(io::Error::other)
    }

    /// What a failure of input or output says, if it comes from [`check_io`](Self::check_io).
    pub(super) fn end(&self, lost: &io::Error) -> Option<Error> {
        let inner = lost.get_ref()?.downcast_ref::<Error>()?;
        debug_assert!(matches!(
            inner.kind(),
            ErrorKind::DeadlineExceeded | ErrorKind::Cancelled
        ));
        Some(inner.clone())
    }
}
