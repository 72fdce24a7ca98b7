//! Nearfield over HTTP: JSON for people and other tools, MessagePack between our own client and
//! server.

pub mod body;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod server;
