//! The doors, from the bare engine to the farthest.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// A way into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// The engine's own function, without a client.
    Engine,
    /// The Rust client, the engine in its process.
    Embedded,
    /// C, one vector per call.
    CSingle,
    /// C, in batches.
    CBatch,
    /// Python, lists of numbers.
    PythonList,
    /// Python, NumPy arrays.
    PythonNumpy,
    /// Python, vectors written in place.
    PythonReserve,
    /// Python, NumPy arrays, to a server through JSON over HTTP.
    PythonHttpJson,
    /// Mojo, over the C door.
    Mojo,
    /// Shared memory.
    Shm,
    /// Frames over a Unix socket.
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

/// Where the engine is, seen from a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In the process of the ladder.
    Here,
    /// In the process of a program in another language.
    Language,
    /// In the process of a server, which a program in another language calls.
    LanguageToServer,
    /// In the process of another client, the owner of the path.
    Owner,
    /// In the process of a server.
    Server,
}

impl Door {
    /// All, in the order of the ladder.
    pub const ALL: [Door; 15] = [
        Door::Engine,
        Door::Embedded,
        Door::CSingle,
        Door::CBatch,
        Door::PythonList,
        Door::PythonNumpy,
        Door::PythonReserve,
        Door::Mojo,
        Door::Shm,
        Door::Unix,
        Door::HttpJsonCold,
        Door::HttpJson,
        Door::PythonHttpJson,
        Door::HttpMsgpack,
        Door::Grpc,
    ];

    /// The name, such as `http-json`.
    pub fn name(self) -> &'static str {
        match self {
            Door::Engine => "engine",
            Door::Embedded => "embedded",
            Door::CSingle => "c-single",
            Door::CBatch => "c-batch",
            Door::PythonList => "python-list",
            Door::PythonNumpy => "python-numpy",
            Door::PythonReserve => "python-reserve",
            Door::PythonHttpJson => "python-http-json",
            Door::Mojo => "mojo",
            Door::Shm => "shm",
            Door::Unix => "unix",
            Door::HttpJsonCold => "http-json-cold",
            Door::HttpJson => "http-json",
            Door::HttpMsgpack => "http-msgpack",
            Door::Grpc => "grpc",
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Door::Engine | Door::Embedded => Kind::Here,
            Door::CSingle
            | Door::CBatch
            | Door::PythonList
            | Door::PythonNumpy
            | Door::PythonReserve
            | Door::Mojo => Kind::Language,
            Door::Shm | Door::Unix => Kind::Owner,
            Door::PythonHttpJson => Kind::LanguageToServer,
            Door::HttpJsonCold | Door::HttpJson | Door::HttpMsgpack | Door::Grpc => Kind::Server,
        }
    }

    /// Whether caller and engine share a process.
    pub(super) fn is_in_process(self) -> bool {
        matches!(self.kind(), Kind::Here | Kind::Language)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
