//! Guests that break every rule: the owner lives, and answers the next guest.
//!
//! The guests here speak the wire by hand, as `docs/wire.md` draws it: what they write stands for
//! any program that gets hold of the socket.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use memmap2::MmapMut;
use nearfield_model::{Batch, Context, Flush, Request, Service as _, Upsert, limits};
use nearfield_shm::codec::{Gather, encode_request};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use crate::common::{Owner, eventually};

const OWNER_BYTES: usize = 8_192 + (32 << 20);
const REGION_BYTES: usize = OWNER_BYTES + limits::GUEST_REQUEST_BYTES_MAX;
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn hello(mode: u8, version: &str) -> Vec<u8> {
    let mut words = vec![mode];
    words.extend_from_slice(&[9; 16]);
    for text in [version, "stranger"] {
        words.extend_from_slice(&(text.len() as u16).to_le_bytes());
        words.extend_from_slice(text.as_bytes());
    }
    let mut bytes = b"nearfld\0".to_vec();
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&(words.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&words);
    bytes
}

fn greeting(mode: u8) -> Vec<u8> {
    hello(mode, env!("CARGO_PKG_VERSION"))
}

fn connect(owner: &Owner) -> UnixStream {
    let stream = UnixStream::connect(&owner.socket).unwrap();
    let timeout = Some(Duration::from_secs(10));
    stream.set_read_timeout(timeout).unwrap();
    stream.set_write_timeout(timeout).unwrap();
    stream
}

/// Takes the owner's answer: whether it let the stranger in.
fn is_welcome(stream: &mut UnixStream) -> bool {
    let mut head = [0; 16];
    if stream.read_exact(&mut head).is_err() {
        return false;
    }
    let length = u32::from_le_bytes(head[12..].try_into().unwrap());
    let mut words = vec![0; length as usize];
    stream.read_exact(&mut words).unwrap();
    words[0] == 0
}

fn memory(size: usize, seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create(c"stranger", flags).unwrap();
    rustix::fs::ftruncate(&memory, size as u64).unwrap();
    rustix::fs::fcntl_add_seals(&memory, seals).unwrap();
    memory
}

fn send_with(stream: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let pieces = [std::io::IoSlice::new(bytes)];
    rustix::net::sendmsg(stream, &pieces, &mut control, SendFlags::NOSIGNAL).unwrap();
}

/// A stranger that was let in, and its memory.
fn join(owner: &Owner) -> (UnixStream, MmapMut) {
    let mut stream = connect(owner);
    let memory = memory(REGION_BYTES, SEALS);
    send_with(&stream, &greeting(1), &[memory.as_fd()]);
    assert!(is_welcome(&mut stream));
    (stream, map(&memory))
}

#[allow(unsafe_code, reason = "the stranger maps memory as it likes")]
fn map(memory: &OwnedFd) -> MmapMut {
    // SAFETY: this process makes no assumptions about what stands in it.
    unsafe { MmapMut::map_mut(memory).unwrap() }
}

/// The frame of a request.
fn frame(verb: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 64];
    frame[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
    frame[4] = verb;
    frame.extend_from_slice(body);
    frame
}

fn encoded(request: &Request<'_>) -> Vec<u8> {
    let mut gather = Gather::default();
    let verb = encode_request(request, None, &mut gather).unwrap();
    frame(verb, &gather.to_vec())
}

fn good_frame() -> Vec<u8> {
    let ids: Vec<u64> = (0..100).collect();
    let values = vec![1.0; 100 * 16];
    encoded(&Upsert::new("docs", Batch::new(&ids, &values)).into())
}

/// Writes a slot's words.
fn describe(memory: &mut MmapMut, slot: usize, offset: u64, length: u32) {
    let words = 1_024 + slot * 128;
    memory[words..words + 8].copy_from_slice(&offset.to_le_bytes());
    memory[words + 8..words + 12].copy_from_slice(&length.to_le_bytes());
}

fn place(memory: &mut MmapMut, offset: usize, bytes: &[u8]) {
    let at = OWNER_BYTES + offset;
    memory[at..at + bytes.len()].copy_from_slice(bytes);
}

