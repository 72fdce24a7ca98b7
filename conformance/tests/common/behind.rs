//! A service behind a server of all network doors on one port, and a client in front of it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;

use nearfield::{Builder, Context, Request, Response, Result, Service};
use nearfield_http::server::{self, Limited, Server, Settings};

/// What travels between client and server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    Json,
    MessagePack,
    Grpc,
}

/// Answers through a socket.
struct Behind {
    // Goes first, so that the server need not wait for its connections.
    client: Arc<dyn Service>,
    _server: Server,
}

impl Service for Behind {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        self.client.call(context, request)
    }
}

/// Puts a server before a service, and a client before the server.
pub(crate) fn behind(service: Arc<dyn Service>, wire: Wire) -> Result<Arc<dyn Service>> {
    let mut settings = Settings::default();
    settings.listen = "127.0.0.1:0".to_owned();
    let limited = Arc::new(Limited::new(service, settings.calls_max));
    let grpc = nearfield_grpc::server::Settings::default();
    let server = server::Builder::new(Arc::clone(&limited), settings)
        .grpc(nearfield_grpc::server::router(limited, None, grpc))
        .start()?;
    let address = server.local_addr();
    let builder = match wire {
        Wire::Json => Builder::new(format!("http://{address}")).json(true),
        Wire::MessagePack => Builder::new(format!("http://{address}")),
        Wire::Grpc => Builder::new(format!("grpc://{address}")),
    };
    Ok(Arc::new(Behind {
        client: builder.open()?.service(),
        _server: server,
    }))
}
