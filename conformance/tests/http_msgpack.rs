//! The HTTP door answers every case in MessagePack as the embedded door does.

#[path = "common/behind.rs"]
mod behind;
#[path = "common/faults.rs"]
mod faults;
#[path = "common/plain.rs"]
mod plain;
#[path = "common/stores.rs"]
mod stores;

use nearfield_conformance::{replay, replay_texts};
use nearfield_http::body::Format;

use crate::behind::{Wire, behind};
use crate::faults::assert_all_pass;
use crate::plain::Plain;

#[test]
fn before_a_store_in_memory() {
    let open = || behind(stores::in_memory()?, Wire::MessagePack);
    assert_all_pass(&replay(&[], open).unwrap());
}

#[test]
fn before_a_store_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = stores::in_files(folder.path());
    let open = || behind(store()?, Wire::MessagePack);
    assert_all_pass(&replay(&["files"], open).unwrap());
}

#[test]
fn told_by_the_server_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = stores::in_files(folder.path());
    let results = replay_texts(&["files"], || {
        let plain = Plain::new(store()?, Format::MessagePack)?;
        Ok(move |context: &nearfield::Context, text: &str| plain.call(context, text))
    });
    assert_all_pass(&results.unwrap());
}
