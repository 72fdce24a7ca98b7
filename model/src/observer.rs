//! Who is told how each call through a door went: metrics, logs.

use std::time::Duration;

use crate::context::StageClock;
use crate::error::ErrorKind;

/// One call as its door saw it, when the response is ready to leave.
#[derive(Debug)]
pub struct Observation<'a> {
    /// The door, such as `http` or `grpc`.
    pub door: &'static str,
    /// The verb; `None` where the request could not be read so far.
    pub verb: Option<&'static str>,
    /// The kind of the error that was answered, if one was.
    pub error: Option<ErrorKind>,
    /// The time from the first byte of the request that was seen to the response.
    pub total: Duration,
    /// Where it went.
    pub stages: &'a StageClock,
    /// The trace that the caller's own work belongs to (W3C `traceparent`), as it was sent.
    pub traceparent: Option<&'a str>,
}

/// Is told of each call. Called on the call's way out, so it must not block.
pub trait Observer: Send + Sync {
    /// Takes note of one call.
    fn observe(&self, observation: &Observation<'_>);
}
