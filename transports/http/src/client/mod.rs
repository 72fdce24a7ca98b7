//! The client: a service that stands on a server of Nearfield, over HTTP/1.1.
//!
//! Calls block, and run on the caller's thread; connections are kept and shared by all threads.
//! What failed on the way is sent again where that is safe: a write bears a request id, under
//! which the engine applies it once.

mod backoff;
mod buffers;
mod connection;
mod head;
mod message;
mod patience;
mod pool;
mod problem;
mod settings;
mod stream;
mod target;
#[cfg(feature = "tls")]
mod tls;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nearfield_model::{
    Context, Error, ErrorKind, ListCollections, Request, RequestId, Response, Result, Rights,
    Service, Stage,
};

use self::backoff::Backoff;
use self::buffers::Buffers;
use self::connection::{Connection, Lost, Reply};
use self::message::{Lines, Message};
use self::patience::Patience;
use self::pool::{Lease, Pool};
use self::stream::{Broken, Stream};
use self::target::Target;
use crate::body::{Format, read_response};

pub use self::settings::Settings;

/// How long compact and snapshot may take, unless their context has a deadline.
const LONG_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// A client of one server. Threads share it.
pub struct Client {
    target: Target,
    settings: Settings,
    #[cfg(feature = "tls")]
    tls: Option<tls::Config>,
    lines: Lines,
    pool: Pool,
    buffers: Buffers,
    /// Names writes that come without a request id.
    id: [u8; 16],
    next_number: AtomicU64,
}

/// What came of one try.
#[allow(
    clippy::large_enum_variant,
    reason = "it is looked at where it is made"
)]
enum Tried {
    Answered(Result<Response>),
    /// The call may succeed later, after the time that the server asks for.
    Again {
        error: Error,
        after: Option<Duration>,
        /// Whether the server may have done it all the same.
        is_perhaps_done: bool,
    },
    /// The connection had waited too long; another one will do.
    Stale,
}

