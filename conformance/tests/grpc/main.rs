//! The gRPC door, over real sockets, in front of the embedded engine.

mod cases;
mod faults;
mod fake;
mod python;
mod restart;
mod server;
mod shared;
mod strangers;
mod stream;
mod time;
mod tls;
