//! Nearfield over gRPC: typed messages, a batch's vectors as one run of bytes.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod server;
