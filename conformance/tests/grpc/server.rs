//! A server of gRPC alone, on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nearfield::Service;
use nearfield_grpc::client::{Client, Settings};
use nearfield_grpc::server;
use tokio::runtime::Runtime;
use tonic::codegen::http;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, ServerTlsConfig};

/// A server that runs until it is dropped; then its connections break, as if it were killed.
pub(crate) struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves on any free port.
    pub(crate) fn start(service: Arc<dyn Service>) -> Self {
        Server::start_at(any_port(), service, server::Settings::default())
    }

    /// Serves on a port.
    pub(crate) fn start_at(
        address: SocketAddr,
        service: Arc<dyn Service>,
        settings: server::Settings,
    ) -> Self {
        let routes = Routes::from(server::router(service, None, settings));
        Server::serve(address, tonic::transport::Server::builder(), routes)
    }

    /// Serves behind a layer.
    pub(crate) fn start_with(
        service: Arc<dyn Service>,
        layer: fn(&mut axum::extract::Request),
    ) -> Self {
        let router = server::router(service, None, server::Settings::default());
        let router = router.layer(axum::middleware::map_request(
            move |mut request: axum::extract::Request| async move {
                layer(&mut request);
                request
            },
        ));
        Server::start_with_routes(Routes::from(router))
    }

    /// Serves something else.
    pub(crate) fn start_with_routes(routes: Routes) -> Self {
        Server::serve(any_port(), tonic::transport::Server::builder(), routes)
    }

    /// Answers all alike.
    pub(crate) fn start_answering(answer: fn() -> http::Response<String>) -> Self {
        let router = axum::Router::new().fallback(move || async move { answer() });
        Server::start_with_routes(Routes::from(router))
    }

    /// Serves under TLS.
    pub(crate) fn start_tls(service: Arc<dyn Service>, certificate: &str, key: &str) -> Self {
        let router = server::router(service, None, server::Settings::default());
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        let builder = tonic::transport::Server::builder().tls_config(tls).unwrap();
        Server::serve(any_port(), builder, Routes::from(router))
    }

    fn serve(address: SocketAddr, builder: tonic::transport::Server, routes: Routes) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let incoming = TcpIncoming::bind(address).unwrap().with_nodelay(Some(true));
        let address = incoming.local_addr().unwrap();
        drop(entered);
        let serving = builder
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

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}
