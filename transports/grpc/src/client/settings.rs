//! What a program may set about a client.

use std::fmt;
use std::time::Duration;

/// What a program may set about a [`Client`](super::Client).
#[derive(Clone)]
pub struct Settings {
    /// How long a call may take, retries included, unless its context has a deadline; none waits
    /// as long as the connection lives. It does not count for `compact` and `snapshot`.
    pub timeout: Option<Duration>,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// The key that is sent with each call.
    pub api_key: Option<String>,
    /// How often a call that failed on its way is tried again, where that is safe.
    pub retries: u32,
    /// The certificates, as PEM, that a server's has to be signed by under `grpcs://`; those of
    /// the operating system unless given.
    pub tls_roots: Option<Vec<u8>>,
    /// Bytes of one answer, at most.
    pub answer_bytes_max: usize,
    /// Batches of an ingest that are on their way at once, at most.
    pub ingest_batches: usize,
    /// Whether client and server run on one machine, so that its clock tells how long bytes are on
    /// their way ([`Stage::Send`](nearfield_model::Stage), `Receive`).
    pub shares_clock: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timeout: Some(Duration::from_secs(60)),
            connect_timeout: Duration::from_secs(5),
            api_key: None,
            retries: 5,
            tls_roots: None,
            answer_bytes_max: 1 << 30,
            ingest_batches: 4,
            shares_clock: false,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .field("retries", &self.retries)
            .field("tls_roots", &self.tls_roots.as_ref().map(Vec::len))
            .field("answer_bytes_max", &self.answer_bytes_max)
            .field("ingest_batches", &self.ingest_batches)
            .field("shares_clock", &self.shares_clock)
            .finish()
    }
}