fn ring(memory: &mut MmapMut, bits: u32) {
    memory[..4].copy_from_slice(&bits.to_le_bytes());
    // The owner's threads sleep at the word of this memory; they look again when the stranger
    // wakes them.
    wake(memory);
}

#[allow(unsafe_code, reason = "the stranger rings the bell by hand")]
fn wake(memory: &mut MmapMut) {
    // SAFETY: the word is aligned and mapped; both sides only touch it atomically from here on.
    let word = unsafe { std::sync::atomic::AtomicU32::from_ptr(memory.as_mut_ptr().cast()) };
    rustix::thread::futex::wake(word, rustix::thread::futex::Flags::empty(), 8).unwrap();
}

/// Fails unless another guest is answered, both ways.
fn assert_lives(owner: &Owner) {
    for memory in [false, true] {
        let guest = owner.guest(memory);
        let context = Context::with_timeout(Duration::from_secs(20));
        guest.call(&context, Flush::new("0").into()).unwrap();
    }
}

#[test]
fn strange_first_words_are_refused() {
    let owner = Owner::start();
    let mut short = greeting(0);
    short.truncate(30);
    let mut long = greeting(0);
    long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut magic = greeting(0);
    magic[0] ^= 1;
    let mut protocol = greeting(0);
    protocol[8] = 77;
    for words in [
        short,
        long,
        magic,
        protocol,
        hello(7, env!("CARGO_PKG_VERSION")),
        hello(0, "77.0.0"),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        Vec::new(),
    ] {
        let mut stream = connect(&owner);
        stream.write_all(&words).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(!is_welcome(&mut stream), "{words:?}");
    }
    assert_lives(&owner);
}

#[test]
fn memory_that_could_hurt_is_refused() {
    let owner = Owner::start();
    let file = OwnedFd::from(tempfile::tempfile().unwrap());
    rustix::fs::ftruncate(&file, REGION_BYTES as u64).unwrap();
    let (pipe, _other) = rustix::pipe::pipe().unwrap();
    let refused = [
        memory(REGION_BYTES, SealFlags::empty()),
        memory(REGION_BYTES, SealFlags::SHRINK),
        memory(REGION_BYTES, SealFlags::GROW | SealFlags::SEAL),
        memory(REGION_BYTES - 4_096, SEALS),
        memory(REGION_BYTES + 4_096, SEALS),
        memory(0, SEALS),
        file,
        pipe,
    ];
    for memory in refused {
        let mut stream = connect(&owner);
        send_with(&stream, &greeting(1), &[memory.as_fd()]);
        assert!(!is_welcome(&mut stream));
    }
    // None at all, and more than one.
    let one = memory(REGION_BYTES, SEALS);
    for descriptors in [&[][..], &[one.as_fd(), one.as_fd()]] {
        let mut stream = connect(&owner);
        send_with(&stream, &greeting(1), descriptors);
        assert!(!is_welcome(&mut stream));
    }
    assert_lives(&owner);
}

#[test]
fn memory_in_use_cannot_be_shortened() {
    let owner = Owner::start();
    let mut stream = connect(&owner);
    let memory = memory(REGION_BYTES, SEALS);
    send_with(&stream, &greeting(1), &[memory.as_fd()]);
    assert!(is_welcome(&mut stream));
    assert!(rustix::fs::ftruncate(&memory, 0).is_err());
    // Holes are not forbidden; they read as zeros.
    let punched = rustix::fs::fallocate(
        &memory,
        rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE,
        0,
        REGION_BYTES as u64,
    );
    punched.unwrap();
    assert_lives(&owner);
}

#[test]
fn ten_thousand_malformed_frames_over_the_socket() {
    let owner = Owner::start();
    let mut random = Random(7);
    let good = good_frame();
    let mut stream: Option<UnixStream> = None;
    for _ in 0..10_000 {
        let stream_of = |owner: &Owner| {
            let mut stream = connect(owner);
            stream.write_all(&greeting(0)).unwrap();
            assert!(is_welcome(&mut stream));
            stream
        };
        let current = stream.get_or_insert_with(|| stream_of(&owner));
        let bytes = malformed(&good, &mut random);
        let announced = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let complete = announced == bytes.len() - 64;
        let answered = current.write_all(&bytes).is_ok() && complete && answer(current);
        if !answered {
            // Hung up on, or in the middle of a frame that never ends.
            stream = None;
        }
    }
    assert_lives(&owner);
}

