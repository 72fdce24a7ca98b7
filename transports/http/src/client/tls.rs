//! TLS: whom a client trusts, and the session over a socket.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use nearfield_model::{Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::settings::Settings;
use super::target::Target;

/// A socket under TLS.
pub(super) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Whom to trust, and which name the server has to prove.
pub(super) struct Config {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Config {
    /// For a target, with the settings' certificates or those of the platform.
    pub(super) fn new(target: &Target, settings: &Settings) -> Result<Config> {
        let roots = match &settings.ca_file {
            Some(file) => roots_of(file)?,
            None => platform_roots()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(target.host.clone())
            .map_err(|error| Error::invalid(format!("{}: {error}", target.url)))?;
        Ok(Config {
            config: Arc::new(config),
            name,
        })
    }

    /// Begins a session; the handshake is made with the first flush.
    pub(super) fn wrap(&self, socket: TcpStream) -> io::Result<TlsStream> {
        let session = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(io::Error::other)?;
        Ok(StreamOwned::new(session, socket))
    }
}

fn roots_of(file: &Path) -> Result<RootCertStore> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::invalid(format!("{}: {error}", file.display())).in_field("ca_file")
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    match roots.is_empty() {
        true => Err(failed(&"there is no certificate in it")),
        false => Ok(roots),
    }
}

fn platform_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        true => Err(Error::new(
            ErrorKind::Unsupported,
            "this platform names no certificates to trust; give a file of them as ca_file",
        )),
        false => Ok(roots),
    }
}
