//! A guest that shares memory: its calls are taken out of slots, by as many threads as there are calls
//! under way, and one more that waits for the next.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nearfield_model::limits::{FRAME_BYTES_MAX, GUEST_REQUEST_BYTES_MAX};
use nearfield_model::{Error, Result, Share, Stage};

use super::call::{Call, Desk};
use super::guest::Guest;
use super::link::Link;
use super::shared::{STILL, Serving, Shared};
use super::watcher;
use crate::codec::{Place, Raw, Source};
use crate::frame::{REQUEST_HEAD_BYTES, RequestHead};
use crate::layout::{PENDING, REQUESTS, RESPONSE_BYTES, Slot};
use crate::ring::{Inbox, Promise, Taken, Words as _, is_abandoned};
use crate::time::now_ns;
use crate::wait::Lookout;

pub(super) use crate::region::Region;

/// Threads of one guest, at most.
const WORKERS_MAX: usize = 16;
/// A thread that had nothing to do for so long ends, if another one waits.
const IDLE: Duration = Duration::from_secs(10);
/// How often it is asked whether the guest is still there, while it takes a long response.
const TICK: Duration = Duration::from_millis(100);

/// A guest's memory, and those who work for it.
struct Memory {
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    link: Arc<Link>,
    region: Arc<Region>,
    inbox: Inbox,
    workers: AtomicUsize,
    idle: AtomicUsize,
}

/// Answers calls until the guest hangs up; returns when this thread is not needed any more.
pub(super) fn serve(serving: Serving, guest: Arc<Guest>, link: &Arc<Link>, region: Region) {
    let region = Arc::new(region);
    let woken = Arc::downgrade(&region);
    link.at_end(move || {
        // Nobody sleeps while a bit is set, so this reaches those who are about to as well.
        if let Some(region) = woken.upgrade() {
            region.set(PENDING, u32::MAX);
            region.wake(PENDING, u32::MAX >> 1);
        }
    });
    let memory = Arc::new(Memory {
        shared: Arc::clone(&serving.0),
        guest,
        link: Arc::clone(link),
        region,
        inbox: Inbox::default(),
        workers: AtomicUsize::new(1),
        idle: AtomicUsize::new(0),
    });
    work(&memory, serving);
}

fn work(memory: &Arc<Memory>, serving: Serving) {
    let mut worker = Worker {
        source: Source::new(Request {
            region: Arc::clone(&memory.region),
            at: 0,
            end: 0,
        }),
        desk: Desk::default(),
    };
    let mut lookout = Lookout::default();
    let mut promise = None;
    while !memory.link.is_over() {
        memory.idle.fetch_add(1, Ordering::SeqCst);
        let taken = memory
            .inbox
            .wait(&*memory.region, promise.take(), &mut lookout, Some(IDLE));
        let idle = memory.idle.fetch_sub(1, Ordering::SeqCst) - 1;
        if memory.link.is_over() {
            break;
        }
        match taken {
            Taken::Call(slot) => {
                if idle == 0 {
                    memory.add_worker();
                }
                promise = worker.run(memory, slot);
                worker.desk.tidy();
            }
            Taken::Nothing if idle > 0 => break,
            Taken::Nothing => {}
            Taken::Broken => memory.link.hang_up(),
        }
    }
    if memory.workers.fetch_sub(1, Ordering::SeqCst) == 1 || memory.link.is_over() {
        watcher::end(&memory.shared, &memory.link);
    }
    drop(serving);
}

