//! The threads that work behind the writers' backs: one makes codes, one makes files ahead and
//! syncs, one writes checkpoints, one drains tails into lists, one trains, assigns anew and
//! merges, and one rewrites log files without their dead rows.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nearfield_model::{Error, ErrorKind, Result};

use crate::collection::Collection;

/// How long the coder waits for more rows before it codes what is there.
const CODE_DELAY: Duration = Duration::from_millis(20);
/// How often files are looked after while there are writes.
const KEEP_DELAY: Duration = Duration::from_millis(25);
/// How many rounds after the last write the keeper syncs what nobody waited for.
const IDLE_ROUNDS: u32 = 20;

/// The background threads of an engine. They stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    signal: Arc<Signal>,
    threads: Vec<JoinHandle<()>>,
}

/// Tells the threads that there may be work.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    /// Counts writes.
    writes: AtomicU64,
    /// Threads that wait for a write without a time limit. A writer counts and then looks here, a
    /// waiter adds itself and then looks at the count, so one of the two sees the other.
    asleep: AtomicU32,
    state: Mutex<State>,
    /// Wakes those who wait without a time limit.
    changed: Condvar,
    /// Wakes those who wait with one, when the threads are to stop.
    stopped: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Counts pieces of work on an index or a log, each of which may make the next possible.
    pieces: u64,
    stopping: bool,
}

