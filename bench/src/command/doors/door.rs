//! The doors, and how each is opened.

use std::fmt;

use clap::ValueEnum;
use nearfield::{Builder, Database};
use serde::Serialize;

use crate::Result;
use crate::server::Server;

/// A way into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Door {
    /// The engine in this process.
    Embedded,
    /// Memory shared with the owner's process.
    Shm,
    /// Frames over a Unix socket to the owner's process.
    Unix,
    /// JSON over HTTP, a new connection per request.
    HttpJsonCold,
    /// JSON over HTTP, connections kept.
    HttpJson,
    /// MessagePack over HTTP.
    HttpMsgpack,
    /// gRPC.
    Grpc,
}

impl Door {
    pub(super) const ALL: [Door; 7] = [
        Door::Embedded,
        Door::Shm,
        Door::Unix,
        Door::HttpJsonCold,
        Door::HttpJson,
        Door::HttpMsgpack,
        Door::Grpc,
    ];

    /// Whether it leads to an owner's process, and not to a server.
    pub(super) fn is_local(self) -> bool {
        matches!(self, Door::Shm | Door::Unix)
    }

    /// Opens it in front of a server.
    pub(super) fn connect(self, server: &Server) -> Result<Database> {
        let http = || Builder::new(format!("http://{}", server.address));
        let builder = match self {
            Door::Embedded | Door::Shm | Door::Unix => {
                return Err(format!("{self} has no server").into());
            }
            Door::HttpJsonCold => http().json(true).remote(|remote| remote.keep_alive = false),
            Door::HttpJson => http().json(true),
            Door::HttpMsgpack => http(),
            Door::Grpc => Builder::new(format!("grpc://{}", server.address)),
        };
        Ok(builder.open()?)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Door::Embedded => "embedded",
            Door::Shm => "shm",
            Door::Unix => "unix",
            Door::HttpJsonCold => "http-json-cold",
            Door::HttpJson => "http-json",
            Door::HttpMsgpack => "http-msgpack",
            Door::Grpc => "grpc",
        })
    }
}
