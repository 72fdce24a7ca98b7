//! The gRPC door, over real sockets, in front of the embedded engine.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod cases;
mod fake;
mod faults;
mod python;
mod restart;
mod server;
mod shared;
mod strangers;
mod stream;
mod time;
mod tls;
