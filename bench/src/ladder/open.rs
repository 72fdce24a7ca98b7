//! Opening doors from Rust.

use std::path::Path;
use std::sync::Arc;

use nearfield::{Builder, Database, Metric};
use nearfield_engine::{Engine, Options};
use tempfile::TempDir;

use super::climb::{AsEngine, COLLECTION, Rung, WARM};
use super::door::{Door, Kind};
use super::options::Behind;
use super::run::utf8;
use crate::Result;
use crate::server::Server;

/// An open door, and the process behind it if there is one.
pub(super) struct Open {
    pub(super) rung: Rung,
    pub(super) server: Option<Server>,
    /// Where a socket is, if there is one outside of the store.
    _socket: Option<TempDir>,
}

impl Open {
    /// Opens a door of Rust in front of a store at `path`, or of nothing.
    pub(super) fn door(
        door: Door,
        behind: Behind,
        path: &Path,
        program: &Path,
        is_explained: bool,
    ) -> Result<Open> {
        let mut socket = None;
        let (target, joined) = match (behind, door.kind()) {
            (Behind::Real, _) => (utf8(path)?.to_owned(), utf8(path)?.to_owned()),
            (Behind::Null, Kind::Owner) => {
                // Addresses of sockets are short.
                let folder = socket.insert(tempfile::tempdir()?);
                let joined = utf8(&folder.path().join("socket"))?.to_owned();
                (format!("null:{joined}"), joined)
            }
            (Behind::Null, _) => ("null:".to_owned(), String::new()),
        };
        let mut server = None;
        let mut served = || -> Result<String> {
            let started = Server::start(Some(program), &target)?;
            Ok(server.insert(started).address.clone())
        };
        let remote = |scheme: &str, address: String| {
            let builder = Builder::new(format!("{scheme}://{address}"));
            builder.remote(|remote| remote.shares_clock = true)
        };
        let database = match door {
            Door::Engine if behind == Behind::Real => bare(path)?,
            Door::Engine | Door::Embedded => nearfield::connect(&target)?,
            Door::Shm | Door::Unix => {
                served()?;
                nearfield::connect(format!("{door}:{joined}"))?
            }
            Door::HttpJsonCold => {
                let builder = remote("http", served()?).json(true);
                builder.remote(|remote| remote.keep_alive = false).open()?
            }
            Door::HttpJson => remote("http", served()?).json(true).open()?,
            Door::HttpMsgpack => remote("http", served()?).open()?,
            Door::Grpc => remote("grpc", served()?).open()?,
            other => return Err(format!("{other} is not a door of Rust").into()),
        };
        let timed = || -> Result<Database> {
            match is_explained && door.is_in_process() {
                true => Ok(Database::over(Arc::new(AsEngine(database.service())))?),
                false => Ok(database.clone()),
            }
        };
        let rung = match door {
            Door::Engine => Rung::bare(timed()?.service()),
            _ => Rung::Client(timed()?),
        };
        Ok(Open {
            rung,
            server,
            _socket: socket,
        })
    }

    /// Makes the collections that are written to.
    pub(super) fn create(&self, dim: usize) -> Result<()> {
        let database = self.rung.database()?;
        for name in [WARM, COLLECTION] {
            database.create_collection(name, dim, Metric::Euclidean)?;
        }
        Ok(())
    }

    pub(super) fn server_cpu(&self) -> Result<f64> {
        self.server.as_ref().map_or(Ok(0.0), Server::cpu_seconds)
    }
}

/// The engine, opened without the client.
fn bare(path: &Path) -> Result<Database> {
    let mut options = Options::default();
    options.program = "nearfield ladder".to_owned();
    Ok(Database::over(Arc::new(Engine::open(path, options)?))?)
}
