//! A service behind a server of HTTP, and the client in front of it.

use std::sync::Arc;

use nearfield::{Context, Request, Response, Result, Service};
use nearfield_http::server::{Server, Settings};

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
pub(crate) fn behind_http(service: Arc<dyn Service>, json: bool) -> Result<Arc<dyn Service>> {
    let mut settings = Settings::default();
    settings.listen = "127.0.0.1:0".to_owned();
    let server = Server::start(service, settings)?;
    let url = format!("http://{}", server.local_addr());
    Ok(Arc::new(Behind {
        client: nearfield::Builder::new(url).json(json).open()?.service(),
        _server: server,
    }))
}
