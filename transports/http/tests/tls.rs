//! TLS with a certificate that is read again, as curl sees it.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Caller, Prompt, serve};
use nearfield_http::server::{Server, Settings};
use nearfield_model::ErrorKind;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

struct Files {
    _folder: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            certificate: folder.path().join("certificate.pem"),
            key: folder.path().join("key.pem"),
            _folder: folder,
        };
        files.renew();
        files
    }

    /// Makes another certificate for `localhost`.
    fn renew(&self) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = CertificateParams::new(names)
            .unwrap()
            .self_signed(&key)
            .unwrap();
        std::fs::write(&self.key, key.serialize_pem()).unwrap();
        std::fs::write(&self.certificate, certificate.pem()).unwrap();
    }

    fn settings(&self, settings: &mut Settings) {
        settings.tls_certificate = Some(self.certificate.clone());
        settings.tls_key = Some(self.key.clone());
    }
}

/// What curl prints: the version of HTTP and the status, or nothing.
fn curl(server: &Server, trusted: &Path, flags: &[&str]) -> String {
    let url = format!(
        "https://localhost:{}/v1/collections",
        server.local_addr().port()
    );
    let output = Command::new("curl")
        .args([
            "--silent",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_version} %{http_code}",
            "--ipv4",
            "--cacert",
        ])
        .arg(trusted)
        .args(flags)
        .arg(url)
        .output()
        .unwrap();
    match output.status.success() {
        true => String::from_utf8(output.stdout).unwrap(),
        false => String::new(),
    }
}

#[test]
fn both_versions_of_http_are_spoken_over_tls() {
    let files = Files::new();
    let server = serve(Prompt, |settings| files.settings(settings));
    assert!(server.has_tls());
    assert_eq!(curl(&server, &files.certificate, &[]), "2 200");
    assert_eq!(curl(&server, &files.certificate, &["--http1.1"]), "1.1 200");
    let mut plain = Caller::new(server.local_addr());
    plain.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(plain.is_closed());
}

#[test]
fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let files = Files::new();
    let server = serve(Prompt, |settings| files.settings(settings));
    let old = files.certificate.with_file_name("old.pem");
    std::fs::copy(&files.certificate, &old).unwrap();
    files.renew();
    server.reload().unwrap();
    assert_eq!(curl(&server, &files.certificate, &[]), "2 200");
    assert_eq!(curl(&server, &old, &[]), "");
    let good = files.certificate.with_file_name("good.pem");
    std::fs::copy(&files.certificate, &good).unwrap();
    std::fs::write(&files.certificate, "no certificate").unwrap();
    assert!(server.reload().is_err());
    assert_eq!(curl(&server, &good, &[]), "2 200");
}

#[test]
fn halves_of_a_certificate_are_refused() {
    let files = Files::new();
    let mut settings = Settings::default();
    settings.listen = "127.0.0.1:0".to_owned();
    files.settings(&mut settings);
    settings.tls_key = None;
    let start = |settings: &Settings| {
        Server::start(std::sync::Arc::new(Prompt), settings.clone())
            .map(drop)
            .unwrap_err()
            .kind()
    };
    assert_eq!(start(&settings), ErrorKind::InvalidArgument);
    settings.tls_key = Some(Files::new().key.with_file_name("nowhere.pem"));
    assert_eq!(start(&settings), ErrorKind::Storage);
    let other = Files::new();
    settings.tls_key = Some(other.key.clone());
    assert_eq!(start(&settings), ErrorKind::InvalidArgument);
}
