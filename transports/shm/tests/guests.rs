//! What guests may rely on, over the socket and through shared memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nearfield_model::{
    Batch, Compact, Context, Count, ErrorKind, Flush, Get, Request, RequestId, Response, Service,
    Upsert,
};

use nearfield_shm::client::Client;
use nearfield_shm::look;

use crate::common::{Owner, eventually, settings};

const MODES: [bool; 2] = [false, true];

fn sleep(milliseconds: u64) -> Request<'static> {
    Flush::new(milliseconds.to_string()).into()
}

fn upsert<'a>(ids: &'a [u64], values: &'a [f32]) -> Request<'a> {
    Upsert::new("docs", Batch::new(ids, values)).into()
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|number| number as f32).collect()
}

#[test]
fn batches_arrive_bit_for_bit_with_their_request_id() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        for rows in [1_usize, 1_000, 60_000] {
            let ids: Vec<u64> = (0..rows as u64).collect();
            let values = numbers(rows * 128);
            let context = Context {
                request_id: Some(RequestId {
                    client: [1; 16],
                    number: rows as u64,
                }),
                ..Context::default()
            };
            let answer = guest.call(&context, upsert(&ids, &values)).unwrap();
            let Response::Upsert(answer) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(
                (answer.upserted, answer.sequence),
                (rows as u64, rows as u64)
            );
            assert!(*owner.fake.values.lock().unwrap() == values);
        }
    }
}

#[test]
fn reserved_memory_is_zero_and_sent_in_place() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        for _ in 0..3 {
            let mut reserved = guest.reserve(1_000 * 128).unwrap();
            assert!(reserved.values().iter().all(|value| *value == 0.0));
            reserved.values_mut().copy_from_slice(&numbers(1_000 * 128));
            let ids: Vec<u64> = (0..500).collect();
            let half = &reserved.values()[..500 * 128];
            guest.call(&Context::default(), upsert(&ids, half)).unwrap();
            assert!(*owner.fake.values.lock().unwrap() == half);
        }
        let bytes = owner.server.guests()[0].bytes;
        assert_eq!(bytes < 100_000, memory, "{bytes} bytes were sent");
    }
}

#[test]
fn reserved_memory_outlives_its_client() {
    let owner = Owner::start();
    let guest = owner.guest(true);
    let mut reserved = guest.reserve(1_000).unwrap();
    drop(guest);
    drop(owner);
    reserved.values_mut()[999] = 7.0;
    assert_eq!(reserved.values()[999], 7.0);
}

#[test]
fn dropped_reservations_are_given_back() {
    let owner = Owner::start();
    let guest = owner.guest(true);
    let components = (64 << 20) / 4;
    for _ in 0..10 {
        drop(guest.reserve(components).unwrap());
    }
    let _held = guest.reserve(components).unwrap();
    let _also = guest.reserve(components / 4).unwrap();
    let error = guest.reserve(components).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    let too_large = guest.reserve(components + 1).err().unwrap();
    assert_eq!(too_large.kind(), ErrorKind::TooLarge);
}

#[test]
fn long_responses_come_piece_by_piece() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        let values = numbers(300_000);
        guest
            .call(&Context::default(), upsert(&[1], &values[..60_000]))
            .unwrap();
        let ids: Vec<u64> = (0..40).collect();
        let answer = guest.call(&Context::default(), Get::new("docs", &ids).into());
        let Response::Get(got) = answer.unwrap() else {
            panic!("another verb")
        };
        assert_eq!(got.points.len(), 40);
        for point in got.points {
            assert_eq!(point.unwrap().vector.unwrap(), &values[..60_000]);
        }
    }
}

#[test]
fn errors_and_panics_come_back_and_the_next_call_works() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        let refused = guest.call(&Context::default(), upsert(&[1, 2], &[1.0, 2.0, 3.0]));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument);
        let panicked = guest.call(&Context::default(), Compact::new("docs").into());
        assert_eq!(panicked.unwrap_err().kind(), ErrorKind::Internal);
        guest.call(&Context::default(), sleep(0)).unwrap();
    }
}

#[test]
fn many_calls_are_under_way_at_once() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        guest.call(&Context::default(), sleep(0)).unwrap();
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| guest.call(&Context::default(), sleep(200)).unwrap());
            }
        });
        assert!(start.elapsed() < Duration::from_millis(1_000));
    }
}

#[test]
fn more_calls_than_slots_take_turns() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| guest.call(&Context::default(), sleep(5)).unwrap());
            }
        });
        assert!(guest.is_alive());
    }
}

