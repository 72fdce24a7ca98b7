//! Calls as frames over sockets: each call has a connection to itself, kept for the next one.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nearfield_model::{Context, Error, ErrorKind, Request, Response, Result, Stage};

use super::answer::receive;
use super::patience::Patience;
use super::watch::State;
use crate::address;
use crate::codec::{Gather, Source, encode_request};
use crate::descriptor::Descriptor;
use crate::frame::{REQUEST_HEAD_BYTES, RequestHead};
use crate::handshake::{self, Hello};
use crate::stream::Stream;
use crate::time::{after, between, now_ns};

/// Connections that are kept for later calls, at most.
const KEPT_MAX: usize = 64;
/// Bytes of a buffer that are kept for later calls, at most.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A connection, and the buffer of what goes out.
struct Connection {
    source: Source<Stream>,
    buffer: Vec<u8>,
}

/// The connections to one owner.
pub(super) struct Sockets {
    path: PathBuf,
    hello: Hello,
    state: Arc<State>,
    idle: Mutex<Vec<Connection>>,
}

/// Says who this is, and waits until `until` to be let in.
pub(super) fn greet(
    stream: UnixStream,
    hello: &Hello,
    memory: Option<BorrowedFd<'_>>,
    until: Instant,
) -> Result<Arc<Descriptor>> {
    let away = |error: io::Error| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the owner of the store went away: {error}"),
        )
    };
    // A socket takes no timeout of nothing.
    let left = until.saturating_duration_since(Instant::now());
    stream
        .set_read_timeout(Some(left.max(Duration::from_millis(1))))
        .map_err(away)?;
    hello.send(stream.as_fd(), memory).map_err(away)?;
    handshake::welcomed(&stream)?;
    stream.set_read_timeout(None).map_err(away)?;
    Ok(Arc::new(Descriptor::new(stream)))
}

impl Sockets {
    pub(super) fn new(path: &Path, hello: Hello, state: Arc<State>) -> Self {
        Sockets {
            path: path.to_owned(),
            hello,
            state,
            idle: Mutex::default(),
        }
    }

    /// Calls; the outer error is that the owner, or the caller's patience, is gone.
    pub(super) fn call(
        &self,
        context: &Context,
        request: &Request<'_>,
        call: u64,
        patience: &Patience,
    ) -> io::Result<Result<Response>> {
        let mut connection = match self.take(patience) {
            Ok(connection) => connection,
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                patience.check_io()?;
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            Err(error) => return Ok(Err(error)),
        };
        let asked = patience.clone();
        connection
            .source
            .raw()
            .ask(patience.tick(), move || asked.check_io())?;
        let buffer = std::mem::take(&mut connection.buffer);
        let (buffer, verb, sent_ns) = {
            let start = now_ns();
            let mut gather = Gather::new(buffer);
            gather.put(&[0; REQUEST_HEAD_BYTES]);
            let verb = match encode_request(request, None, &mut gather) {
                Ok(verb) => verb,
                Err(error) => return Ok(Err(error)),
            };
            let Ok(length) = u32::try_from(gather.len() - REQUEST_HEAD_BYTES) else {
                return Ok(Err(Error::too_large("the request is over 4 GiB")));
            };
            let sent_ns = now_ns();
            context
                .stages
                .add(Stage::ClientEncode, between(start, sent_ns));
            let head = RequestHead {
                length,
                verb,
                call,
                timeout: patience.left(),
                id: context.request_id,
                sent_ns,
            };
            gather.set_start(&head.encode());
            connection.source.raw().write(gather.pieces())?;
            (gather.into_buffer(), verb, sent_ns)
        };
        let answered = receive(&mut connection.source, context, call, verb, sent_ns)?;
        if buffer.capacity() <= KEPT_BYTES_MAX {
            connection.buffer = buffer;
        }
        self.put(connection);
        Ok(answered)
    }

    fn take(&self, patience: &Patience) -> Result<Connection> {
        let idle = self.lock().pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let timeout = patience.left().unwrap_or(handshake::TIMEOUT);
        let until = after(timeout.min(handshake::TIMEOUT));
        let stream = address::connect_by(&self.path, until)?;
        let socket = greet(stream, &self.hello, None, until)?;
        self.state.add(&socket);
        Ok(Connection {
            source: Source::new(Stream::new(socket)),
            buffer: Vec::new(),
        })
    }

    fn put(&self, connection: Connection) {
        let mut idle = self.lock();
        if idle.len() < KEPT_MAX {
            idle.push(connection);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
