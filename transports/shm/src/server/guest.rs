//! Who the guests are, and what each has asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use nearfield_model::limits::GUEST_REQUEST_BYTES_MAX;
use nearfield_model::{Budget, Request, Share};

use crate::handshake::Hello;
use crate::peer::Peer;

/// A guest as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuestReport {
    /// Its process, if this process sees it.
    pub pid: Option<u32>,
    /// Its user.
    pub uid: u32,
    /// What runs there.
    pub program: String,
    /// Whether it shares memory.
    pub memory: bool,
    /// When it came.
    pub since: SystemTime,
    /// Requests that it sent.
    pub requests: u64,
    /// Vectors that it sent, to be stored or to search with.
    pub vectors: u64,
    /// Bytes of its requests.
    pub bytes: u64,
}

/// A guest, however many connections it has.
#[derive(Debug)]
pub(super) struct Guest {
    key: [u8; 16],
    peer: Peer,
    program: String,
    since: SystemTime,
    memory: std::sync::atomic::AtomicBool,
    requests: AtomicU64,
    vectors: AtomicU64,
    bytes: AtomicU64,
    /// What is held for its calls under way.
    budget: Arc<Budget>,
}

impl Guest {
    /// A share of nothing so far of what may be held for its calls.
    pub(super) fn share(&self) -> Share {
        Share::new(&self.budget)
    }

    /// Counts a request.
    pub(super) fn count(&self, request: &Request<'_>, bytes: u64) {
        let vectors = match request {
            Request::Upsert(upsert) => upsert.batch.len(),
            Request::Search(search) => search.vectors.len(),
            _ => 0,
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.vectors.fetch_add(vectors as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes note that it shares memory.
    pub(super) fn shares_memory(&self) {
        self.memory.store(true, Ordering::Relaxed);
    }

    fn report(&self) -> GuestReport {
        GuestReport {
            pid: self.peer.pid,
            uid: self.peer.uid,
            program: self.program.clone(),
            memory: self.memory.load(Ordering::Relaxed),
            since: self.since,
            requests: self.requests.load(Ordering::Relaxed),
            vectors: self.vectors.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// The guests that are connected.
#[derive(Debug, Default)]
pub(super) struct Guests(Mutex<Vec<Weak<Guest>>>);

impl Guests {
    /// The guest that these words come from; new, unless it has another connection.
    pub(super) fn admit(&self, hello: &Hello, peer: Peer) -> Arc<Guest> {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guests.retain(|guest| guest.strong_count() > 0);
        let same = |guest: &Arc<Guest>| guest.key == hello.guest && guest.peer == peer;
        if let Some(guest) = guests.iter().filter_map(Weak::upgrade).find(same) {
            return guest;
        }
        let guest = Arc::new(Guest {
            key: hello.guest,
            peer,
            program: hello.program.clone(),
            since: SystemTime::now(),
            memory: false.into(),
            requests: AtomicU64::new(0),
            vectors: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            budget: Budget::new(GUEST_REQUEST_BYTES_MAX),
        });
        guests.push(Arc::downgrade(&guest));
        guest
    }

    /// Those that are connected, in the order in which they came.
    pub(super) fn report(&self) -> Vec<GuestReport> {
        let guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = guests.iter().filter_map(Weak::upgrade);
        there.map(|guest| guest.report()).collect()
    }
}
