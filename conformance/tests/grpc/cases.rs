//! gRPC answers every case as the embedded door does.

use std::sync::Arc;

use nearfield::{Context, Request, Response, Result, Service};
use nearfield_conformance::replay;
use nearfield_grpc::client::Client;

use crate::server::Server;

/// A client and the server that it needs.
struct Both {
    client: Client,
    _server: Server,
}

impl Service for Both {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        self.client.call(context, request)
    }
}

#[test]
fn every_case_is_answered_alike() {
    let folder = tempfile::tempdir().unwrap();
    let mut stores = 0;
    let results = replay(&["files"], || {
        stores += 1;
        let path = folder.path().join(format!("store-{stores}"));
        let store = nearfield::connect(path.to_string_lossy())?;
        let server = Server::start(store.service());
        Ok(Arc::new(Both {
            client: server.client(),
            _server: server,
        }))
    });
    let results = results.unwrap();
    let faults: Vec<String> = results
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case.name, case.fault.as_ref()?)))
        .collect();
    assert!(!results.is_empty());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
