//! TLS: the certificate and its key, read again when their files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use nearfield_model::{Error, ErrorKind, Result};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::Settings;

/// A certificate and its key.
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files that the settings name, if they name any.
    ///
    /// # Errors
    /// `InvalidArgument` if one of the two is missing or they do not fit together; `Storage` if
    /// a file cannot be read.
    pub(crate) fn new(settings: &Settings) -> Result<Option<Self>> {
        let (certificate, key) = match (&settings.tls_certificate, &settings.tls_key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate, key),
            _ => {
                return Err(Error::invalid(
                    "TLS needs both a certificate and its key; give both files",
                )
                .in_field("tls_certificate"));
            }
        };
        Ok(Some(Tls {
            config: ArcSwap::new(read(certificate, key)?),
            certificate: certificate.clone(),
            key: key.clone(),
        }))
    }

    /// What shakes hands with the next caller.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Reads the files again. What was read before stays if they are not good.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn reload(&self) -> Result<()> {
        self.config.store(read(&self.certificate, &self.key)?);
        Ok(())
    }

    /// The files.
    pub(crate) fn files(&self) -> [&Path; 2] {
        [&self.certificate, &self.key]
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| unreadable(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    let wrong = |error| {
        Error::invalid(format!(
            "{} and {} do not make a TLS server: {error}",
            certificate.display(),
            key.display()
        ))
    };
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn unreadable(path: &Path, error: &impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Storage,
        format!("{}: cannot read it: {error}", path.display()),
    )
}