#[test]
fn a_stuck_call_delays_nobody_else() {
    for memory in MODES {
        let owner = Owner::start();
        let (stuck, other) = (owner.guest(memory), owner.guest(memory));
        std::thread::scope(|scope| {
            scope.spawn(|| stuck.call(&Context::default(), sleep(800)).unwrap());
            std::thread::sleep(Duration::from_millis(50));
            let start = Instant::now();
            for _ in 0..20 {
                other.call(&Context::default(), sleep(0)).unwrap();
                stuck.call(&Context::default(), sleep(0)).unwrap();
            }
            assert!(start.elapsed() < Duration::from_millis(400));
        });
    }
}

#[test]
fn a_passed_deadline_ends_the_wait_and_gives_everything_back() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        for _ in 0..40 {
            let start = Instant::now();
            let context = Context::with_timeout(Duration::from_millis(5));
            let error = guest.call(&context, sleep(60_000)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
            assert!(start.elapsed() < Duration::from_secs(2));
        }
        guest.call(&Context::default(), sleep(0)).unwrap();
    }
}

#[test]
fn a_cancelled_call_ends_on_both_sides() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        let cancellation = nearfield_model::Cancellation::default();
        let context = Context {
            cancellation: Some(cancellation.clone()),
            ..Context::default()
        };
        std::thread::scope(|scope| {
            let call = scope.spawn(|| guest.call(&context, sleep(20_000)));
            std::thread::sleep(Duration::from_millis(50));
            cancellation.cancel();
            let error = call.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cancelled);
        });
        let start = Instant::now();
        drop(guest);
        drop(owner);
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "the owner goes on"
        );
    }
}

#[test]
fn an_owner_that_goes_wakes_everybody_who_waits() {
    for memory in MODES {
        let mut given_up = nearfield_shm::server::Settings::default();
        given_up.drain_timeout = Duration::from_millis(20);
        let owner = Owner::with(given_up);
        let guest = Arc::new(owner.guest(memory));
        assert!(guest.is_alive());
        assert_eq!(guest.owner_pid(), Some(std::process::id()));
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let guest = Arc::clone(&guest);
                std::thread::spawn(move || guest.call(&Context::default(), sleep(2_000)))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(50));
        let start = Instant::now();
        drop(owner);
        for waiter in waiting {
            let kind = waiter.join().unwrap().unwrap_err().kind();
            // Those whose answer was ready tell that the owner abandoned them.
            assert!(
                matches!(kind, ErrorKind::Unavailable | ErrorKind::Cancelled),
                "{kind}"
            );
        }
        assert!(start.elapsed() < Duration::from_millis(1_900));
        eventually("the guest knows", || !guest.is_alive());
        let error = guest.call(&Context::default(), sleep(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn calls_under_way_are_answered_when_the_owner_closes() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = owner.guest(memory);
        std::thread::scope(|scope| {
            let call = scope.spawn(|| guest.call(&Context::default(), sleep(300)));
            std::thread::sleep(Duration::from_millis(50));
            let socket = owner.socket.clone();
            drop(owner);
            call.join().unwrap().unwrap();
            assert!(!socket.exists());
        });
    }
}

#[test]
fn the_owner_tells_who_its_guests_are() {
    let owner = Owner::start();
    assert!(owner.server.guests().is_empty());
    let (one, two) = (owner.guest(true), owner.guest(false));
    let values = numbers(128 * 10);
    let ids: Vec<u64> = (0..10).collect();
    one.call(&Context::default(), upsert(&ids, &values))
        .unwrap();
    two.call(&Context::default(), Count::new("docs").into())
        .unwrap();
    let guests = owner.server.guests();
    assert_eq!(guests.len(), 2);
    assert_eq!(guests[0].pid, Some(std::process::id()));
    assert_eq!(guests[0].program, "test");
    assert!(guests[0].memory && !guests[1].memory);
    assert_eq!((guests[0].requests, guests[0].vectors), (1, 10));
    assert_eq!((guests[1].requests, guests[1].vectors), (1, 0));
    drop((one, two));
    eventually("they are gone", || owner.server.guests().is_empty());
}

#[test]
fn nobody_at_the_socket_is_unavailable() {
    let owner = Owner::start();
    let socket = owner.socket.clone();
    drop(owner);
    for memory in MODES {
        let error = nearfield_shm::client::Client::connect(&socket, settings(memory)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn an_owner_that_takes_no_connections_is_waited_for_until_the_deadline() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 0).unwrap();
    // No room for another one.
    let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let timeout = Duration::from_millis(300);
    let (told, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for memory in MODES {
            let mut settings = settings(memory);
            settings.connect_timeout = timeout;
            told.send(Client::connect(&path, settings).unwrap_err())
                .unwrap();
        }
        told.send(look::guests(&path, timeout).unwrap_err())
            .unwrap();
    });
    for _ in 0..3 {
        let start = Instant::now();
        let error = said.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("kill -CONT"), "{error}");
        assert!(start.elapsed() < 4 * timeout, "{start:?}");
    }
}