impl Signal {
    /// Notes a write.
    pub(crate) fn wrote(&self) {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            // Whoever has looked at the count is in the wait once the lock is free.
            drop(self.lock());
            self.changed.notify_all();
        }
    }

    /// Waits for a write after the first `seen`, or for `delay` if there was one; gives the
    /// count of writes, or `None` when the threads are to stop.
    fn wait(&self, seen: u64, delay: Option<Duration>) -> Option<u64> {
        let goes_on = |_: &State| self.writes.load(Ordering::SeqCst) == seen;
        self.wait_while(goes_on, delay).map(|(writes, _)| writes)
    }

    /// Notes a piece of work on an index.
    fn worked(&self) {
        self.lock().pieces += 1;
        self.changed.notify_all();
    }

    /// As [`wait`](Self::wait), also for a piece of work on an index after the first `pieces`.
    fn wait_for_either(
        &self,
        (writes, pieces): (u64, u64),
        delay: Option<Duration>,
    ) -> Option<(u64, u64)> {
        let goes_on =
            |state: &State| state.pieces == pieces && self.writes.load(Ordering::SeqCst) == writes;
        self.wait_while(goes_on, delay)
    }

    /// Waits for `delay`, or else while `goes_on`; gives the counts of writes and pieces.
    fn wait_while(
        &self,
        goes_on: impl Fn(&State) -> bool,
        delay: Option<Duration>,
    ) -> Option<(u64, u64)> {
        let state = self.lock();
        let state = match delay {
            Some(delay) => {
                let waited = self
                    .stopped
                    .wait_timeout_while(state, delay, |state| !state.stopping);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                self.asleep.fetch_add(1, Ordering::SeqCst);
                let waited = self
                    .changed
                    .wait_while(state, |state| !state.stopping && goes_on(state));
                self.asleep.fetch_sub(1, Ordering::SeqCst);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        (!state.stopping).then(|| (self.writes.load(Ordering::SeqCst), state.pieces))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
        self.stopped.notify_all();
    }
}

/// How often indexes are looked after while there are writes.
const INDEX_DELAY: Duration = Duration::from_millis(5);
/// Rounds without a write after which a collection is at rest.
const REST_ROUNDS: u32 = 10;
/// How far behind others the threads stand that drain tails, compact logs and keep indexes.
const DRAIN_NICENESS: i32 = 1;
const COMPACT_NICENESS: i32 = 2;
const INDEX_NICENESS: i32 = 4;
/// How often a checkpoint is thought of while there are writes.
const CHECKPOINT_DELAY: Duration = Duration::from_millis(50);
/// Records that are checked per round after opening.
const SCRUB_RECORDS: usize = 32;

/// Gives the collections that are open at the moment.
pub(crate) type Collections = dyn Fn() -> Vec<Arc<Collection>> + Send + Sync;

/// What a thread does until it is told to stop.
type Work = fn(&Signal, &Collections);

impl Background {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Unavailable` if the process may have no more threads: without one of them writers would
    /// wait for work that nobody does.
    pub(crate) fn start(collections: Arc<Collections>) -> Result<Background> {
        let mut background = Background {
            signal: Arc::default(),
            threads: Vec::new(),
        };
        for (name, work) in [
            ("nearfield-codes", make_codes as Work),
            ("nearfield-files", keep_files),
            ("nearfield-checkpoints", write_checkpoints),
            ("nearfield-drain", drain_tails),
            ("nearfield-index", keep_indexes),
            ("nearfield-compact", compact_logs),
        ] {
            let (signal, collections) = (background.signal.clone(), collections.clone());
            let thread = std::thread::Builder::new().name(name.to_owned());
            let thread = thread.spawn(move || work(&signal, &*collections));
            let thread = thread.map_err(|error| {
                Error::new(
                    ErrorKind::Unavailable,
                    format!("the thread {name} cannot be started: {error}; allow more threads"),
                )
            })?;
            background.threads.push(thread);
        }
        Ok(background)
    }

    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.signal.stop();
        for thread in self.threads.drain(..) {
            // What a panic interrupts is tried again, and shown as a fault.
            let _stopped = thread.join();
        }
    }
}

fn make_codes(signal: &Signal, collections: &Collections) {
    let mut seen = 0;
    let mut delay = None;
    while let Some(writes) = signal.wait(seen, delay) {
        let mut worked = false;
        for collection in collections() {
            while collection.encode_some() {
                worked = true;
            }
        }
        delay = (worked || writes != seen).then_some(CODE_DELAY);
        seen = writes;
    }
}

fn keep_files(signal: &Signal, collections: &Collections) {
    let mut seen = 0;
    let mut idle = IDLE_ROUNDS;
    let mut scrubbing = true;
    let delay = |idle, scrubbing| (idle < IDLE_ROUNDS || scrubbing).then_some(KEEP_DELAY);
    while let Some(writes) = signal.wait(seen, delay(idle, scrubbing)) {
        idle = if writes == seen {
            (idle + 1).min(IDLE_ROUNDS + 1)
        } else {
            0
        };
        seen = writes;
        if scrubbing {
            scrubbing = collections()
                .iter()
                .any(|collection| collection.scrub_some(SCRUB_RECORDS));
        }
        for collection in collections() {
            collection.keep_files(idle == IDLE_ROUNDS);
        }
    }
}

/// Moves rows from tails into lists, all of them once nobody writes.
fn drain_tails(signal: &Signal, collections: &Collections) {
    lower_priority(DRAIN_NICENESS);
    work_on_indexes(signal, collections, |collection, at_rest| {
        collection.drain_some(at_rest, &|| signal.is_stopping())
    });
}

/// Trains, assigns anew, calibrates and merges.
fn keep_indexes(signal: &Signal, collections: &Collections) {
    lower_priority(INDEX_NICENESS);
    work_on_indexes(signal, collections, |collection, at_rest| {
        collection.upkeep_some(at_rest, &|| signal.is_stopping())
    });
}

/// Rewrites log files that are mostly dead.
fn compact_logs(signal: &Signal, collections: &Collections) {
    lower_priority(COMPACT_NICENESS);
    work_on_indexes(signal, collections, |collection, at_rest| {
        collection.compact_some(at_rest)
    });
}

fn work_on_indexes(
    signal: &Signal,
    collections: &Collections,
    work: impl Fn(&Collection, bool) -> bool,
) {
    let mut seen = (0, 0);
    let mut quiet = 0;
    // What an earlier process left undone is looked for without a write.
    let mut delay = Some(INDEX_DELAY);
    while let Some(now) = signal.wait_for_either(seen, delay) {
        quiet = if now.0 == seen.0 { quiet + 1 } else { 0 };
        seen = now;
        let mut worked = false;
        for collection in collections() {
            worked |= work(&collection, quiet >= REST_ROUNDS);
        }
        if worked {
            signal.worked();
        }
        delay = match worked {
            true => Some(Duration::ZERO),
            false => (quiet < REST_ROUNDS).then_some(INDEX_DELAY),
        };
    }
}

/// Lets searches and writers go first where there are not cores enough for all.
fn lower_priority(niceness: i32) {
    // The number 0 is the calling thread on Linux; elsewhere it is the process, which keeps its
    // own priority.
    #[cfg(target_os = "linux")]
    let _only_a_wish = rustix::process::setpriority_process(None, niceness);
    #[cfg(not(target_os = "linux"))]
    let _unused = niceness;
}

fn write_checkpoints(signal: &Signal, collections: &Collections) {
    let mut seen = 0;
    let mut delay = None;
    while let Some(writes) = signal.wait(seen, delay) {
        for collection in collections() {
            collection.keep_checkpoint();
        }
        delay = (writes != seen).then_some(CHECKPOINT_DELAY);
        seen = writes;
    }
}
