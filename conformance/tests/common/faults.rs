//! What a replay has to come to.

use nearfield_conformance::CaseResult;

/// Fails with the faults of all cases that were not answered as expected.
pub(crate) fn assert_all_pass(results: &[CaseResult]) {
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
