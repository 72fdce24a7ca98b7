//! The embedded door answers every case, in memory and in files.

#[path = "common/faults.rs"]
mod faults;
#[path = "common/stores.rs"]
mod stores;

use nearfield_conformance::replay;

use crate::faults::assert_all_pass;

#[test]
fn in_memory() {
    assert_all_pass(&replay(&[], stores::in_memory).unwrap());
}

#[test]
fn in_files() {
    let folder = tempfile::tempdir().unwrap();
    let results = replay(&["files"], stores::in_files(folder.path()));
    assert_all_pass(&results.unwrap());
}