impl Client {
    /// A client of the server at a URL such as `http://127.0.0.1:6327`. The server is asked for
    /// its collections, so that a wrong address or key shows here.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no such URL or key, `Unavailable` if nobody answers there,
    /// `Unsupported` if it is no Nearfield server, or one of another version; and what the server
    /// refuses, such as `Unauthenticated`.
    pub fn connect(url: &str, settings: Settings) -> Result<Client> {
        let target = Target::parse(url)?;
        check_key(settings.api_key.as_deref())?;
        #[cfg(feature = "tls")]
        let tls = match target.is_tls {
            true => Some(tls::Config::new(&target, &settings)?),
            false => None,
        };
        #[cfg(not(feature = "tls"))]
        if target.is_tls {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{url}: this program is built without TLS; turn on the feature `tls`"),
            ));
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|error| Error::internal(format!("no random bytes: {error}")))?;
        let client = Client {
            lines: Lines::new(&target, &settings),
            pool: Pool::new(settings.connections_max, settings.idle_timeout),
            buffers: Buffers::default(),
            id,
            next_number: AtomicU64::new(1),
            #[cfg(feature = "tls")]
            tls,
            target,
            settings,
        };
        client.greet()?;
        Ok(client)
    }

    /// Whether a server of this wire answers, and takes the key.
    fn greet(&self) -> Result<()> {
        let context = Context::default();
        let patience = Patience::new(&context, self.settings.timeout);
        // A connection is made beforehand: a server that is not there is told at once.
        let lease = self.pool.take(&patience)?;
        let connection = self.open(&patience).map_err(|broken| match broken {
            Broken::Over(error) => error,
            Broken::Connection(error) => self.unreachable(&error),
        })?;
        lease.keep(connection);
        self.call(&context, ListCollections {}.into()).map(|_| ())
    }

    fn open(&self, patience: &Patience<'_>) -> Result<Connection, Broken> {
        let stream = Stream::connect(
            &self.target,
            #[cfg(feature = "tls")]
            self.tls.as_ref(),
            self.settings.connect_timeout,
            patience,
        )?;
        Ok(Connection::new(stream))
    }

    fn unreachable(&self, error: &std::io::Error) -> Error {
        let url = &self.target.url;
        let port = match self
            .target
            .authority
            .ends_with(&format!(":{}", self.target.port))
        {
            true => String::new(),
            false => format!(" at port {}", self.target.port),
        };
        // What TLS refuses has been reached.
        let advice = match error.kind() {
            std::io::ErrorKind::InvalidData => {
                "is it a server with TLS, and is its certificate trusted?"
            }
            _ => "is `nearfield serve` running there?",
        };
        Error::new(
            ErrorKind::Unavailable,
            format!("{url} cannot be reached{port}: {error}; {advice}"),
        )
    }

    fn broken(&self, error: &std::io::Error) -> Error {
        let url = &self.target.url;
        Error::new(
            ErrorKind::Unavailable,
            format!("{url}: the connection broke: {error}"),
        )
    }

    fn attempt(
        &self,
        message: &mut Message,
        verb: &'static str,
        id: Option<&RequestId>,
        patience: &Patience<'_>,
        context: &Context,
    ) -> Result<Tried> {
        let mut lease = self.pool.take(patience)?;
        let waiting = lease.connection.take();
        let was_waiting = waiting.is_some();
        let open = || context.stages.time(Stage::Send, || self.open(patience));
        let mut connection = match waiting.map_or_else(open, Ok) {
            Ok(connection) => connection,
            Err(Broken::Over(error)) => return Err(error),
            Err(Broken::Connection(error)) => {
                let error = self.unreachable(&error);
                return Ok(Tried::Again {
                    error,
                    after: None,
                    is_perhaps_done: false,
                });
            }
        };
        let bytes = message.bytes(&self.lines, patience.left(), id);
        let bytes_max = self.settings.response_bytes_max;
        match connection.exchange(bytes, bytes_max, patience, context) {
            Ok(reply) => {
                let tried = self.interpret(verb, &connection, &reply, context);
                self.put_back(lease, connection, &reply);
                Ok(tried)
            }
            Err(Lost::Over(error)) => Err(error),
            Err(Lost::Connection { answered, .. }) if was_waiting && !answered => Ok(Tried::Stale),
            Err(Lost::Connection { error, .. }) => Ok(Tried::Again {
                error: self.broken(&error),
                after: None,
                is_perhaps_done: true,
            }),
        }
    }

    fn put_back(&self, lease: Lease<'_>, mut connection: Connection, reply: &Reply) {
        if self.settings.keep_alive && connection.is_reusable(reply) {
            connection.rest();
            lease.keep(connection);
        }
    }

    fn interpret(
        &self,
        verb: &'static str,
        connection: &Connection,
        reply: &Reply,
        context: &Context,
    ) -> Tried {
        let head = &reply.head;
        for (stage, time) in &head.stages {
            context.stages.add(*stage, *time);
        }
        let body = connection.body(reply);
        let error = if head.wire.as_deref() != Some(problem::WIRE) {
            problem::other_server(head.wire.as_deref(), head.status)
        } else if (200..300).contains(&head.status) {
            let format = head.format.unwrap_or(Format::Json);
            let response = context
                .stages
                .time(Stage::ClientDecode, || read_response(format, verb, body));
            // The server's fault, not the caller's.
            return Tried::Answered(response.map_err(|error| Error::internal(error.to_string())));
        } else {
            problem::read(head.status, body)
        };
        match error.kind() {
            ErrorKind::Overloaded | ErrorKind::Unavailable => Tried::Again {
                error,
                after: head.retry_after,
                is_perhaps_done: head.wire.is_none(),
            },
            _ => Tried::Answered(Err(error)),
        }
    }

    fn timeout(&self, request: &Request<'_>) -> Duration {
        match request {
            Request::Compact(_) | Request::Snapshot(_) => LONG_TIMEOUT,
            _ => self.settings.timeout,
        }
    }

    /// The id under which a write is applied once.
    fn request_id(&self, context: &Context, request: &Request<'_>) -> Option<RequestId> {
        let reads = request.right() == Rights::Read;
        context.request_id.filter(|_| !reads).or_else(|| {
            (!reads).then(|| RequestId {
                client: self.id,
                number: self.next_number.fetch_add(1, Ordering::Relaxed),
            })
        })
    }
}

impl Service for Client {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        context.check()?;
        request.check()?;
        let verb = request.verb();
        let patience = Patience::new(context, self.timeout(&request));
        let mut backoff = Backoff::new(self.settings.retry_timeout);
        let id = self.request_id(context, &request);
        // A second snapshot would find the first one's folder.
        let is_repeatable = !matches!(request, Request::Snapshot(_));
        let mut message = context.stages.time(Stage::ClientEncode, || {
            Message::new(&self.lines, &request, self.buffers.take())
        })?;
        let result = loop {
            match self.attempt(&mut message, verb, id.as_ref(), &patience, context) {
                Err(error) => break Err(error),
                Ok(Tried::Answered(result)) => break result,
                Ok(Tried::Stale) if is_repeatable => {}
                Ok(Tried::Stale) => {
                    break Err(self.broken(&std::io::ErrorKind::ConnectionReset.into()));
                }
                Ok(Tried::Again {
                    error,
                    after,
                    is_perhaps_done,
                }) => {
                    let wait = backoff
                        .next(after)
                        .filter(|wait| *wait < patience.left())
                        .filter(|_| is_repeatable || !is_perhaps_done);
                    let Some(wait) = wait else { break Err(error) };
                    if let Err(error) = patience.sleep(wait) {
                        break Err(error);
                    }
                }
            }
        };
        self.buffers.put(message.into_buffer());
        result
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.target.url)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Refuses keys that would not stay one header.
fn check_key(key: Option<&str>) -> Result<()> {
    match key {
        Some(key) if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) => Err(
            Error::invalid("an API key is made of visible ASCII characters, without spaces")
                .in_field("api_key"),
        ),
        _ => Ok(()),
    }
}
