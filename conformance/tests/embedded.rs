//! The embedded door answers every case, in memory and in files.

use std::sync::Arc;

use nearfield::{Result, Service};
use nearfield_conformance::{CaseResult, replay};

fn assert_all_pass(results: &[CaseResult]) {
    let faults: Vec<String> = results
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case.name, case.fault.as_ref()?)))
        .collect();
    assert!(!results.is_empty());
    assert!(
        faults.is_empty(),
        "{} of {} cases fail:\n{}",
        faults.len(),
        results.len(),
        faults.join("\n")
    );
}

fn open(target: &str) -> Result<Arc<dyn Service>> {
    Ok(nearfield::Builder::new(target).open()?.service())
}

#[test]
fn in_memory() {
    assert_all_pass(&replay(&[], || open(":memory:")).unwrap());
}

#[test]
fn in_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut stores = 0;
    let results = replay(&["files"], || {
        stores += 1;
        open(
            &folder
                .path()
                .join(format!("store-{stores}"))
                .to_string_lossy(),
        )
    });
    assert_all_pass(&results.unwrap());
}
