//! Guests and owners in processes of their own, which are killed, stopped and forked.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![allow(
    unsafe_code,
    reason = "processes are forked and signalled by the C library"
)]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nearfield_model::{Context, ErrorKind, Flush, Request, Service as _};
use nearfield_shm::client::Client;
use nearfield_shm::server::{self, Server};

use crate::common::{Fake, Owner, eventually, settings};

const MODES: [bool; 2] = [false, true];

fn sleep(milliseconds: u64) -> Request<'static> {
    Flush::new(milliseconds.to_string()).into()
}

/// This test program, run again in a role; it says a line when it is ready.
fn spawn(role: &str, socket: &Path, memory: bool) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_role", "--ignored", "--nocapture"])
        .env("ROLE", role)
        .env("SOCKET", socket)
        .env("MEMORY", if memory { "1" } else { "" })
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let ready = out
        .lines()
        .map_while(Result::ok)
        .any(|line| line.ends_with("ready"));
    assert!(ready, "the {role} does not start");
    child
}

fn tell_ready() {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready").unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "the other tests run it in processes of their own"]
fn in_a_role() {
    let socket = PathBuf::from(std::env::var_os("SOCKET").unwrap());
    let memory = !std::env::var("MEMORY").unwrap().is_empty();
    match &*std::env::var("ROLE").unwrap() {
        "owner" => {
            let service = Arc::new(Fake::default());
            let _server = Server::start(&socket, service, server::Settings::default()).unwrap();
            tell_ready();
            std::thread::sleep(Duration::from_secs(60));
        }
        "guest" => {
            let guest = Client::connect(&socket, settings(memory)).unwrap();
            tell_ready();
            loop {
                guest.call(&Context::default(), sleep(1)).unwrap();
            }
        }
        // A child that is forked while calls are under way goes on when its parent is killed.
        "forking guest" => {
            let guest = Client::connect(&socket, settings(memory)).unwrap();
            guest.call(&Context::default(), sleep(0)).unwrap();
            let reserved = guest.reserve(1_000).unwrap();
            // SAFETY: the child does nothing but what is looked at here.
            if unsafe { libc::fork() } == 0 {
                let error = guest.call(&Context::default(), sleep(0)).unwrap_err();
                let is_told = error.kind() == ErrorKind::Unavailable && !guest.is_alive();
                let is_gone = !memory || reserved.values().is_empty();
                drop((reserved, guest));
                if is_told && is_gone {
                    tell_ready();
                }
                std::thread::sleep(Duration::from_secs(4));
                // SAFETY: ends the child without what belongs to its parent.
                unsafe { libc::_exit(0) };
            }
            loop {
                guest.call(&Context::default(), sleep(1)).unwrap();
            }
        }
        "forking owner" => {
            let service = Arc::new(Fake::default());
            let server = Server::start(&socket, service, server::Settings::default()).unwrap();
            // A guest is there before the fork, so that the child inherits its connection.
            let guest = Client::connect(&socket, settings(memory)).unwrap();
            guest.call(&Context::default(), sleep(0)).unwrap();
            // SAFETY: as above.
            if unsafe { libc::fork() } == 0 {
                drop(server);
                if socket.exists() {
                    tell_ready();
                }
                std::thread::sleep(Duration::from_secs(4));
                // SAFETY: as above.
                unsafe { libc::_exit(0) };
            }
            std::thread::sleep(Duration::from_secs(60));
        }
        "guest that may make no large file" => {
            limit(libc::RLIMIT_FSIZE, 1 << 20);
            let guest = Client::connect(&socket, settings(memory)).unwrap();
            guest.call(&Context::default(), sleep(0)).unwrap();
            tell_ready();
            std::thread::sleep(Duration::from_secs(60));
        }
        "guest with little room" => {
            limit(libc::RLIMIT_AS, address_space() + (100 << 20));
            let guest = Client::connect(&socket, settings(memory)).unwrap();
            guest.call(&Context::default(), sleep(0)).unwrap();
            tell_ready();
            std::thread::sleep(Duration::from_secs(60));
        }
        "owner with little room" => {
            let service = Arc::new(Fake::default());
            let _server = Server::start(&socket, service, server::Settings::default()).unwrap();
            limit(libc::RLIMIT_AS, address_space() + (100 << 20));
            tell_ready();
            std::thread::sleep(Duration::from_secs(60));
        }
        role => panic!("{role} is no role"),
    }
}

/// Limits this process.
fn limit(resource: libc::__rlimit_resource_t, most: u64) {
    let most = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: reads the limits, which live until it returns.
    assert_eq!(unsafe { libc::setrlimit(resource, &most) }, 0);
}

/// Bytes that this process has mapped.
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    pages * 4_096
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: the process is a child that was not waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
    let stat = format!("/proc/{}/stat", child.id());
    let is_stopped = || std::fs::read_to_string(&stat).unwrap().contains(") T ");
    eventually("the signal arrives", || {
        is_stopped() == (signal == libc::SIGSTOP)
    });
}

