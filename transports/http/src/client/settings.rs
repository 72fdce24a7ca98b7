//! How a client talks to its server.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::body::Format;

/// Settings of a [`Client`](super::Client), all with defaults.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// How bodies are written; MessagePack unless said otherwise.
    pub format: Format,
    /// Sent as `Authorization: Bearer`, if there is one.
    pub api_key: Option<String>,
    /// How long a call may take, retries included, unless its context has a deadline. A minute
    /// unless said otherwise; compact and snapshot are not bound by it.
    pub timeout: Duration,
    /// How long making a connection may take; five seconds unless said otherwise.
    pub connect_timeout: Duration,
    /// How long a call is sent again while the server is away or has too much to do; ten seconds
    /// unless said otherwise, and zero for never.
    pub retry_timeout: Duration,
    /// Connections at once, at most; 128 unless said otherwise. Further calls wait.
    pub connections_max: usize,
    /// How long an unused connection is kept; 30 seconds unless said otherwise.
    pub idle_timeout: Duration,
    /// Whether a connection serves more than one call; true unless said otherwise. Without it
    /// each call pays for a connection of its own.
    pub keep_alive: bool,
    /// Bytes of a response's body, at most; 1 GiB unless said otherwise.
    pub response_bytes_max: usize,
    /// A file of certificates (PEM) of the authorities to trust, in place of those that the
    /// platform trusts.
    pub ca_file: Option<PathBuf>,
    /// Whether client and server run on one machine, so that its clock tells how long bytes are on
    /// their way ([`Stage::Send`](nearfield_model::Stage), `Receive`); false unless said otherwise.
    pub shares_clock: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            format: Format::MessagePack,
            api_key: None,
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            retry_timeout: Duration::from_secs(10),
            connections_max: 128,
            idle_timeout: Duration::from_secs(30),
            keep_alive: true,
            response_bytes_max: 1 << 30,
            ca_file: None,
            shares_clock: false,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is left out: what is debugged ends up in logs.
        f.debug_struct("Settings")
            .field("format", &self.format)
            .field("has_api_key", &self.api_key.is_some())
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("retry_timeout", &self.retry_timeout)
            .field("connections_max", &self.connections_max)
            .field("idle_timeout", &self.idle_timeout)
            .field("keep_alive", &self.keep_alive)
            .field("response_bytes_max", &self.response_bytes_max)
            .field("ca_file", &self.ca_file)
            .field("shares_clock", &self.shares_clock)
            .finish()
    }
}
