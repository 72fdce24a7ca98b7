//! Calls through shared memory.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nearfield_model::limits::{GUEST_REQUEST_BYTES_MAX, GUEST_RESERVED_BYTES_MAX};
use nearfield_model::{
    Context, Error, ErrorKind, Request, Reserved, Response, Result, Stage, check_reserved,
};

use super::answer::receive;
use super::patience::Patience;
use super::pieces::Pieces;
use super::watch::State;
use crate::allocator::{Allocator, Part};
use crate::codec::{Gather, Place, Source, encode_request};
use crate::frame::{REQUEST_HEAD_BYTES, RequestHead};
use crate::layout::{REQUESTS, SLOTS, Slot};
use crate::region::{Piece, Region};
use crate::ring::{Words as _, abandon, is_last, submit};
use crate::time::{between, now_ns};

/// How long one sleeps before looking again for what abandoned calls gave back.
const TICK: Duration = Duration::from_millis(20);
/// From this length on the pages of a part are given back to the system after use.
const LARGE_BYTES: usize = 8 << 20;
/// Bytes of a buffer that are kept for later calls, at most.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// The memory that is shared with one owner.
pub(super) struct Memory {
    region: Arc<Region>,
    allocator: Arc<Allocator>,
    seats: Mutex<Seats>,
    seat_given_back: Condvar,
    reserved: Arc<AtomicUsize>,
    state: Arc<State>,
}

/// What a call needs besides its request: a slot, and what reads from it.
struct Seat {
    slot: Slot,
    source: Source<Pieces>,
    buffer: Vec<u8>,
}

struct Seats {
    free: Vec<Seat>,
    /// Calls that nobody waits for any more, and that the owner may still be at.
    abandoned: Vec<(Seat, Part)>,
    /// Threads that wait for a seat: without any, nobody is told, which costs a system call.
    waiting: usize,
}

impl Memory {
    /// Makes memory to share, and tells what to send to the owner.
    pub(super) fn make(state: Arc<State>) -> Result<(Memory, OwnedFd)> {
        let (region, descriptor) = Region::make().map_err(|error| {
            let what = format!("no memory to share with the owner of the store: {error}");
            Error::new(ErrorKind::OutOfMemory, what)
        })?;
        let region = Arc::new(region);
        // The lowest is taken first, so that few pages are ever touched.
        let seats = (0..SLOTS as u32).rev().map(|number| {
            let slot = Slot(number);
            Seat {
                slot,
                source: Source::new(Pieces::new(Arc::clone(&region), Arc::clone(&state), slot)),
                buffer: Vec::new(),
            }
        });
        let memory = Memory {
            seats: Mutex::new(Seats {
                free: seats.collect(),
                abandoned: Vec::new(),
                waiting: 0,
            }),
            seat_given_back: Condvar::new(),
            region,
            allocator: Arc::new(Allocator::new(GUEST_REQUEST_BYTES_MAX)),
            reserved: Arc::default(),
            state,
        };
        Ok((memory, descriptor))
    }

    /// Calls; the outer error is that the owner, or the caller's patience, is gone.
    pub(super) fn call(
        &self,
        context: &Context,
        request: &Request<'_>,
        call: u64,
        patience: &Patience,
    ) -> io::Result<Result<Response>> {
        let mut seat = self.take_seat(patience)?;
        let handed = self.hand_over(&mut seat, context, request, call, patience);
        let (part, verb, sent_ns) = match handed {
            Ok(Ok(handed)) => handed,
            Ok(Err(error)) => {
                self.put(seat);
                return Ok(Err(error));
            }
            Err(lost) => {
                self.put(seat);
                return Err(lost);
            }
        };
        let answered = receive(&mut seat.source, context, call, verb, sent_ns);
        if seat.source.raw().is_complete() {
            self.give_back(part);
            self.put(seat);
        } else {
            abandon(&*self.region, seat.slot);
            self.lock().abandoned.push((seat, part));
            self.state.cancel(call);
        }
        answered
    }

    /// Writes the request and rings the owner's bell.
    fn hand_over(
        &self,
        seat: &mut Seat,
        context: &Context,
        request: &Request<'_>,
        call: u64,
        patience: &Patience,
    ) -> io::Result<Result<(Part, u8, u64)>> {
        let start = now_ns();
        let mut gather = Gather::new(std::mem::take(&mut seat.buffer));
        gather.put(&[0; REQUEST_HEAD_BYTES]);
        let verb = match encode_request(request, self.place_of(request), &mut gather) {
            Ok(verb) => verb,
            Err(error) => return Ok(Err(error)),
        };
        let Ok(length) = u32::try_from(gather.len() - REQUEST_HEAD_BYTES) else {
            return Ok(Err(Error::too_large("the request is over 4 GiB")));
        };
        if gather.len() > GUEST_REQUEST_BYTES_MAX {
            return Ok(Err(Error::too_large("the request is more than is shared")));
        }
        let encoded = now_ns();
        let part = self.take_part(gather.len(), patience)?;
        let mut at = REQUESTS + part.at + REQUEST_HEAD_BYTES;
        let mut to_skip = REQUEST_HEAD_BYTES;
        for piece in gather.pieces() {
            let piece = piece.get(to_skip..).unwrap_or(&[]);
            to_skip = 0;
            self.region.write(at, piece);
            at += piece.len();
        }
        let sent_ns = now_ns();
        context
            .stages
            .add(Stage::ClientEncode, between(start, encoded));
        context.stages.add(Stage::Copy, between(encoded, sent_ns));
        let head = RequestHead {
            length,
            verb,
            call,
            timeout: patience.left(),
            id: context.request_id,
            sent_ns,
        };
        self.region.write(REQUESTS + part.at, &head.encode());
        let slot = seat.slot;
        self.region.set_number(slot.offset(), part.at as u64);
        self.region
            .store(slot.length(), length + REQUEST_HEAD_BYTES as u32);
        seat.source.clear();
        seat.source.raw().begin(patience);
        let buffer = gather.into_buffer();
        if buffer.capacity() <= KEPT_BYTES_MAX {
            seat.buffer = buffer;
        }
        submit(&*self.region, slot);
        Ok(Ok((part, verb, sent_ns)))
    }

