//! Taking connections, serving them, and letting them go.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::call;
use super::connection::{Connection, Noted};
use super::door::Door;
use super::settings::Settings;
use super::steady::steady;
use super::tls::Tls;

/// Answers callers for whom there is no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nnearfield-wire: 1\r\n\
    content-length: 0\r\nconnection: close\r\n\r\n";

/// How long a connection without calls may stay open once the server ends.
const FAREWELL_TIME_MAX: Duration = Duration::from_millis(500);

/// A connection that was silent for so long may have to make place for a new one.
const SILENCE_TIME_MIN: Duration = Duration::from_secs(2);

/// The connections that there are.
#[derive(Default)]
pub(crate) struct Connections {
    open: AtomicUsize,
    known: Mutex<Vec<Weak<Connection>>>,
    closed: Notify,
}

impl Connections {
    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until none is left.
    pub(crate) async fn drained(&self) {
        loop {
            let closed = self.closed.notified();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Closes those that have kept others waiting for too long.
    pub(crate) fn sweep(&self, header_timeout: Duration, idle_timeout: Duration) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|connection| {
            let Some(connection) = connection.upgrade() else {
                return false;
            };
            if connection.is_overdue(header_timeout, idle_timeout) {
                connection.overdue.notify_one();
            }
            true
        });
    }

    /// Has the connection that was silent for longest closed, if it was so for a while, so that
    /// who holds many open keeps nobody out. Tells whether there was one.
    fn make_place(&self) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = known.iter().filter_map(Weak::upgrade);
        let longest = silent
            .filter_map(|connection| Some((connection.silent_for()?, connection)))
            .filter(|(time, _)| *time > SILENCE_TIME_MIN)
            .max_by_key(|(time, _)| *time);
        longest.map(|(_, connection)| connection.leave()).is_some()
    }

    fn add(&self, connection: &Arc<Connection>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.push(Arc::downgrade(connection));
    }
}

/// Counts a connection out.
struct Place(Arc<Connections>);

impl Place {
    fn take(connections: &Arc<Connections>) -> Self {
        connections.open.fetch_add(1, Ordering::AcqRel);
        Place(Arc::clone(connections))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.closed.notify_waiters();
    }
}

/// Takes connections until `ending` says otherwise.
pub(crate) async fn accept(
    listener: TcpListener,
    door: Arc<Door>,
    tls: Option<Arc<Tls>>,
    connections: Arc<Connections>,
    mut ending: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|ending| *ending) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                connections.make_place();
                pause_after(&error).await;
                continue;
            }
        };
        let place = Place::take(&connections);
        if connections.open() > door.settings.connections_max && !connections.make_place() {
            tokio::spawn(turn_away(stream, place));
            continue;
        }
        let serving = Serving {
            door: Arc::clone(&door),
            place,
            ending: ending.clone(),
        };
        tokio::spawn(steady(serving.greet(stream, peer, tls.clone())));
    }
}

/// A caller that went away is none of our business; having no file descriptors left takes time
/// to pass.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::warn!(%error, "no connection can be taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn turn_away(mut stream: TcpStream, _place: Place) {
    // Whoever does not read it is turned away all the same.
    let _ = timeout(Duration::from_millis(200), stream.write_all(FULL)).await;
}

/// What serves one connection.
struct Serving {
    door: Arc<Door>,
    place: Place,
    ending: watch::Receiver<bool>,
}

impl Serving {
    async fn greet(self, stream: TcpStream, peer: SocketAddr, tls: Option<Arc<Tls>>) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        // Answers leave as they are written. A socket that refuses is slower, no more.
        let _ = stream.set_nodelay(true);
        let connection = Arc::new(Connection::new(local.ip().to_canonical()));
        self.place.0.add(&connection);
        let Some(tls) = tls else {
            return self
                .serve(Noted::new(stream, connection.clone()), connection)
                .await;
        };
        let shaking = tls.acceptor().accept(stream);
        match timeout(self.door.settings.header_timeout, shaking).await {
            Ok(Ok(stream)) => {
                self.serve(Noted::new(stream, connection.clone()), connection)
                    .await
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
            Err(_) => tracing::debug!(%peer, "TLS takes too long"),
        }
    }

    async fn serve<S>(self, stream: Noted<S>, connection: Arc<Connection>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Serving {
            door,
            place: _place,
            mut ending,
        } = self;
        let builder = protocols(&door.settings);
        let noted = Arc::clone(&connection);
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (door, connection) = (Arc::clone(&door), Arc::clone(&noted));
            async move {
                let shared = request.version() == hyper::Version::HTTP_2;
                let _entered = connection.enter(shared);
                Ok::<_, Infallible>(call::answer(&door, &connection, request).await)
            }
        });
        let serving = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(serving);
        tokio::select! {
            // Most callers end by hanging up, and some in the middle of a word.
            _ = serving.as_mut() => return,
            () = connection.overdue.notified() => return,
            _ = ending.wait_for(|ending| *ending) => serving.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = serving => {}
            () = connection.overdue.notified() => {}
            () = silence(&connection) => {}
        }
    }
}

/// Waits until a connection has done nothing for a while. Once the server ends, that is reason
/// enough to close it: a caller of HTTP/2 that does not listen never says farewell.
async fn silence(connection: &Connection) {
    while !connection.is_overdue(FAREWELL_TIME_MAX, FAREWELL_TIME_MAX) {
        tokio::time::sleep(FAREWELL_TIME_MAX / 4).await;
    }
}

fn protocols(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Connections that are silent are swept, which takes no timer for each request.
        .header_read_timeout(None)
        .keep_alive(true);
    builder
        .http2()
        .initial_stream_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .max_frame_size(settings.frame_bytes_max)
        .max_send_buf_size(4 << 20)
        .max_concurrent_streams(128)
        .max_header_list_size(u32::try_from(settings.header_bytes_max).unwrap_or(u32::MAX));
    builder
}
