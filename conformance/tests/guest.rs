//! A path that another process owns answers every case as one that this process owns, and so do
//! the doors that insist on an owner.

#[path = "common/faults.rs"]
mod faults;
#[path = "common/joined.rs"]
mod joined;
#[path = "../../client/tests/common/process.rs"]
mod process;

use std::sync::Mutex;

use nearfield_conformance::replay;

use crate::faults::assert_all_pass;
use crate::joined::join;
use crate::process::Process;

/// Not a test of its own: the other process, which opens the path that it is told.
#[test]
fn child() {
    process::run(|_, _| {
        let _owner = nearfield::connect(process::wait()).unwrap();
        process::say("open");
        process::wait();
    });
}

#[test]
fn a_path_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut stores = 0;
    let results = replay(&["files"], || {
        stores += 1;
        let store = folder.path().join(format!("store-{stores}"));
        let mut owner = Process::start(folder.path(), "own");
        owner.tell(&store.to_string_lossy());
        owner.expect("open");
        join(&store.to_string_lossy(), Mutex::new(owner))
    });
    assert_all_pass(&results.unwrap());
}

#[test]
fn a_path_of_this_process_by_its_doors_for_guests() {
    let folder = tempfile::tempdir().unwrap();
    for scheme in ["shm", "unix"] {
        let mut stores = 0;
        let results = replay(&["files"], || {
            stores += 1;
            let store = folder.path().join(format!("{scheme}-{stores}"));
            let owner = nearfield::connect(store.to_string_lossy())?;
            join(&format!("{scheme}:{}", store.display()), owner)
        });
        assert_all_pass(&results.unwrap());
    }
}
