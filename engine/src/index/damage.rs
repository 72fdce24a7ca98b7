//! Damaged files of an index: what does not bear its checksum is noticed and made again; what
//! does, as if somebody had forged it, ends no search in a panic and adds no point to it.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use nearfield_model::{Context, Durability, Filter, Id, Search};
use proptest::prelude::*;
use proptest::sample::Index as Place;
use xxhash_rust::xxh3::xxh3_64;

use crate::collection::Collection;
use crate::collection::fixture::{all_found, delete, open, upsert, vector, work};
use crate::io::{Io, SimulatedIo};
use crate::log::record::checksum;
use crate::search::search;

const POINTS: u64 = 160;
const GONE: u64 = 20;

/// A store most of whose points are in an index, closed; each damage is done to a copy.
static STORE: LazyLock<SimulatedIo> = LazyLock::new(|| {
    let io = SimulatedIo::new(1);
    let docs = open(&io);
    for first in (0..POINTS).step_by(40) {
        upsert(&docs, first..first + 40, 0, Durability::Sync);
        work(&docs, false);
    }
    delete(&docs, 0..GONE, Durability::Sync);
    work(&docs, false);
    assert!(u64::from(docs.index.live().covered()) > POINTS / 2);
    docs.close().unwrap();
    drop(docs);
    io.kill().unwrap()
});

/// The files of the store, as they are.
static FILES: LazyLock<[(Kind, PathBuf, Vec<u8>); 3]> = LazyLock::new(|| files(&STORE));

/// The files of the index, one of each kind, and what they hold.
fn files(io: &SimulatedIo) -> [(Kind, PathBuf, Vec<u8>); 3] {
    [Kind::Model, Kind::Segment, Kind::Document].map(|kind| {
        let ending = match kind {
            Kind::Model => ".model",
            Kind::Segment => ".segment",
            Kind::Document => "index.manifest",
        };
        let files = io.files().unwrap();
        let mut paths = files.into_iter().map(|(path, _)| path);
        let path = paths.find(|path| path.to_string_lossy().ends_with(ending));
        let path = path.unwrap();
        let bytes = content(io, &path);
        (kind, path, bytes)
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Model,
    Segment,
    Document,
}

impl Kind {
    /// Gives bytes the checksums that they would have had if they had been written so.
    fn seal(self, bytes: &mut [u8]) {
        match self {
            Kind::Model => {
                if let Some((bytes, sum)) = bytes.split_last_chunk_mut::<8>() {
                    *sum = xxh3_64(bytes).to_le_bytes();
                }
            }
            Kind::Segment => {
                if let Some((header, body)) = bytes.split_at_mut_checked(128) {
                    header[112..120].copy_from_slice(&xxh3_64(body).to_le_bytes());
                    let sum = xxh3_64(&header[..120]);
                    header[120..].copy_from_slice(&sum.to_le_bytes());
                }
            }
            Kind::Document => {
                if let Some((header, body)) = bytes.split_at_mut_checked(32) {
                    header[16..24].copy_from_slice(&(body.len() as u64).to_le_bytes());
                    let sum = checksum(&[&header[..24], body]);
                    header[24..].copy_from_slice(&sum.to_le_bytes());
                }
            }
        }
    }
}

/// What is done to a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Place, u8),
    Overwrite(Place, Vec<u8>),
    Cut(Place),
    /// A number of a document becomes another.
    Number(Place, u64),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    let word = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..40),
        prop_oneof![Just(0_u32), Just(u32::MAX), 0..300_u32]
            .prop_map(|word| word.to_le_bytes().to_vec()),
    ];
    let number = prop_oneof![Just(0), Just(u64::MAX), Just(u32::MAX.into()), 0..200_u64];
    prop_oneof![
        (any::<Place>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any::<Place>(), word).prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        any::<Place>().prop_map(Damage::Cut),
        (any::<Place>(), number).prop_map(|(at, number)| Damage::Number(at, number)),
    ]
}

