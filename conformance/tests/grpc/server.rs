//! A server of gRPC alone, on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use nearfield::Service;
use nearfield_grpc::client::{Client, Settings};
use nearfield_grpc::server;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;

/// A server that runs until it is dropped; then its connections break, as if it were killed.
pub(crate) struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves on any free port.
    pub(crate) fn start(service: Arc<dyn Service>) -> Self {
        Server::start_at(
            "127.0.0.1:0".parse().unwrap(),
            service,
            server::Settings::default(),
        )
    }

    /// Serves on a port.
    pub(crate) fn start_at(
        address: SocketAddr,
        service: Arc<dyn Service>,
        settings: server::Settings,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let incoming = TcpIncoming::bind(address).unwrap().with_nodelay(Some(true));
        let address = incoming.local_addr().unwrap();
        drop(entered);
        let routes = tonic::service::Routes::from(server::router(service, None, settings));
        let serving = tonic::transport::Server::builder()
            .initial_stream_window_size(server::STREAM_WINDOW_BYTES)
            .initial_connection_window_size(server::CONNECTION_WINDOW_BYTES)
            .max_frame_size(server::FRAME_BYTES_MAX)
            .add_routes(routes)
            .serve_with_incoming(incoming);
        runtime.spawn(serving);
        Server {
            address,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(Settings::default())
    }

    pub(crate) fn client_with(&self, settings: Settings) -> Client {
        Client::connect(&format!("grpc://{}", self.address), settings).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        }
    }
}
