//! The owner of a store in a process of its own, with guests of this process before it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use clap::Args;
use nearfield::Database;
use nearfield_engine::{Engine, Options};
use nearfield_shm::client::{self, Client};
use nearfield_shm::server::{self, Server};

use super::door::Door;
use crate::Result;
use crate::command::child::{self, tell};

const SOCKET: &str = "bench.socket";

/// The process that owns the store.
#[derive(Args, Debug)]
pub(crate) struct Child {
    #[arg(long)]
    store: PathBuf,
}

impl Child {
    pub(crate) fn run(&self) -> Result<()> {
        let engine = Arc::new(Engine::open(&self.store, Options::default())?);
        let socket = self.store.join(SOCKET);
        let _server = Server::start(&socket, engine, server::Settings::default())?;
        tell("ready")?;
        // Until the other side is gone.
        std::io::stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

/// Such a process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Owner {
    child: process::Child,
    socket: PathBuf,
}

impl Owner {
    /// Owns the store at `path`, which is made if it is not there.
    pub(super) fn start(path: &Path) -> Result<Owner> {
        let mut command = child::command("owner-child", path)?;
        let mut child = command.stdin(process::Stdio::piped()).spawn()?;
        let mut ready = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut ready)?;
        }
        let owner = Owner {
            child,
            socket: path.join(SOCKET),
        };
        match ready.trim_end() {
            "ready" => Ok(owner),
            _ => Err("the owner of the store does not start".into()),
        }
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }
}

/// Opens a door between processes of this machine.
pub(super) fn connect(door: Door, socket: &Path) -> Result<Database> {
    let mut settings = client::Settings::default();
    settings.memory = door == Door::Shm;
    let guest = Client::connect(socket, settings)?;
    Ok(Database::over(Arc::new(guest))?)
}

impl Drop for Owner {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