    /// Where the components of an upsert lie, if they lie in this memory already.
    fn place_of(&self, request: &Request<'_>) -> Option<Place> {
        let Request::Upsert(upsert) = request else {
            return None;
        };
        let values = &*upsert.batch.values;
        let at = self.region.place_of(values)?.checked_sub(REQUESTS)?;
        Some(Place {
            offset: at as u64,
            count: values.len() as u64,
        })
    }

    /// Takes a slot; waits for one.
    fn take_seat(&self, patience: &Patience) -> io::Result<Seat> {
        let mut seats = self.lock();
        loop {
            self.sweep(&mut seats);
            if let Some(seat) = seats.free.pop() {
                return Ok(seat);
            }
            self.check(patience)?;
            let tick = TICK.min(patience.tick());
            seats.waiting += 1;
            let waited = self.seat_given_back.wait_timeout(seats, tick);
            seats = waited.unwrap_or_else(PoisonError::into_inner).0;
            seats.waiting -= 1;
        }
    }

    /// Takes a part for a request; waits for one.
    fn take_part(&self, length: usize, patience: &Patience) -> io::Result<Part> {
        if let Some(part) = self.allocator.take(length) {
            return Ok(part);
        }
        loop {
            self.sweep(&mut self.lock());
            let tick = TICK.min(patience.tick());
            if let Some(part) = self.allocator.take_within(length, tick) {
                return Ok(part);
            }
            self.check(patience)?;
        }
    }

    /// Takes back what belongs to abandoned calls that the owner is done with.
    fn sweep(&self, seats: &mut Seats) {
        let mut number = 0;
        while let Some((seat, _)) = seats.abandoned.get_mut(number) {
            let answers = self.region.load(seat.slot.answers());
            if !is_last(answers, seat.source.raw().seen()) {
                number += 1;
                continue;
            }
            let (seat, part) = seats.abandoned.swap_remove(number);
            self.give_back(part);
            seats.free.push(seat);
        }
    }

    fn check(&self, patience: &Patience) -> io::Result<()> {
        if self.state.is_gone() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        patience.check_io()
    }

    fn give_back(&self, part: Part) {
        give_back(&self.region, &self.allocator, part);
    }

    fn put(&self, seat: Seat) {
        let mut seats = self.lock();
        seats.free.push(seat);
        let is_awaited = seats.waiting > 0;
        drop(seats);
        if is_awaited {
            self.seat_given_back.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reservation in this memory.
    pub(super) fn reserve(&self, components: usize) -> Result<Box<dyn Reserved>> {
        check_reserved(components)?;
        let length = components * size_of::<f32>();
        let share = Share::take(&self.reserved, length)?;
        self.sweep(&mut self.lock());
        let part = self.allocator.take(length).ok_or_else(too_much)?;
        match Piece::reserve(&self.region, REQUESTS + part.at, components) {
            Some(piece) => Ok(Box::new(Reservation {
                piece,
                part,
                allocator: Arc::clone(&self.allocator),
                region: Arc::clone(&self.region),
                _share: share,
            })),
            None => Err(Error::internal(
                "a reservation is outside of the shared memory",
            )),
        }
    }
}

fn give_back(region: &Region, allocator: &Allocator, part: Part) {
    if part.length >= LARGE_BYTES {
        region.forget(REQUESTS + part.at, part.length);
    }
    allocator.give_back(part);
}

fn too_much() -> Error {
    Error::new(
        ErrorKind::Overloaded,
        format!(
            "over {GUEST_RESERVED_BYTES_MAX} bytes would be reserved at once; drop reservations first"
        ),
    )
}

/// A share of what may be reserved at once.
struct Share {
    reserved: Arc<AtomicUsize>,
    bytes: usize,
}

impl Share {
    fn take(reserved: &Arc<AtomicUsize>, bytes: usize) -> Result<Self> {
        let before = reserved.fetch_add(bytes, Ordering::Relaxed);
        let share = Share {
            reserved: Arc::clone(reserved),
            bytes,
        };
        match before + bytes > GUEST_RESERVED_BYTES_MAX {
            true => Err(too_much()),
            false => Ok(share),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Vectors that are written where the owner reads them. The memory stays mapped as long as this
/// lives; once the client is gone it is memory as any other.
struct Reservation {
    piece: Piece,
    part: Part,
    allocator: Arc<Allocator>,
    region: Arc<Region>,
    _share: Share,
}

impl Reserved for Reservation {
    fn values(&self) -> &[f32] {
        self.piece.values()
    }

    fn values_mut(&mut self) -> &mut [f32] {
        self.piece.values_mut()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.region.is_ours() {
            give_back(&self.region, &self.allocator, self.part);
        }
    }
}
