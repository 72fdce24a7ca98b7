//! gRPC under TLS.

use nearfield::{Context, ErrorKind, ListCollections, Service};
use nearfield_grpc::client::{Client, Settings};

use crate::server::Server;

#[test]
fn a_certificate_is_checked_against_the_roots_that_are_given() {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = signed.cert.pem();
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start_tls(
        store.service(),
        &certificate,
        &signed.signing_key.serialize_pem(),
    );
    let target = format!("grpcs://localhost:{}", server.address().port());
    let ask = |roots: Option<String>| {
        let settings = Settings {
            tls_roots: roots.map(String::into_bytes),
            retries: 1,
            ..Settings::default()
        };
        let client = Client::connect(&target, settings)?;
        client.call(&Context::default(), ListCollections {}.into())
    };
    ask(Some(certificate)).unwrap();
    assert_eq!(ask(None).unwrap_err().kind(), ErrorKind::Unavailable);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let error = ask(Some(other.cert.pem())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let error = ask(Some("no certificate".to_owned())).unwrap_err();
    assert_eq!(error.field(), Some("tls_roots"));
}
