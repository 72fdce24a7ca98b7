//! The options of `nearfield serve`, each with its name in the environment; the file of
//! `--config` uses the same names.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use nearfield_grpc::server as grpc;
use nearfield_http::server::Settings;

use crate::budget;

/// The options.
#[derive(Args, Debug)]
#[command(next_help_heading = "Server")]
pub(super) struct Flags {
    /// Where to listen; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "NEARFIELD_LISTEN",
        hide_env_values = true,
        default_value = "127.0.0.1:6327"
    )]
    pub(super) listen: String,

    /// The file of API keys; with it, callers need one
    #[arg(
        long,
        value_name = "FILE",
        env = "NEARFIELD_KEYS",
        hide_env_values = true
    )]
    keys: Option<PathBuf>,

    /// Let everybody in who can reach the address, though there are no keys
    #[arg(long, env = "NEARFIELD_INSECURE", hide_env_values = true, value_parser = FalseyValueParser::new())]
    insecure: bool,

    /// A host name by which this server is called, beside the loopback names and the address
    /// itself; * allows all
    #[arg(
        long,
        value_name = "NAME",
        env = "NEARFIELD_ALLOWED_HOST",
        hide_env_values = true,
        value_delimiter = ','
    )]
    allowed_host: Vec<String>,

    /// A page that may call, such as https://app.example.com; * allows all
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "NEARFIELD_ALLOWED_ORIGIN",
        hide_env_values = true,
        value_delimiter = ','
    )]
    allowed_origin: Vec<String>,

    /// The certificate chain for TLS (PEM); read again when it changes
    #[arg(
        long,
        value_name = "FILE",
        env = "NEARFIELD_TLS_CERTIFICATE",
        hide_env_values = true,
        requires = "tls_key"
    )]
    tls_certificate: Option<PathBuf>,

    /// The key of the certificate (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "NEARFIELD_TLS_KEY",
        hide_env_values = true,
        requires = "tls_certificate"
    )]
    tls_key: Option<PathBuf>,

    /// Let processes of other users ask through the socket in the folder, if they are of its group
    #[arg(long, env = "NEARFIELD_SHARE_GROUP", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(super) share_group: bool,

    /// Keep no 8-bit codes in memory: less memory, slower searches
    #[arg(long, env = "NEARFIELD_LEAN", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(super) lean: bool,

    /// Bytes of one body, at most, after decompression
    #[arg(long, value_name = "BYTES", env = "NEARFIELD_BODY_BYTES_MAX", hide_env_values = true, default_value = "384MiB", value_parser = budget::parse)]
    body_bytes_max: u64,

    /// Bytes of all bodies under way, at most
    #[arg(long, value_name = "BYTES", env = "NEARFIELD_BODIES_BYTES_MAX", hide_env_values = true, default_value = "512MiB", value_parser = budget::parse)]
    bodies_bytes_max: u64,

    /// Bytes of one request's headers, at most
    #[arg(long, value_name = "BYTES", env = "NEARFIELD_HEADER_BYTES_MAX", hide_env_values = true, default_value = "64KiB", value_parser = budget::parse)]
    header_bytes_max: u64,

    /// Seconds that a request's headers may take to arrive
    #[arg(long, value_name = "SECONDS", env = "NEARFIELD_HEADER_TIMEOUT", hide_env_values = true, default_value = "10", value_parser = seconds)]
    header_timeout: Duration,

    /// Seconds that a body may pause between two pieces
    #[arg(long, value_name = "SECONDS", env = "NEARFIELD_BODY_PAUSE_MAX", hide_env_values = true, default_value = "10", value_parser = seconds)]
    body_pause_max: Duration,

    /// Seconds that a body may take to arrive
    #[arg(long, value_name = "SECONDS", env = "NEARFIELD_BODY_TIMEOUT", hide_env_values = true, default_value = "300", value_parser = seconds)]
    body_timeout: Duration,

    /// Seconds after which a silent connection is closed
    #[arg(long, value_name = "SECONDS", env = "NEARFIELD_IDLE_TIMEOUT", hide_env_values = true, default_value = "120", value_parser = seconds)]
    idle_timeout: Duration,

    /// Seconds that accepted requests may take to end when the server ends
    #[arg(long, value_name = "SECONDS", env = "NEARFIELD_SHUTDOWN_TIMEOUT", hide_env_values = true, default_value = "30", value_parser = seconds)]
    shutdown_timeout: Duration,

    /// Connections at once, at most
    #[arg(
        long,
        value_name = "COUNT",
        env = "NEARFIELD_CONNECTIONS_MAX",
        hide_env_values = true,
        default_value_t = 4_096
    )]
    connections_max: usize,

    /// Calls at once, at most
    #[arg(
        long,
        value_name = "COUNT",
        env = "NEARFIELD_CALLS_MAX",
        hide_env_values = true,
        default_value_t = 256
    )]
    calls_max: usize,

    /// Threads that read and answer [default: twice the cores, and at least 4]
    #[arg(
        long,
        value_name = "COUNT",
        env = "NEARFIELD_THREADS",
        hide_env_values = true
    )]
    threads: Option<usize>,

    /// Send traces of calls to this OpenTelemetry collector (OTLP over HTTP), such as
    /// http://localhost:4318; needs a build with the feature `otel`
    #[arg(
        long,
        value_name = "URL",
        env = "NEARFIELD_OTLP_ENDPOINT",
        hide_env_values = true
    )]
    pub(super) otlp_endpoint: Option<String>,

    /// The share of calls that are traced, from 0 to 1, of those whose caller does not decide
    #[arg(long, value_name = "SHARE", env = "NEARFIELD_OTLP_SAMPLE", hide_env_values = true, default_value = "1", value_parser = share)]
    pub(super) otlp_sample: f64,

    /// What is logged to stderr
    #[arg(long, value_name = "LEVEL", env = "NEARFIELD_LOG_LEVEL", hide_env_values = true, value_enum, default_value_t = Level::Warn)]
    pub(super) log_level: Level,

    /// How logs are written
    #[arg(long, value_name = "FORMAT", env = "NEARFIELD_LOG_FORMAT", hide_env_values = true, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
}

