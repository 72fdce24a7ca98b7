//! What is set about a client.

use std::time::Duration;

use crate::handshake;

/// Settings of a [`Client`](super::Client), all with defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Whether requests travel through shared memory; true unless said otherwise. Where the
    /// operating system has none of the kind ([`HAS_MEMORY`](super::HAS_MEMORY)), or where this is
    /// false, all goes over the socket.
    pub memory: bool,
    /// What runs here, for people who look at the owner's guests; the program's name unless said
    /// otherwise.
    pub program: String,
    /// How long a call may take, unless its context has a deadline. A minute unless said
    /// otherwise; compact and snapshot are not bound by it.
    pub timeout: Duration,
    /// How long the owner may take to let this process in; five seconds unless said otherwise.
    pub connect_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            memory: true,
            program: program(),
            timeout: Duration::from_secs(60),
            connect_timeout: handshake::TIMEOUT,
        }
    }
}

fn program() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