/// A frame of which a few bytes are others, or that is cut off or longer.
fn malformed(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    // Mostly the request; sometimes its head.
    let from = if random.next().is_multiple_of(8) {
        0
    } else {
        64
    };
    for _ in 0..1 + random.next() % 4 {
        let reach = (bytes.len() - from).min(80) as u64;
        let at = from + (random.next() % reach) as usize;
        bytes[at] = random.next() as u8;
    }
    if random.next().is_multiple_of(4) {
        let length = 64 + random.next() as usize % (bytes.len() - 64);
        bytes.truncate(length);
        let announced = (length - 64) as u32;
        bytes[..4].copy_from_slice(&announced.to_le_bytes());
    }
    bytes
}

/// Reads an answer; false if none comes.
fn answer(stream: &mut UnixStream) -> bool {
    let mut head = [0; 64];
    if stream.read_exact(&mut head).is_err() {
        return false;
    }
    let length = u32::from_le_bytes(head[..4].try_into().unwrap());
    stream.read_exact(&mut vec![0; length as usize]).is_ok()
}

#[test]
fn ten_thousand_malformed_frames_in_shared_memory() {
    let owner = Owner::start();
    let mut random = Random(11);
    let good = good_frame();
    let (mut stream, mut shared) = join(&owner);
    for _ in 0..10_000 {
        let bytes = malformed(&good, &mut random);
        place(&mut shared, 0, &bytes);
        let before = answers(&shared, 0);
        describe(&mut shared, 0, 0, bytes.len() as u32);
        ring(&mut shared, 1);
        let mut waited = 0;
        while answers(&shared, 0) == before && waited < 2_000 && !is_hung_up(&stream) {
            if waited > 100 {
                std::thread::sleep(Duration::from_millis(1));
            }
            waited += 1;
        }
        if is_hung_up(&stream) {
            (stream, shared) = join(&owner);
        }
    }
    drop((stream, shared));
    assert_lives(&owner);
}

fn answers(memory: &MmapMut, slot: usize) -> u32 {
    let word = 1_024 + slot * 128 + 64;
    // Read anew each time: the owner writes it.
    let bytes = std::hint::black_box(&memory[word..word + 4]);
    u32::from_le_bytes(bytes.try_into().unwrap())
}

fn is_hung_up(stream: &UnixStream) -> bool {
    let peeked = rustix::net::recv(
        stream,
        &mut [0_u8; 1][..],
        rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT,
    );
    !matches!(peeked, Err(rustix::io::Errno::AGAIN))
}

#[test]
fn places_outside_of_the_memory_end_the_connection() {
    let owner = Owner::start();
    let request_bytes = limits::GUEST_REQUEST_BYTES_MAX as u64;
    for (offset, length) in [
        (0, 0),
        (0, 63),
        (0, u32::MAX),
        (u64::MAX, 64),
        (request_bytes, 64),
        (request_bytes - 63, 64),
        (u64::MAX - 63, 64),
    ] {
        let (stream, mut shared) = join(&owner);
        describe(&mut shared, 3, offset, length);
        ring(&mut shared, 1 << 3);
        eventually("the owner hangs up", || is_hung_up(&stream));
    }
    assert_lives(&owner);
}

#[test]
fn a_slot_that_is_handed_over_twice_ends_the_connection() {
    let owner = Owner::start();
    let (stream, mut shared) = join(&owner);
    let slow = encoded(&Flush::new("60000").into());
    place(&mut shared, 0, &slow);
    describe(&mut shared, 0, 0, slow.len() as u32);
    ring(&mut shared, 1);
    eventually("it is taken", || shared[..4] == [0; 4]);
    ring(&mut shared, 1);
    eventually("the owner hangs up", || is_hung_up(&stream));
    assert_lives(&owner);
}