impl Damage {
    fn inflict(&self, bytes: &mut Vec<u8>) {
        match self {
            Damage::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Damage::Overwrite(at, with) => {
                // On a boundary of four, where numbers begin.
                let at = at.index(bytes.len()) / 4 * 4;
                let room = with.len().min(bytes.len() - at);
                bytes[at..at + room].copy_from_slice(&with[..room]);
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Number(at, number) => {
                let is_digit = |at: &usize| bytes[*at].is_ascii_digit();
                let first = |at: &usize| is_digit(at) && !is_digit(&(at - 1));
                let starts: Vec<usize> = (1..bytes.len()).filter(first).collect();
                if let Some(start) = starts.get(at.index(starts.len().max(1))).copied() {
                    let digits = (start..bytes.len()).take_while(is_digit).count();
                    bytes.splice(start..start + digits, number.to_string().into_bytes());
                }
            }
        }
    }
}

fn content(io: &SimulatedIo, path: &Path) -> Vec<u8> {
    let file = io.open(path).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// The store with other bytes in a file.
fn with_content(io: &SimulatedIo, path: &Path, bytes: &[u8]) -> SimulatedIo {
    let io = io.kill().unwrap();
    io.remove(path).unwrap();
    let file = io.create(path).unwrap();
    file.write_at(0, &[IoSlice::new(bytes)]).unwrap();
    io
}

/// Searches by codes and by lists find only points that there are, with their own scores.
fn assert_no_wrong_hits(docs: &Collection) {
    let query = vector(3, 9);
    for filter in [
        None,
        Some(Filter::eq("eighth", 3)),
        Some(Filter::eq("eighth", 8)),
    ] {
        for (recall, limit) in [(0.9, 5), (0.95, 10_000), (1.0, 40)] {
            let mut request = Search::new("docs", &query[..]).recall(recall).limit(limit);
            request.filter = filter.clone();
            // A forged file may be refused at any time.
            let Ok(found) = search(docs, &Context::default(), &request, 1) else {
                continue;
            };
            for hit in &found.results[0] {
                let Id::U64(id) = hit.id else {
                    panic!("{} was never written", hit.id)
                };
                assert!((GONE..POINTS).contains(&id), "{id} is gone");
                let pairs = query
                    .iter()
                    .zip(vector(id, 0))
                    .map(|(a, b)| (a - b).powi(2));
                let distance = pairs.sum::<f32>().sqrt();
                assert!(
                    (distance - hit.score).abs() < 1e-3,
                    "{id}: {distance} {hit:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_noticed_and_made_good(damage in any_damage()) {
        for (kind, path, before) in &*FILES {
            let mut bytes = before.clone();
            damage.inflict(&mut bytes);
            let docs = open(&with_content(&STORE, path, &bytes));
            prop_assert_eq!(docs.index.lost.is_empty(), bytes == *before, "{:?}", kind);
            let there: Vec<u64> = (GONE..POINTS).collect();
            prop_assert_eq!(&all_found(&docs, None), &there, "{:?}", kind);
            assert_no_wrong_hits(&docs);
            docs.index.note(None);
            work(&docs, true);
            prop_assert_eq!(&all_found(&docs, None), &there, "{:?}", kind);
        }
    }

    #[test]
    fn forged_files_end_no_search_in_a_panic(damages in prop::collection::vec(any_damage(), 1..4)) {
        for (kind, path, bytes) in &*FILES {
            let mut bytes = bytes.clone();
            for damage in &damages {
                if !bytes.is_empty() {
                    damage.inflict(&mut bytes);
                }
            }
            kind.seal(&mut bytes);
            let docs = open(&with_content(&STORE, path, &bytes));
            assert_no_wrong_hits(&docs);
            docs.index.note(None);
            // It may fail, and be tried again; it does not go on for ever.
            for _ in 0..50 {
                let kept = docs.upkeep_some(true, &|| false);
                if !(docs.drain_some(true, &|| false) || kept) {
                    break;
                }
            }
            assert_no_wrong_hits(&docs);
        }
    }
}
