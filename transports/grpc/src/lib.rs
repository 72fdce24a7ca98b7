//! Nearfield over gRPC: typed messages, a batch's vectors as one run of bytes.
#![cfg_attr(
    not(all(feature = "client", feature = "server")),
    allow(
        dead_code,
        unused_imports,
        reason = "each half uses its part of the mapping"
    )
)]

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod server;

mod convert;
mod error;
mod frame;
mod head;
mod proto;
