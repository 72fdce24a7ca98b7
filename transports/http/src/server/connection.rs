//! One connection: what it is doing, and when it has done nothing for too long.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// What a connection is doing. Times are milliseconds since it began.
#[derive(Debug)]
pub(crate) struct Connection {
    /// No other connection of this process has it.
    number: u64,
    local: IpAddr,
    start: Instant,
    /// Requests that were read and are not answered yet.
    calls: AtomicUsize,
    /// When bytes were last sent, or a call began or ended.
    active_ms: AtomicU64,
    /// When the first bytes of the next request came, plus one; 0 while there are none.
    head_ms: AtomicU64,
    /// Whether requests share the connection (HTTP/2), whose frames come at any time.
    shared: AtomicBool,
    /// Wakes the connection to be closed.
    pub(crate) overdue: Notify,
}

impl Connection {
    pub(crate) fn new(local: IpAddr) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Connection {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            local,
            start: Instant::now(),
            calls: AtomicUsize::new(0),
            active_ms: AtomicU64::new(0),
            head_ms: AtomicU64::new(0),
            shared: AtomicBool::new(false),
            overdue: Notify::new(),
        }
    }

    /// What tells it from others.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The address that the caller connected to.
    pub(crate) fn local(&self) -> IpAddr {
        self.local
    }

    /// A request was read; the guard is dropped when it is answered.
    pub(crate) fn enter(&self, shared: bool) -> impl Drop + use<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.head_ms.store(0, Ordering::Relaxed);
        self.active_ms.store(self.now_ms(), Ordering::Relaxed);
        if shared {
            self.shared.store(true, Ordering::Relaxed);
        }
        Entered(self)
    }

    /// How long it has had no call and sent nothing; none during a call.
    pub(crate) fn silent_for(&self) -> Option<Duration> {
        let since_ms = self.active_ms.load(Ordering::Relaxed);
        let rests = self.calls.load(Ordering::Relaxed) == 0;
        rests.then(|| Duration::from_millis(self.now_ms().saturating_sub(since_ms)))
    }

    /// Has it closed; it is no longer one that is silent.
    pub(crate) fn leave(&self) {
        self.active_ms.store(u64::MAX, Ordering::Relaxed);
        self.overdue.notify_one();
    }

    /// Whether it has kept others waiting for too long.
    pub(crate) fn is_overdue(&self, header_timeout: Duration, idle_timeout: Duration) -> bool {
        if self.calls.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let since = |ms: u64| Duration::from_millis(self.now_ms().saturating_sub(ms));
        let head_ms = self.head_ms.load(Ordering::Relaxed);
        let slow_head = head_ms > 0
            && !self.shared.load(Ordering::Relaxed)
            && since(head_ms - 1) > header_timeout;
        slow_head || since(self.active_ms.load(Ordering::Relaxed)) > idle_timeout
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn received(&self) {
        if self.calls.load(Ordering::Relaxed) == 0 && self.head_ms.load(Ordering::Relaxed) == 0 {
            self.head_ms.store(self.now_ms() + 1, Ordering::Relaxed);
        }
    }

    fn sent(&self) {
        self.head_ms.store(0, Ordering::Relaxed);
        self.active_ms.store(self.now_ms(), Ordering::Relaxed);
    }
}

struct Entered<'a>(&'a Connection);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.active_ms.store(self.0.now_ms(), Ordering::Relaxed);
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that notes what it does in its [`Connection`].
pub(crate) struct Noted<S> {
    stream: S,
    connection: std::sync::Arc<Connection>,
}

impl<S> Noted<S> {
    pub(crate) fn new(stream: S, connection: std::sync::Arc<Connection>) -> Self {
        Noted { stream, connection }
    }

    fn note_sent(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(1..)) = outcome {
            self.connection.sent();
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.connection.received();
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_sent(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_sent(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(5);

    fn connection() -> Connection {
        Connection::new(IpAddr::from([127, 0, 0, 1]))
    }

    fn wait() {
        std::thread::sleep(4 * SHORT);
    }

    #[test]
    fn a_head_that_comes_drop_by_drop_is_overdue() {
        let connection = connection();
        wait();
        assert!(!connection.is_overdue(SHORT, LONG));
        connection.received();
        wait();
        connection.received();
        assert!(connection.is_overdue(SHORT, LONG));
    }

    #[test]
    fn a_call_is_never_overdue_and_silence_after_it_is() {
        let connection = connection();
        let entered = connection.enter(false);
        wait();
        assert!(!connection.is_overdue(SHORT, SHORT));
        drop(entered);
        assert!(!connection.is_overdue(SHORT, LONG));
        wait();
        assert!(connection.is_overdue(LONG, SHORT));
        connection.sent();
        assert!(!connection.is_overdue(LONG, SHORT));
    }

    #[test]
    fn frames_between_the_requests_of_a_shared_connection_are_no_slow_head() {
        let connection = connection();
        drop(connection.enter(true));
        connection.received();
        wait();
        assert!(!connection.is_overdue(SHORT, LONG));
    }
}
