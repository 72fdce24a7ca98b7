//! The one connection: made when it is needed, and made anew when it is gone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use nearfield_model::{Error, ErrorKind, Result};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio_rustls::{TlsConnector, rustls};

use super::Settings;
use super::body::Outgoing;
use super::gather::Gather;
use super::target::Target;

const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
const FRAME_BYTES_MAX: u32 = 1 << 20;
/// Bytes of one stream that wait for the socket, at most.
const SEND_BUFFER_BYTES: usize = 4 << 20;
/// How long the other side may stay silent while calls wait, before it is asked for a sign of
/// life, and how long that may take.
const SILENCE_MAX: Duration = Duration::from_secs(10);
const SIGN_MAX: Duration = Duration::from_secs(20);

type Sender = http2::SendRequest<Outgoing>;

/// The one connection.
pub(super) struct Connection {
    pub(super) target: Target,
    connect_timeout: Duration,
    tls: Option<TlsConnector>,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    sender: Option<Sender>,
    /// Counts connections.
    number: u64,
}

/// A way to send requests.
pub(super) struct Line {
    pub(super) sender: Sender,
    pub(super) number: u64,
    /// Whether it was made before this call.
    pub(super) is_old: bool,
}

impl Connection {
    pub(super) fn new(target: Target, settings: &Settings) -> Result<Self> {
        Ok(Connection {
            tls: match target.tls {
                true => Some(tls(settings.tls_roots.as_deref())?),
                false => None,
            },
            target,
            connect_timeout: settings.connect_timeout,
            slot: Mutex::default(),
        })
    }

    /// The connection as it is, or a new one.
    ///
    /// # Errors
    /// `Unavailable` if the server cannot be reached.
    pub(super) async fn line(&self) -> Result<Line> {
        let mut slot = self.slot.lock().await;
        if let Some(sender) = slot.sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(Line {
                sender: sender.clone(),
                number: slot.number,
                is_old: true,
            });
        }
        let connected = tokio::time::timeout(self.connect_timeout, self.connect());
        let sender = connected
            .await
            .unwrap_or_else(|_| Err(self.unreachable("no answer in time")))?;
        slot.sender = Some(sender.clone());
        slot.number += 1;
        Ok(Line {
            sender,
            number: slot.number,
            is_old: false,
        })
    }

    /// Gives up a connection on which a call failed.
    pub(super) async fn give_up(&self, number: u64) {
        let mut slot = self.slot.lock().await;
        if slot.number == number {
            slot.sender = None;
        }
    }

    async fn connect(&self) -> Result<Sender> {
        let address = (self.target.host.as_str(), self.target.port);
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| self.unreachable(error))?;
        stream
            .set_nodelay(true)
            .map_err(|error| self.unreachable(error))?;
        let Some(tls) = &self.tls else {
            return self.handshake(stream).await;
        };
        let name = ServerName::try_from(self.target.host.clone())
            .map_err(|error| Error::invalid(format!("{}: {error}", self.target)))?;
        let stream = tls.connect(name, stream).await.map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                format!(
                    "no TLS with {}: {error}; is it a server with TLS, and are its roots known?",
                    self.target
                ),
            )
        })?;
        self.handshake(stream).await
    }

    async fn handshake<S>(&self, stream: S) -> Result<Sender>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES_MAX)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .keep_alive_interval(SILENCE_MAX)
            .keep_alive_timeout(SIGN_MAX)
            .handshake(TokioIo::new(Gather::new(stream)))
            .await
            .map_err(|error| self.unreachable(error))?;
        // Its end is seen by the calls on it.
        drop(tokio::spawn(async move {
            let _ended = connection.await;
        }));
        Ok(sender)
    }

    fn unreachable(&self, why: impl fmt::Display) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "{} cannot be reached: {why}; is the server running there?",
                self.target
            ),
        )
    }
}

fn tls(roots: Option<&[u8]>) -> Result<TlsConnector> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(pem) => {
            let wrong = |error: &dyn fmt::Display| {
                Error::invalid(format!("the roots are not certificates as PEM: {error}"))
                    .in_field("tls_roots")
            };
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                store.add(certificate).map_err(|error| wrong(&error))?;
            }
            if store.is_empty() {
                return Err(wrong(&"there is none"));
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error: rustls::Error| Error::internal(format!("no TLS: {error}")))?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.target, f)
    }
}