#[test]
fn all_words_at_random_hurt_nobody_else() {
    let owner = Owner::start();
    let mut random = Random(13);
    for _ in 0..300 {
        let (_stream, mut shared) = join(&owner);
        for word in shared[..8_192].as_chunks_mut::<8>().0 {
            *word = random.next().to_le_bytes();
        }
        wake(&mut shared);
        std::thread::sleep(Duration::from_micros(random.next() % 3_000));
    }
    assert_lives(&owner);
}

#[test]
fn a_batch_that_is_rewritten_while_it_is_read_is_read_once() {
    let owner = Owner::start();
    let (stream, mut shared) = join(&owner);
    owner.fake.pause_us.store(100, SeqCst);
    let good = good_frame();
    let other = frame(good[4], &vec![0xff; good.len() - 64]);
    let stop = AtomicBool::new(false);
    let memory = shared.as_mut_ptr().expose_provenance();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The head stays, or the connection would end soon.
            let (kept, values) = (good.len() - 6_400, good.len());
            while !stop.load(SeqCst) {
                rewrite(memory + OWNER_BYTES + kept, &other[kept..values]);
                rewrite(memory + OWNER_BYTES + kept, &good[kept..values]);
            }
        });
        place(&mut shared, 0, &good);
        for _ in 0..1_000 {
            describe(&mut shared, 0, 0, good.len() as u32);
            let before = answers(&shared, 0);
            ring(&mut shared, 1);
            eventually("it is answered", || answers(&shared, 0) != before);
        }
        stop.store(true, SeqCst);
    });
    assert!(!is_hung_up(&stream));
    assert_eq!(owner.fake.calls.load(SeqCst), 1_000);
    assert_eq!(owner.fake.unstable.load(SeqCst), 0);
    assert_lives(&owner);
}

#[test]
fn a_request_whose_lengths_are_rewritten_while_it_is_read_hurts_nobody() {
    let owner = Owner::start();
    let good = good_frame();
    let mut random = Random(17);
    for _ in 0..50 {
        let (stream, mut shared) = join(&owner);
        let stop = AtomicBool::new(false);
        let memory = shared.as_mut_ptr().expose_provenance();
        let (seed, good) = (random.next(), &good);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut random = Random(seed);
                while !stop.load(SeqCst) {
                    let at = random.next() as usize % 90;
                    rewrite(memory + OWNER_BYTES + at, &[random.next() as u8]);
                    rewrite(memory + OWNER_BYTES + at, &good[at..=at]);
                    let word = 1_024 + random.next() as usize % 16;
                    rewrite(memory + word, &[random.next() as u8]);
                }
            });
            place(&mut shared, 0, good);
            for _ in 0..200 {
                describe(&mut shared, 0, 0, good.len() as u32);
                let before = answers(&shared, 0);
                ring(&mut shared, 1);
                eventually("it is answered, or the owner hangs up", || {
                    answers(&shared, 0) != before || is_hung_up(&stream)
                });
                if is_hung_up(&stream) {
                    break;
                }
            }
            stop.store(true, SeqCst);
        });
    }
    assert_eq!(owner.fake.unstable.load(SeqCst), 0);
    assert_lives(&owner);
}

#[allow(unsafe_code, reason = "the stranger writes where the owner reads")]
fn rewrite(to: usize, bytes: &[u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        // SAFETY: within the mapping, which outlives the thread; nobody makes a reference to it.
        unsafe { std::ptr::with_exposed_provenance_mut::<u8>(to + at).write_volatile(*byte) };
    }
}

#[test]
fn a_guest_that_dies_at_any_step_leaves_nothing_behind() {
    let owner = Owner::start();
    let whole = good_frame();
    // Over the socket: after each part of its words and of a frame.
    let words = greeting(0);
    for cut in (0..words.len()).step_by(5) {
        connect(&owner).write_all(&words[..cut]).unwrap();
    }
    for cut in (0..whole.len()).step_by(391) {
        let mut stream = connect(&owner);
        stream.write_all(&words).unwrap();
        assert!(is_welcome(&mut stream));
        stream.write_all(&whole[..cut]).unwrap();
    }
    // In shared memory: before, during and after a call.
    for step in 0..6 {
        let (stream, mut shared) = join(&owner);
        let slow = encoded(&Flush::new("50").into());
        let call: &[u8] = if step < 4 { &slow } else { &whole };
        if step > 0 {
            place(&mut shared, 0, call);
        }
        if step > 1 {
            describe(&mut shared, 0, 0, call.len() as u32);
        }
        if step > 2 {
            ring(&mut shared, 1);
        }
        if step == 5 {
            eventually("it is answered", || answers(&shared, 0) != 0);
        }
        drop((stream, shared));
    }
    eventually("nobody is left", || owner.server.guests().is_empty());
    assert_lives(&owner);
}

