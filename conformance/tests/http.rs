//! The HTTP door answers every case as the embedded door does, in each of its formats.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

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

fn before_a_store_in_memory(wire: Wire) {
    let open = || behind(stores::in_memory()?, wire);
    assert_all_pass(&replay(&[], open).unwrap());
}

fn before_a_store_in_files(wire: Wire) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = stores::in_files(folder.path());
    let open = || behind(store()?, wire);
    assert_all_pass(&replay(&["files"], open).unwrap());
}

fn told_by_the_server_alone(format: Format) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = stores::in_files(folder.path());
    let results = replay_texts(&["files"], || {
        let plain = Plain::new(store()?, format)?;
        Ok(move |context: &nearfield::Context, text: &str| plain.call(context, text))
    });
    assert_all_pass(&results.unwrap());
}

/// The tests of one format.
macro_rules! in_format {
    ($name:ident) => {
        #[allow(non_snake_case, reason = "a module is named as the format is")]
        mod $name {
            use super::{Format, Wire};

            #[test]
            fn before_a_store_in_memory() {
                super::before_a_store_in_memory(Wire::$name);
            }

            #[test]
            fn before_a_store_in_files() {
                super::before_a_store_in_files(Wire::$name);
            }

            #[test]
            fn told_by_the_server_alone() {
                super::told_by_the_server_alone(Format::$name);
            }
        }
    };
}

in_format!(Json);
in_format!(MessagePack);
