//! An owner that closes: what is under way is answered, and nobody who stands still keeps it.
//!
//! The guests here that stand still speak the wire by hand, as `docs/wire.md` draws it.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nearfield_model::{Batch, Context, Flush, Get, Request, Service as _, Upsert};
use nearfield_shm::codec::{Gather, encode_request};

use crate::common::{Owner, eventually};

/// What nobody waits for longer.
const SOON: Duration = Duration::from_millis(900);

fn hello() -> Vec<u8> {
    let mut words = vec![0; 17];
    for text in [env!("CARGO_PKG_VERSION"), "stranger"] {
        words.extend_from_slice(&(text.len() as u16).to_le_bytes());
        words.extend_from_slice(text.as_bytes());
    }
    let mut bytes = b"nearfld\0".to_vec();
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&(words.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&words);
    bytes
}

fn frame(request: &Request<'_>) -> Vec<u8> {
    let mut gather = Gather::default();
    let verb = encode_request(request, None, &mut gather).unwrap();
    let body = gather.to_vec();
    let mut frame = vec![0; 64];
    frame[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
    frame[4] = verb;
    frame.extend_from_slice(&body);
    frame
}

/// A guest that was let in.
fn join(owner: &Owner) -> UnixStream {
    let mut stream = UnixStream::connect(&owner.socket).unwrap();
    stream.write_all(&hello()).unwrap();
    let mut head = [0; 16];
    stream.read_exact(&mut head).unwrap();
    let length = u32::from_le_bytes(head[12..].try_into().unwrap());
    let mut words = vec![0; length as usize];
    stream.read_exact(&mut words).unwrap();
    assert_eq!(words[0], 0, "refused");
    stream
}

/// Has the owner keep so many components, which it gives to who asks for a point.
fn keep(owner: &Owner, components: usize) {
    *owner.fake.values.lock().unwrap() = vec![1.0; components];
}

fn assert_closes_soon(owner: Owner, what: &str) {
    let start = Instant::now();
    drop(owner);
    let took = start.elapsed();
    assert!(took < SOON, "{what} kept the owner for {took:?}");
}

#[test]
fn a_guest_that_stops_in_the_middle_of_a_word_keeps_no_owner() {
    let request = frame(&Upsert::new("docs", Batch::new([1], &[1.0; 1_000])).into());
    for (what, said) in [("half a head", 30), ("half a request", 2_000)] {
        let owner = Owner::start();
        let mut guest = join(&owner);
        guest.write_all(&request[..said]).unwrap();
        // So that the owner is at it.
        std::thread::sleep(Duration::from_millis(50));
        assert_closes_soon(owner, what);
    }
    let owner = Owner::start();
    let mut guest = UnixStream::connect(&owner.socket).unwrap();
    guest.write_all(&hello()[..20]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_closes_soon(owner, "half a greeting");
}

#[test]
fn a_request_that_is_still_coming_is_answered() {
    let owner = Owner::start();
    let request = frame(&Upsert::new("docs", Batch::new([1], &[1.0; 100_000])).into());
    let mut guest = join(&owner);
    let (first, rest) = request.split_at(2_000);
    guest.write_all(first).unwrap();
    // So that the owner is at it.
    std::thread::sleep(Duration::from_millis(50));
    let closing = std::thread::spawn(move || drop(owner));
    for piece in rest.chunks(rest.len() / 4) {
        std::thread::sleep(Duration::from_millis(20));
        guest.write_all(piece).unwrap();
    }
    let mut head = [0; 64];
    guest.read_exact(&mut head).unwrap();
    closing.join().unwrap();
}

#[test]
fn who_says_nothing_does_not_keep_the_store_open() {
    let owner = Owner::start();
    let _silent = UnixStream::connect(&owner.socket).unwrap();
    let mut halting = UnixStream::connect(&owner.socket).unwrap();
    halting.write_all(b"near").unwrap();
    // Guests are let in in the order in which they knock.
    drop(join(&owner));
    let start = Instant::now();
    drop(owner.server);
    eventually("nobody holds the service", || {
        std::sync::Arc::strong_count(&owner.fake) == 1
    });
    assert!(start.elapsed() < SOON, "{start:?}");
}

#[test]
fn a_guest_that_takes_no_answer_keeps_no_owner() {
    let owner = Owner::start();
    keep(&owner, 4 << 20);
    let mut guest = join(&owner);
    guest
        .write_all(&frame(&Get::new("docs", 1).into()))
        .unwrap();
    let calls = || owner.fake.calls.load(std::sync::atomic::Ordering::SeqCst);
    eventually("it is asked", || calls() == 1);
    std::thread::sleep(Duration::from_millis(50));
    assert_closes_soon(owner, "an answer");
}

#[test]
fn a_guest_that_takes_its_answer_slowly_gets_all_of_it() {
    let owner = Owner::start();
    keep(&owner, 1 << 20);
    let mut guest = join(&owner);
    guest
        .write_all(&frame(&Get::new("docs", 1).into()))
        .unwrap();
    let mut head = [0; 64];
    guest.read_exact(&mut head).unwrap();
    let closing = std::thread::spawn(move || {
        let start = Instant::now();
        drop(owner);
        start.elapsed()
    });
    let length = u32::from_le_bytes(head[..4].try_into().unwrap());
    assert!(length >= 4 << 20);
    let mut answer = vec![0; length as usize];
    for piece in answer.chunks_mut(128 << 10) {
        std::thread::sleep(Duration::from_millis(50));
        guest.read_exact(piece).unwrap();
    }
    let took = closing.join().unwrap();
    assert!(took > SOON, "it was not waited for: {took:?}");
    assert_eq!(guest.read(&mut head).unwrap(), 0, "it is hung up on");
}

#[test]
fn a_long_call_is_answered_though_another_guest_stands_still() {
    let owner = Owner::start();
    let long = owner.guest(false);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| {
            let sleep = Flush::new("1500");
            long.call(&Context::default(), sleep.into())
        });
        let mut still = join(&owner);
        still.write_all(&[0; 5]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        drop(owner);
        call.join().unwrap().unwrap();
    });
}