#[test]
fn without_memory_to_share_all_goes_over_the_socket() {
    let owner = Owner::start();
    for role in [
        "guest that may make no large file",
        "guest with little room",
    ] {
        kill(spawn(role, &owner.socket, true));
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let owner = spawn("owner with little room", &socket, true);
    let guest = Client::connect(&socket, settings(true)).unwrap();
    guest.call(&Context::default(), sleep(0)).unwrap();
    kill(owner);
}

#[test]
fn a_killed_guest_is_noticed_at_once_whatever_it_did() {
    for memory in MODES {
        let owner = Owner::start();
        for round in 0..10 {
            let guest = spawn("guest", &owner.socket, memory);
            assert_eq!(owner.server.guests().len(), 1);
            std::thread::sleep(Duration::from_millis(round));
            kill(guest);
            let start = Instant::now();
            eventually("it is noticed", || owner.server.guests().is_empty());
            assert!(start.elapsed() < Duration::from_secs(1));
        }
        let context = Context::with_timeout(Duration::from_secs(10));
        owner.guest(memory).call(&context, sleep(0)).unwrap();
    }
}

#[test]
fn a_killed_owner_wakes_all_who_wait_for_it() {
    for memory in MODES {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        for _ in 0..5 {
            // The socket that the one before left is replaced.
            let owner = spawn("owner", &socket, memory);
            let guest = Client::connect(&socket, settings(memory)).unwrap();
            assert_eq!(guest.owner_pid(), Some(owner.id()));
            std::thread::scope(|scope| {
                let waiting: Vec<_> = (0..3)
                    .map(|_| scope.spawn(|| guest.call(&Context::default(), sleep(30_000))))
                    .collect();
                std::thread::sleep(Duration::from_millis(30));
                kill(owner);
                let start = Instant::now();
                for waiter in waiting {
                    let error = waiter.join().unwrap().unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                }
                assert!(start.elapsed() < Duration::from_millis(500));
            });
            assert!(!guest.is_alive());
        }
    }
}

#[test]
fn a_stopped_owner_is_waited_for_until_the_deadline() {
    for memory in MODES {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let owner = spawn("owner", &socket, memory);
        let guest = Client::connect(&socket, settings(memory)).unwrap();
        guest.call(&Context::default(), sleep(0)).unwrap();
        signal(&owner, libc::SIGSTOP);
        let context = Context::with_timeout(Duration::from_millis(200));
        let error = guest.call(&context, sleep(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
        assert!(guest.is_alive());
        std::thread::scope(|scope| {
            let call = scope.spawn(|| guest.call(&Context::default(), sleep(0)));
            std::thread::sleep(Duration::from_millis(100));
            signal(&owner, libc::SIGCONT);
            call.join().unwrap().unwrap();
        });
        kill(owner);
    }
}

#[test]
fn a_stopped_guest_delays_nobody() {
    for memory in MODES {
        let owner = Owner::start();
        let stopped = spawn("guest", &owner.socket, memory);
        signal(&stopped, libc::SIGSTOP);
        let guest = owner.guest(memory);
        let context = Context::with_timeout(Duration::from_secs(5));
        for _ in 0..100 {
            guest.call(&context, sleep(0)).unwrap();
        }
        assert_eq!(owner.server.guests().len(), 2);
        kill(stopped);
        eventually("it is noticed", || owner.server.guests().len() == 1);
    }
}

#[test]
fn a_forked_child_does_not_hide_a_dead_guest() {
    for memory in MODES {
        let owner = Owner::start();
        let guest = spawn("forking guest", &owner.socket, memory);
        kill(guest);
        let start = Instant::now();
        eventually("it is noticed", || owner.server.guests().is_empty());
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn a_forked_child_does_not_hide_a_dead_owner() {
    for memory in MODES {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let owner = spawn("forking owner", &socket, memory);
        let guest = Client::connect(&socket, settings(memory)).unwrap();
        guest.call(&Context::default(), sleep(0)).unwrap();
        kill(owner);
        eventually("it is noticed", || !guest.is_alive());
        // Nobody listens on any more either.
        let error = Client::connect(&socket, settings(memory)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn doors_at_rest_use_no_time() {
    let owner = Owner::start();
    let guests: Vec<Client> = (0..8).map(|number| owner.guest(number % 2 == 0)).collect();
    for guest in &guests {
        for _ in 0..50 {
            guest.call(&Context::default(), sleep(0)).unwrap();
        }
    }
    // Whatever still looks out goes to sleep.
    std::thread::sleep(Duration::from_millis(50));
    let before = cpu_time();
    std::thread::sleep(Duration::from_millis(1_000));
    let used = cpu_time() - before;
    assert!(used < Duration::from_millis(10), "{used:?} of a second");
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
