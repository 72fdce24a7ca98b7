//! Whatever bytes come in, the door answers or refuses, and holds to what the fuzz target asks.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "../../../fuzz/src/grpc.rs"]
mod grpc;

use grpc::{METHODS, grpc_body};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Messages that are read, each behind its method.
const MESSAGES: [(&str, &[u8]); 6] = [
    ("CreateCollection", b"\x0a\x04docs\x10\x02"),
    ("Get", b"\x0a\x04docs\x12\x0a\x0a\x08\x0a\x06\x01\0\0\0\0\0"),
    (
        "Upsert",
        b"\x0a\x04docs\x12\x0c\x0a\x0a\x0a\x08\x01\0\0\0\0\0\0\0\x1a\x08\0\0\x80\x3f\0\0\0\x40",
    ),
    (
        "Ingest",
        b"\x0a\x04docs\x12\x0c\x0a\x0a\x0a\x08\x01\0\0\0\0\0\0\0\x1a\x08\0\0\x80\x3f\0\0\0\x40",
    ),
    (
        "Search",
        b"\x0a\x04docs\x12\x08\0\0\x80\x3f\0\0\0\x40\x20\x05",
    ),
    ("Count", b"\x0a\x04docs"),
];

/// What `grpc_body` takes: a byte for the method, one for the pieces, then frames.
fn seed(method: &str, message: &[u8], frames: usize) -> Vec<u8> {
    let place = METHODS.iter().position(|known| *known == method);
    let len = u32::try_from(message.len()).unwrap().to_be_bytes();
    let frame = [&[0], &len[..], message].concat();
    [vec![place.unwrap() as u8, 6], frame.repeat(frames)].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        grpc_body(&bytes);
    }

    #[test]
    fn mutated_messages_are_answered(
        which in any::<Index>(),
        frames in 1_usize..4,
        changes in vec((any::<Index>(), any::<u8>()), 0..6),
        cut in any::<Index>(),
    ) {
        let (method, message) = which.get(&MESSAGES);
        let mut bytes = seed(method, message, frames);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 4);
        grpc_body(&bytes);
    }
}

#[test]
fn messages_that_are_whole_are_answered() {
    for (method, message) in MESSAGES {
        grpc_body(&seed(method, message, 1));
    }
}
