//! What users tune, with defaults.

use std::path::PathBuf;
use std::time::Duration;

use nearfield_model::limits::BATCH_BYTES_MAX;

/// Settings of a server. Make one with [`Settings::default`] and change what differs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// Where to listen, such as `127.0.0.1:6327`; port 0 takes a free one.
    pub listen: String,
    /// The file of API keys; with one, nobody is anonymous.
    pub keys: Option<PathBuf>,
    /// Allows anonymous callers beyond the loopback interface. False unless said otherwise.
    pub insecure: bool,
    /// Names that requests may give as their `Host`, beside the loopback names and the address
    /// they came to; `*` allows all.
    pub allowed_hosts: Vec<String>,
    /// Pages that may call, such as `https://app.example.com`, beside those of the loopback
    /// names and of this server; `*` allows all.
    pub allowed_origins: Vec<String>,
    /// The certificate chain, as a PEM file, for TLS; needs `tls_key`.
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, as a PEM file.
    pub tls_key: Option<PathBuf>,
    /// Bytes of one request's body, at most, after decompression.
    pub body_bytes_max: usize,
    /// Bytes of all bodies under way together, at most.
    pub bodies_bytes_max: usize,
    /// Bytes of one request's headers, at most.
    pub header_bytes_max: usize,
    /// How long a request's headers may take to arrive.
    pub header_timeout: Duration,
    /// How long a body may pause between two pieces.
    pub body_pause_max: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a connection may do nothing.
    pub idle_timeout: Duration,
    /// Connections at once, at most.
    pub connections_max: usize,
    /// Calls at once, at most.
    pub calls_max: usize,
    /// HTTP/2: bytes that one stream may send ahead of what was read. A batch then travels without
    /// waiting.
    pub stream_window_bytes: u32,
    /// As `stream_window_bytes`, over all streams of a connection.
    pub connection_window_bytes: u32,
    /// HTTP/2: bytes of one frame, at most.
    pub frame_bytes_max: u32,
    /// How long requests that were accepted may take to end when the server ends.
    pub shutdown_timeout: Duration,
    /// Responses from this size on are compressed for callers who accept that.
    pub compress_from_bytes: usize,
    /// Threads of the runtime; twice the cores and at least four unless said otherwise.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            listen: "127.0.0.1:6327".to_owned(),
            keys: None,
            insecure: false,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            // Text takes up to 22 bytes for a component of 4.
            body_bytes_max: 6 * BATCH_BYTES_MAX,
            bodies_bytes_max: 8 * BATCH_BYTES_MAX,
            header_bytes_max: 64 << 10,
            header_timeout: Duration::from_secs(10),
            body_pause_max: Duration::from_secs(10),
            body_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(120),
            connections_max: 4_096,
            calls_max: 256,
            stream_window_bytes: 8 << 20,
            connection_window_bytes: 16 << 20,
            frame_bytes_max: 1 << 20,
            shutdown_timeout: Duration::from_secs(30),
            compress_from_bytes: 64 << 10,
            threads: (2 * cores).max(4),
        }
    }
}