/// From which level on events are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    /// Nothing
    Off,
    /// What went wrong
    Error,
    /// And what may go wrong
    Warn,
    /// And what happens rarely
    Info,
    /// And every request
    Debug,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object per line
    Json,
}

impl Flags {
    /// The settings of the server.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.listen.clone_from(&self.listen);
        settings.keys.clone_from(&self.keys);
        settings.insecure = self.insecure;
        settings.allowed_hosts.clone_from(&self.allowed_host);
        settings.allowed_origins.clone_from(&self.allowed_origin);
        settings.tls_certificate.clone_from(&self.tls_certificate);
        settings.tls_key.clone_from(&self.tls_key);
        settings.body_bytes_max = size(self.body_bytes_max);
        settings.bodies_bytes_max = size(self.bodies_bytes_max);
        settings.header_bytes_max = size(self.header_bytes_max);
        settings.header_timeout = self.header_timeout;
        settings.body_pause_max = self.body_pause_max;
        settings.body_timeout = self.body_timeout;
        settings.idle_timeout = self.idle_timeout;
        settings.shutdown_timeout = self.shutdown_timeout;
        settings.connections_max = self.connections_max;
        settings.calls_max = self.calls_max;
        settings.stream_window_bytes = grpc::STREAM_WINDOW_BYTES;
        settings.connection_window_bytes = grpc::CONNECTION_WINDOW_BYTES;
        settings.frame_bytes_max = grpc::FRAME_BYTES_MAX;
        settings.threads = self.threads.unwrap_or(settings.threads);
        settings
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Reads a share such as `0.1`.
fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}

/// Reads a time such as `10` or `0.5`.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "a time is a number of seconds, such as 10 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "a time is longer than nothing and shorter than for ever".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_go_from_nothing_to_all() {
        assert_eq!(share("0.25"), Ok(0.25));
        for wrong in ["", "-0.1", "1.1", "nan", "all"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_seconds() {
        assert_eq!(seconds("10"), Ok(Duration::from_secs(10)));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "0", "-1", "1s", "inf", "nan", "1e30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
