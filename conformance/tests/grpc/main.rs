//! The gRPC door, over real sockets, in front of the embedded engine.

mod cases;
mod server;
