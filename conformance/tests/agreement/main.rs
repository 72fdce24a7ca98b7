//! The engine, embedded and over the network, and the plainest store are sent the same random
//! requests and give the same answers, whatever the sizes, options and interruptions.
//!
//! `NEARFIELD_SEED=7` runs the one sequence of that seed, `NEARFIELD_SEQUENCES=100000` more
//! of them than usual.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::print_stdout, reason = "a failing test tells its seed")]

#[path = "../common/behind.rs"]
mod behind;
mod filters;
mod random;
mod sequence;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::behind::Wire;

/// Runs `run` for each seed below `count`, or for the one that the environment names.
fn for_each_seed(count: u64, run: impl Fn(u64) + Sync) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("NEARFIELD_SEED") {
        return run(seed);
    }
    let count = number("NEARFIELD_SEQUENCES").unwrap_or(count);
    let next = AtomicU64::new(0);
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= count {
            return;
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed)));
        if let Err(panic) = outcome {
            next.store(count, Ordering::Relaxed);
            println!("it failed with NEARFIELD_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| _ = scope.spawn(work));
    });
}

#[test]
fn random_requests_are_answered_as_by_the_plainest_store() {
    for_each_seed(2_000, |seed| sequence::run(seed, None));
    let whole = ["NEARFIELD_SEED", "NEARFIELD_SEQUENCES"]
        .iter()
        .all(|name| std::env::var_os(name).is_none());
    sequence::assert_crossed(whole);
}

#[test]
fn random_requests_over_the_network_are_answered_alike() {
    for wire in [Wire::MessagePack, Wire::Json, Wire::Grpc] {
        for_each_seed(60, |seed| sequence::run(seed, Some(wire)));
    }
}

#[test]
fn the_metadata_index_selects_what_the_filter_matches() {
    for_each_seed(60, filters::run);
}
