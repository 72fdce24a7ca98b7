//! Damaged frames hold to what the fuzz targets ask.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "../../../fuzz/src/frames.rs"]
mod frames;

use nearfield_model::{
    Batch, Delete, Filter, Flush, Get, Ids, Metadata, MetadataColumn, Point, Request, Response,
    Scan, Scanned, Search, Upsert,
};
use nearfield_shm::codec::{Gather, encode_request, encode_response, verb_code};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

fn requests() -> Vec<Vec<u8>> {
    let metadata = MetadataColumn::from_texts(&[r#"{"year": 1961}"#, ""]).unwrap();
    let ids: Ids<'_> = ["a", "67e55044-10b1-426f-9247-bb680e5fe0c8"].into();
    let requests: [Request<'_>; 6] = [
        Upsert::new("docs", Batch::new([1, 2], &[0.5; 8]).metadata(metadata)).into(),
        Get::new("docs", ids).into(),
        Delete::new("docs", Filter::parse("year > 1960").unwrap()).into(),
        Search::new("docs", &[0.5; 4]).probes(3).into(),
        Scan::new("docs").into(),
        Flush::new("docs").into(),
    ];
    let seed = |request: &Request<'_>| {
        let mut gather = Gather::default();
        let code = encode_request(request, None, &mut gather).unwrap();
        [vec![code, 7], gather.to_vec()].concat()
    };
    requests.iter().map(seed).collect()
}

fn responses() -> Vec<Vec<u8>> {
    let point = |id: &str, vector: Option<Vec<f32>>| Point {
        id: id.into(),
        vector,
        metadata: Metadata::parse(r#"{"year": 1961}"#).ok(),
    };
    let scanned = Response::Scan(Scanned {
        points: vec![point("a", Some(vec![0.5; 3])), point("b", None)],
        next: None,
    });
    let mut gather = Gather::default();
    encode_response(&scanned, &mut gather).unwrap();
    vec![[vec![verb_code("scan"), 7], gather.to_vec()].concat()]
}

fn damaged(mut bytes: Vec<u8>, damage: &[(Index, u8)], cut: &Index) -> Vec<u8> {
    for (at, byte) in damage {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes.truncate(cut.index(bytes.len() * 4));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn damaged_requests_are_refused_or_read_as_what_they_are(
        which in any::<Index>(),
        damage in vec((any::<Index>(), any::<u8>()), 0..6),
        cut in any::<Index>(),
    ) {
        let seeds = requests();
        frames::shm_request(&damaged(which.get(&seeds).clone(), &damage, &cut));
    }

    #[test]
    fn damaged_responses_are_refused_or_read(
        which in any::<Index>(),
        damage in vec((any::<Index>(), any::<u8>()), 0..6),
        cut in any::<Index>(),
    ) {
        let seeds = responses();
        frames::shm_response(&damaged(which.get(&seeds).clone(), &damage, &cut));
    }
}
