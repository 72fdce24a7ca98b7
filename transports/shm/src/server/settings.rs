//! What is set about a server.

use std::time::Duration;

/// Settings of a [`Server`](super::Server), all with defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Whether processes of the socket file's group may connect, and not only those of this
    /// user; false unless said otherwise.
    pub group: bool,
    /// How long calls under way may go on when the server is dropped; five seconds unless said
    /// otherwise.
    pub drain_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            group: false,
            drain_timeout: Duration::from_secs(5),
        }
    }
}