#[test]
fn a_guest_that_sends_nothing_or_reads_nothing_delays_nobody() {
    let owner = Owner::start();
    let _silent: Vec<UnixStream> = (0..50).map(|_| connect(&owner)).collect();
    let ids: Vec<u64> = (0..2_000).collect();
    let get = encoded(&nearfield_model::Get::new("docs", &ids).into());
    {
        let guest = owner.guest(false);
        let values = vec![1.0; 10_000];
        let upsert = Upsert::new("docs", Batch::new([1], &values));
        guest.call(&Context::default(), upsert.into()).unwrap();
    }
    let mut deaf = connect(&owner);
    deaf.write_all(&greeting(0)).unwrap();
    assert!(is_welcome(&mut deaf));
    // The answer is 80 MB, and is never read.
    deaf.write_all(&get).unwrap();
    // The same in shared memory: the first piece is never taken.
    let (_stream, mut shared) = join(&owner);
    place(&mut shared, 0, &get);
    describe(&mut shared, 0, 0, get.len() as u32);
    ring(&mut shared, 1);
    assert_lives(&owner);
}

#[test]
fn who_takes_no_piece_of_its_answer_does_not_keep_the_store_open() {
    let owner = Owner::start();
    // More than one piece.
    *owner.fake.values.lock().unwrap() = vec![1.0; 1 << 20];
    let (_stream, mut memory) = join(&owner);
    let get = encoded(&nearfield_model::Get::new("docs", 1).into());
    place(&mut memory, 0, &get);
    describe(&mut memory, 0, 0, get.len() as u32);
    ring(&mut memory, 1);
    eventually("a piece is there", || answers(&memory, 0) != 0);
    let start = std::time::Instant::now();
    drop(owner);
    assert!(start.elapsed() < Duration::from_millis(900), "{start:?}");
}

#[test]
fn descriptors_do_not_pile_up_during_the_first_words() {
    let owner = Owner::start();
    let one = memory(4_096, SEALS);
    let mut stream = connect(&owner);
    let words = greeting(0);
    let (first, rest) = words.split_at(4);
    send_with(&stream, first, &[one.as_fd(); 4]);
    send_with(&stream, rest, &[one.as_fd(); 4]);
    assert!(!is_welcome(&mut stream));
    assert_lives(&owner);
}

#[test]
fn what_a_guest_makes_its_owner_hold_is_bounded() {
    let owner = Owner::start();
    owner.fake.pause_us.store(300_000, SeqCst);
    let (_stream, mut shared) = join(&owner);
    // Eight calls that all point at the same 64 MiB.
    let count = (limits::BATCH_BYTES_MAX / 4) as u64 - 64;
    let mut body = 4_u32.to_le_bytes().to_vec();
    body.extend_from_slice(b"docs\x01\x00\x01\0\0\0\x01\0\0\0\0\0\0\0\0\x01");
    body.extend_from_slice(&0_u64.to_le_bytes());
    body.extend_from_slice(&count.to_le_bytes());
    let verb = nearfield_shm::codec::verb_code("upsert");
    let call = frame(verb, &body);
    for slot in 0..8 {
        place(&mut shared, slot * 256, &call);
        describe(&mut shared, slot, slot as u64 * 256, call.len() as u32);
    }
    ring(&mut shared, 0xff);
    let is_answered = |shared: &MmapMut, slot| answers(shared, slot) & 1 == 1;
    eventually("all are answered", || {
        (0..8).all(|slot| is_answered(&shared, slot))
    });
    let is_error = |slot: usize| shared[8_192 + (slot << 20) + 5] == 1;
    let refused = (0..8).filter(|slot| is_error(*slot)).count();
    assert!((1..=7).contains(&refused), "{refused} of 8 are refused");
    assert_lives(&owner);
}
