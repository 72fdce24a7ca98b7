//! The cases say what the model says: the plainest store answers them all.

use std::sync::Arc;

use nearfield_conformance::{Naive, replay};

#[test]
fn the_plainest_store_answers_every_case() {
    let results = replay(&["files"], || Ok(Arc::new(Naive::default()))).unwrap();
    assert!(results.len() > 10);
    for case in results {
        assert_eq!(case.fault, None, "{}", case.name);
    }
}

#[test]
fn every_verb_and_kind_of_error_that_requests_reach_is_in_a_case() {
    let texts: Vec<String> = nearfield_conformance::cases()
        .unwrap()
        .iter()
        .map(|case| format!("{case:?}"))
        .collect();
    let all = texts.join("\n");
    for verb in nearfield_model::Request::VERBS {
        assert!(all.contains(&format!("{{\"{verb}\": ")), "{verb}");
    }
    for kind in [
        "invalid_argument",
        "not_found",
        "already_exists",
        "too_large",
    ] {
        assert!(all.contains(&format!("kind: \"{kind}\"")), "{kind}");
    }
}
