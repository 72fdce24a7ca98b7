//! The Unix socket, with and without shared memory, answers every case as the embedded door does.

#[path = "common/faults.rs"]
mod faults;
#[path = "common/stores.rs"]
mod stores;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nearfield::{Context, Request, Reserved, Response, Result, Service};
use nearfield_conformance::replay;
use nearfield_shm::client::{self, Client};
use nearfield_shm::server::{self, Server};

use crate::faults::assert_all_pass;

/// Answers through a socket.
struct Behind {
    client: Client,
    _server: Server,
}

impl Service for Behind {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        self.client.call(context, request)
    }

    fn reserve(&self, components: usize) -> Result<Box<dyn Reserved>> {
        self.client.reserve(components)
    }
}

/// Puts a server before a service, and a client before the server.
fn behind(folder: &Path, service: Arc<dyn Service>, memory: bool) -> Result<Arc<dyn Service>> {
    static SOCKETS: AtomicUsize = AtomicUsize::new(0);
    let number = SOCKETS.fetch_add(1, Ordering::Relaxed);
    let socket = folder.join(format!("socket-{number}"));
    let server = Server::start(&socket, service, server::Settings::default())?;
    let mut settings = client::Settings::default();
    settings.memory = memory;
    Ok(Arc::new(Behind {
        client: Client::connect(&socket, settings)?,
        _server: server,
    }))
}

#[test]
fn frames_over_the_socket_before_a_store_in_memory() {
    let sockets = tempfile::tempdir().unwrap();
    let open = || behind(sockets.path(), stores::in_memory()?, false);
    assert_all_pass(&replay(&[], open).unwrap());
}

#[test]
fn frames_over_the_socket_before_a_store_in_files() {
    let sockets = tempfile::tempdir().unwrap();
    let mut store = stores::in_files(sockets.path());
    let open = || behind(sockets.path(), store()?, false);
    assert_all_pass(&replay(&["files"], open).unwrap());
}

#[test]
fn shared_memory_before_a_store_in_memory() {
    let sockets = tempfile::tempdir().unwrap();
    let open = || behind(sockets.path(), stores::in_memory()?, true);
    assert_all_pass(&replay(&[], open).unwrap());
}

#[test]
fn shared_memory_before_a_store_in_files() {
    let sockets = tempfile::tempdir().unwrap();
    let mut store = stores::in_files(sockets.path());
    let open = || behind(sockets.path(), store()?, true);
    assert_all_pass(&replay(&["files"], open).unwrap());
}