impl Memory {
    /// Has one more thread wait for calls, unless there are many.
    fn add_worker(self: &Arc<Self>) {
        if self.workers.fetch_add(1, Ordering::SeqCst) >= WORKERS_MAX {
            self.workers.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        let serving = self.shared.add_thread();
        let memory = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("nearfield-guest".to_owned())
            .spawn(move || work(&memory, serving));
        if spawned.is_err() {
            // The threads that there are do all the work.
            self.workers.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Where the request of a slot lies, within bounds.
    fn request(&self, slot: Slot) -> Option<(usize, usize)> {
        // Each is read once: the guest may change them.
        let offset = usize::try_from(self.region.number(slot.offset())).ok()?;
        let length = self.region.load(slot.length()) as usize;
        let fits = length
            .checked_sub(REQUEST_HEAD_BYTES)
            .is_some_and(|length| length <= FRAME_BYTES_MAX);
        let end = offset
            .checked_add(length)
            .filter(|end| fits && *end <= GUEST_REQUEST_BYTES_MAX)?;
        Some((REQUESTS + offset, REQUESTS + end))
    }

    /// Copies components that lie elsewhere in the memory.
    fn fetch(&self, place: Place, share: &mut Share, to: &mut Vec<f32>) -> Result<()> {
        let outside = || Error::invalid("the vectors lie outside of the shared memory");
        let at = usize::try_from(place.offset).map_err(|_| outside())?;
        let count = usize::try_from(place.count).map_err(|_| outside())?;
        let end = count
            .checked_mul(size_of::<f32>())
            .and_then(|length| at.checked_add(length));
        if end.is_none_or(|end| end > GUEST_REQUEST_BYTES_MAX) {
            return Err(outside());
        }
        share.grow(count * size_of::<f32>())?;
        if to.len() < count {
            to.resize(count, 0.0);
        }
        let copied = self
            .region
            .read(REQUESTS + at, bytemuck::cast_slice_mut(&mut to[..count]));
        if copied { Ok(()) } else { Err(outside()) }
    }
}

/// What one thread keeps from call to call.
struct Worker {
    source: Source<Request>,
    desk: Desk,
}

impl Worker {
    /// Runs the call of a slot. A guest that breaks the rules is hung up on.
    fn run(&mut self, memory: &Memory, slot: Slot) -> Option<Promise> {
        let seen_ns = now_ns();
        let entered = memory.shared.enter();
        let Some((at, end)) = memory.request(slot) else {
            memory.link.hang_up();
            return None;
        };
        self.source.clear();
        (self.source.raw().at, self.source.raw().end) = (at, end);
        let Ok(head) = RequestHead::take(&mut self.source) else {
            memory.link.hang_up();
            return None;
        };
        if head.length as usize != end - at - REQUEST_HEAD_BYTES {
            memory.link.hang_up();
            return None;
        }
        let under_way = memory.link.begin(head.call);
        let call = Call {
            entered: entered.as_ref().map(|_| ()).map_err(Error::clone),
            service: &*memory.shared.service,
            guest: &memory.guest,
            head,
            seen_ns,
            cancellation: under_way.cancellation.clone(),
            reading: Stage::Copy,
            is_wanted: &|| !is_abandoned(&*memory.region, slot),
        };
        let mut share = memory.guest.share();
        let mut fetch = |place: Place, to: &mut Vec<f32>| memory.fetch(place, &mut share, to);
        match call.answer(&mut self.source, &mut fetch, &mut self.desk) {
            Ok(frame) => hand_over(memory, slot, frame),
            Err(_) => {
                memory.link.hang_up();
                None
            }
        }
    }
}

/// Gives the response, piece by piece. Before the last one this thread promises to look for the next
/// call: that is likely to follow at once.
fn hand_over(memory: &Memory, slot: Slot, frame: &[u8]) -> Option<Promise> {
    let Memory { region, inbox, .. } = memory;
    let region = &**region;
    let mut given = 0;
    for piece in frame.chunks(RESPONSE_BYTES) {
        region.write(slot.response(), piece);
        region.store(slot.piece(), u32::try_from(piece.len()).unwrap_or(0));
        given += 1;
        if given as usize * RESPONSE_BYTES >= frame.len() {
            break;
        }
        inbox.hand_over(region, slot, false);
        let offered = Instant::now();
        let stands_still = || memory.shared.is_closing() && offered.elapsed() >= STILL;
        let go_on = || !memory.link.is_over() && !stands_still();
        if !inbox.wait_until_taken(region, slot, given, TICK, go_on) {
            region.store(slot.piece(), 0);
            break;
        }
    }
    let promise = inbox.promise(region);
    inbox.hand_over(region, slot, true);
    promise
}

/// The bytes of a request.
struct Request {
    region: Arc<Region>,
    at: usize,
    end: usize,
}

impl Raw for Request {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = to.len().min(self.end - self.at);
        if !self.region.read(self.at, &mut to[..count]) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.at += count;
        Ok(count)
    }
}
