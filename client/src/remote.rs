//! Doors to servers: what is set about them, and how they are opened.

use std::fmt;
use std::path::PathBuf;
#[cfg(any(feature = "http", feature = "grpc"))]
use std::sync::Arc;
use std::time::Duration;

#[cfg(any(feature = "http", feature = "grpc"))]
use nearfield_model::{Result, Service};

/// Settings of the doors to servers, all with defaults. `:memory:` passes them over, and so do
/// paths, but for `timeout`: how long the owner of a path is waited for.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// The API key, if the server asks for one.
    pub api_key: Option<String>,
    /// How long a call may take, retries included, unless its context has a deadline. A minute
    /// unless said otherwise; compact and snapshot are not bound by it.
    pub timeout: Duration,
    /// How long making a connection may take; five seconds unless said otherwise.
    pub connect_timeout: Duration,
    /// How long a call is sent again while the server is away or has too much to do; ten seconds
    /// unless said otherwise, and zero for never.
    pub retry_timeout: Duration,
    /// Whether bodies are JSON and not MessagePack, over HTTP; false unless said otherwise.
    pub json: bool,
    /// Whether a connection serves more than one call, over HTTP; true unless said otherwise.
    pub keep_alive: bool,
    /// Connections at once, at most, over HTTP; 128 unless said otherwise. Further calls wait.
    pub connections_max: usize,
    /// A file of certificates (PEM) of the authorities to trust, in place of those that the
    /// platform trusts.
    pub ca_file: Option<PathBuf>,
    /// Whether client and server run on one machine, so that its clock tells how long bytes are on
    /// their way ([`Stage::Send`](crate::Stage), `Receive`); false unless said otherwise.
    pub shares_clock: bool,
}

impl Default for Remote {
    fn default() -> Self {
        Remote {
            api_key: None,
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            retry_timeout: Duration::from_secs(10),
            json: false,
            keep_alive: true,
            connections_max: 128,
            ca_file: None,
            shares_clock: false,
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is left out: what is debugged ends up in logs.
        f.debug_struct("Remote")
            .field("has_api_key", &self.api_key.is_some())
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("retry_timeout", &self.retry_timeout)
            .field("json", &self.json)
            .field("keep_alive", &self.keep_alive)
            .field("connections_max", &self.connections_max)
            .field("ca_file", &self.ca_file)
            .field("shares_clock", &self.shares_clock)
            .finish()
    }
}

#[cfg(feature = "http")]
pub(crate) fn open_http(url: &str, remote: Remote) -> Result<Arc<dyn Service>> {
    use nearfield_http::body::Format;
    use nearfield_http::client::{Client, Settings};

    let mut settings = Settings::default();
    if remote.json {
        settings.format = Format::Json;
    }
    settings.api_key = remote.api_key;
    settings.timeout = remote.timeout;
    settings.connect_timeout = remote.connect_timeout;
    settings.retry_timeout = remote.retry_timeout;
    settings.keep_alive = remote.keep_alive;
    settings.connections_max = remote.connections_max;
    settings.ca_file = remote.ca_file;
    settings.shares_clock = remote.shares_clock;
    Ok(Arc::new(Client::connect(url, settings)?))
}

#[cfg(feature = "grpc")]
pub(crate) fn open_grpc(url: &str, remote: Remote) -> Result<Arc<dyn Service>> {
    use nearfield_grpc::client::{Client, Settings};
    use nearfield_model::{Context, Error, ListCollections};

    let tls_roots = remote.ca_file.map(|file| {
        std::fs::read(&file).map_err(|error| {
            Error::invalid(format!("{}: {error}", file.display())).in_field("ca_file")
        })
    });
    let settings = Settings {
        timeout: Some(remote.timeout),
        connect_timeout: remote.connect_timeout,
        api_key: remote.api_key,
        retries: retries_within(remote.retry_timeout),
        tls_roots: tls_roots.transpose()?,
        shares_clock: remote.shares_clock,
        ..Settings::default()
    };
    // A wrong address or key shows here, and without many tries.
    let greeting = Settings {
        retries: 1,
        ..settings.clone()
    };
    Client::connect(url, greeting)?.call(&Context::default(), ListCollections {}.into())?;
    Ok(Arc::new(Client::connect(url, settings)?))
}

/// How many tries fit into a time, with pauses that double from 20 ms to 2 s.
#[cfg(feature = "grpc")]
fn retries_within(time: Duration) -> u32 {
    let mut retries = 0;
    let (mut pause, mut waited) = (Duration::from_millis(20), Duration::ZERO);
    while waited + pause <= time {
        waited += pause;
        pause = (pause * 2).min(Duration::from_secs(2));
        retries += 1;
    }
    retries
}
