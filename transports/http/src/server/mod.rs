//! The server: HTTP/1.1 and HTTP/2, JSON and MessagePack, with gRPC beside them on one port.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # fn serve(engine: Arc<dyn nearfield_model::Service>) -> nearfield_model::Result<()> {
//! use nearfield_http::server::{Server, Settings};
//!
//! let mut settings = Settings::default();
//! settings.listen = "127.0.0.1:0".to_owned();
//! let server = Server::start(engine, settings)?;
//! println!("http://{}", server.local_addr());
//! server.shutdown();
//! # Ok(())
//! # }
//! ```

mod accept;
mod admission;
mod answer;
mod call;
mod connection;
mod door;
mod intake;
mod keys;
mod limit;
mod media;
mod metrics;
mod openapi;
mod page;
mod problem;
mod reference;
mod routes;
mod settings;
mod steady;
mod tls;
mod turn;
mod watch;

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use nearfield_model::{Budget, Error, ErrorKind, Observer, Result, Service};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

pub use keys::{Keys, create_key};
pub use limit::Limited;
pub use metrics::Metrics;
pub use settings::Settings;

use accept::Connections;
use admission::Admission;
use door::Door;
use tls::Tls;
use turn::Turns;

/// How long the last calls may take to end once their connections are gone.
const LAST_CALLS_TIME_MAX: Duration = Duration::from_secs(5);

/// What a server is made of.
pub struct Builder {
    limited: Arc<Limited>,
    settings: Settings,
    metrics: Arc<Metrics>,
    observer: Option<Arc<dyn Observer>>,
    budget: Option<Arc<Budget>>,
    router: Option<axum::Router>,
}

impl Builder {
    /// A server in front of a gate, which may be closed so far.
    pub fn new(limited: Arc<Limited>, settings: Settings) -> Self {
        Builder {
            limited,
            settings,
            metrics: Arc::new(Metrics::default()),
            observer: None,
            budget: None,
            router: None,
        }
    }

    /// Where calls are counted; other doors may count there too.
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Who is told of each call, instead of the metrics.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// What bounds the bytes under way, instead of a budget of this server's own; other doors may
    /// draw on it too.
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Answers gRPC on the same port. Requests come with `Result<Rights>` in their extensions.
    pub fn grpc(mut self, router: axum::Router) -> Self {
        self.router = Some(router);
        self
    }

    /// Starts to listen and to answer, on threads of the server's own.
    ///
    /// # Errors
    /// `Unavailable` if the address cannot be listened at, `InvalidArgument` and `Storage` for
    /// keys and certificates that cannot be used, `Forbidden` if everybody could come in from
    /// other machines and that was not asked for.
    pub fn start(self) -> Result<Server> {
        let settings = self.settings;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads.max(2))
            .thread_name("nearfield-http")
            .enable_all()
            .build()
            .map_err(|error| Error::internal(format!("no threads: {error}")))?;
        let listener = runtime.block_on(async { listen(&settings.listen) })?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::internal(format!("no address: {error}")))?;
        let tls = Tls::new(&settings)?.map(Arc::new);
        let connections = Arc::new(Connections::default());
        let door = Arc::new(Door {
            connections: connections.clone(),
            limited: self.limited,
            admission: Admission::new(&settings, address)?,
            budget: self
                .budget
                .unwrap_or_else(|| Budget::new(settings.bodies_bytes_max)),
            turns: Turns::new(settings.threads.max(2), runtime.handle())?,
            observer: self.observer.unwrap_or_else(|| self.metrics.clone()),
            metrics: self.metrics,
            router: self.router,
            settings,
        });
        let (end, ending) = tokio::sync::watch::channel(false);
        runtime.spawn(watch::watch(door.clone(), tls.clone(), connections.clone()));
        let accepting = accept::accept(
            listener,
            door.clone(),
            tls.clone(),
            connections.clone(),
            ending,
        );
        runtime.spawn(accepting);
        Ok(Server {
            runtime: Some(runtime),
            door,
            tls,
            connections,
            address,
            end,
        })
    }
}

/// A server that runs. It ends when this is dropped.
pub struct Server {
    runtime: Option<Runtime>,
    door: Arc<Door>,
    tls: Option<Arc<Tls>>,
    connections: Arc<Connections>,
    address: SocketAddr,
    end: tokio::sync::watch::Sender<bool>,
}

impl Server {
    /// Starts a server in front of a service.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start(service: Arc<dyn Service>, settings: Settings) -> Result<Server> {
        let limited = Limited::new(service, settings.calls_max);
        Builder::new(Arc::new(limited), settings).start()
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads keys and certificates again; they are read again by themselves when their files
    /// change.
    ///
    /// # Errors
    /// Those of files that cannot be used; what was read before stays.
    pub fn reload(&self) -> Result<()> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())?;
        self.door.reload()
    }

    /// Ends: takes no more connections, answers the requests that were accepted, and closes.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        self.end.send_replace(true);
        runtime.block_on(async {
            let patience = self.door.settings.shutdown_timeout;
            let drained = tokio::time::timeout(patience, self.connections.drained()).await;
            self.door.limited.stop();
            if drained.is_err() {
                tracing::warn!(
                    connections = self.connections.open(),
                    "closed before their end"
                );
            }
            let last = tokio::time::Instant::now() + LAST_CALLS_TIME_MAX;
            while self.door.limited.under_way() > 0 && tokio::time::Instant::now() < last {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn listen(listen: &str) -> Result<TcpListener> {
    let unusable = |error: std::io::Error| {
        Error::new(
            ErrorKind::Unavailable,
            format!("{listen}: cannot listen there: {error}"),
        )
        .in_field("listen")
    };
    let address = listen
        .to_socket_addrs()
        .map_err(unusable)?
        .next()
        .ok_or_else(|| unusable(std::io::ErrorKind::AddrNotAvailable.into()))?;
    let socket = match address.is_ipv4() {
        true => TcpSocket::new_v4(),
        false => TcpSocket::new_v6(),
    }
    .map_err(unusable)?;
    // A server that is started again takes its port back at once.
    socket.set_reuseaddr(true).map_err(unusable)?;
    socket.bind(address).map_err(unusable)?;
    socket.listen(1_024).map_err(unusable)
}
