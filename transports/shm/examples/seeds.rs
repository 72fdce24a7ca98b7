//! Writes frames for libFuzzer to begin with: `fuzz/corpus/shm_request` and `fuzz/corpus/shm_response`,
//! in the form that `fuzz/src/frames.rs` reads.
#![allow(clippy::unwrap_used, reason = "what is generated is known to be right")]

#[path = "../../grpc/src/convert/arbitrary.rs"]
mod arbitrary;

use std::error::Error;
use std::path::Path;

use nearfield_model::Request;
use nearfield_shm::codec::{
    Gather, Place, Source, decode_response, encode_request, encode_response,
};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;

/// Frames of each kind.
const SEEDS: usize = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let mut runner = TestRunner::deterministic();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let requests = corpus.join("shm_request");
    let responses = corpus.join("shm_response");
    std::fs::create_dir_all(&requests)?;
    std::fs::create_dir_all(&responses)?;
    for seed in 0..SEEDS {
        let mut request = next(arbitrary::request(), &mut runner)?;
        if seed % 4 > 0 {
            keep_rules(&mut request);
        }
        // Every other upsert has its vectors elsewhere.
        let place = Place {
            offset: 4 * (seed as u64 % 7),
            count: 4,
        };
        let mut gather = Gather::default();
        let code = encode_request(&request, (seed % 2 == 1).then_some(place), &mut gather)?;
        let frame = [vec![code, 255], gather.to_vec()].concat();
        std::fs::write(requests.join(format!("seed-{seed}")), frame)?;

        let response = next(arbitrary::response(), &mut runner)?;
        let mut gather = Gather::default();
        encode_response(&response, &mut gather)?;
        let bytes = gather.to_vec();
        let is_its = |code: &u8| {
            let read = decode_response(*code, &mut Source::of(&bytes));
            read.is_ok_and(|read| read == response)
        };
        let code = (0..=u8::MAX).find(is_its).ok_or("it is read as nothing")?;
        let frame = [vec![code, 255], bytes].concat();
        std::fs::write(responses.join(format!("seed-{seed}")), frame)?;
    }
    Ok(())
}

fn next<S: Strategy>(strategy: S, runner: &mut TestRunner) -> Result<S::Value, String> {
    let tree = strategy.new_tree(runner);
    Ok(tree.map_err(|reason| reason.to_string())?.current())
}

/// Leaves what can be anything, and puts the rest right, or few would get past the first check.
fn keep_rules(request: &mut Request<'_>) {
    let name = match request {
        Request::Upsert(upsert) => &mut upsert.collection,
        Request::Search(search) => {
            search.limit = 1 + search.limit % 100;
            search.recall = search.recall.abs().clamp(0.1, 1.0);
            search.probes = search.probes.map(|probes| 1 + probes % 100);
            search.rerank = search.rerank.map(|rerank| 1 + rerank % 100);
            &mut search.collection
        }
        Request::Get(get) => &mut get.collection,
        Request::Delete(delete) => &mut delete.collection,
        Request::UpdateMetadata(update) => &mut update.collection,
        Request::Scan(scan) => {
            scan.limit = 1 + scan.limit % 100;
            &mut scan.collection
        }
        Request::Count(count) => &mut count.collection,
        _ => return,
    };
    "docs".clone_into(name);
}
