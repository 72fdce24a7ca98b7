//! Doors to servers: what is set about them, and how they are opened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the doors to servers, all with defaults. Paths and `:memory:` pass them over.
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
            .finish()
    }
}

#[cfg(feature = "http")]
pub(crate) fn open_http(
    url: &str,
    remote: Remote,
) -> nearfield_model::Result<std::sync::Arc<dyn nearfield_model::Service>> {
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
    Ok(std::sync::Arc::new(Client::connect(url, settings)?))
}
