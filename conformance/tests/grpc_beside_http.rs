//! gRPC on the port of HTTP, opened as `grpc://`, answers every case as the embedded door does.

#[path = "common/behind.rs"]
mod behind;
#[path = "common/faults.rs"]
mod faults;
#[path = "common/stores.rs"]
mod stores;

use nearfield_conformance::replay;

use crate::behind::{Wire, behind};
use crate::faults::assert_all_pass;

#[test]
fn before_a_store_in_memory() {
    let open = || behind(stores::in_memory()?, Wire::Grpc);
    assert_all_pass(&replay(&[], open).unwrap());
}

#[test]
fn before_a_store_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = stores::in_files(folder.path());
    let open = || behind(store()?, Wire::Grpc);
    assert_all_pass(&replay(&["files"], open).unwrap());
}
