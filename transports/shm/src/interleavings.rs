//! The ring's protocol in many orders of its steps: no call is lost, no answer is missed, and nobody
//! sleeps for ever. Timeouts never pass here, so whoever is not woken hangs, which the scheduler tells.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::{Condvar, Mutex};

use crate::layout::{PENDING, Slot};
use crate::ring::{Inbox, Taken, Words, submit, take_piece, wait_for_answer};
use crate::wait::Lookout;

const FOREVER: Duration = Duration::from_secs(1 << 20);

/// Words whose every touch may be followed by another thread's.
#[derive(Default)]
struct Memory {
    words: Mutex<BTreeMap<usize, u32>>,
    /// Those who sleep at a word wait for this; as in a kernel, looking and falling asleep is one.
    wakes: Condvar,
    /// How often each word's sleepers were woken.
    woken: std::sync::Mutex<BTreeMap<usize, u64>>,
    clock: AtomicU64,
}

impl Memory {
    fn change(&self, at: usize, change: impl FnOnce(u32) -> u32) -> u32 {
        let mut words = self.words.lock().unwrap();
        let word = words.entry(at).or_default();
        let before = *word;
        *word = change(before);
        before
    }
}

impl Words for Memory {
    fn load(&self, at: usize) -> u32 {
        self.change(at, |word| word)
    }

    fn store(&self, at: usize, value: u32) {
        self.change(at, |_| value);
    }

    fn add(&self, at: usize, value: u32) {
        self.change(at, |word| word.wrapping_add(value));
    }

    fn set(&self, at: usize, bits: u32) -> u32 {
        self.change(at, |word| word | bits)
    }

    fn clear(&self, at: usize, bits: u32) -> u32 {
        self.change(at, |word| word & !bits)
    }

    fn sleep(&self, at: usize, expected: u32, _: Option<Duration>) {
        let mut words = self.words.lock().unwrap();
        let woken = |memory: &Memory| {
            let woken = memory.woken.lock().unwrap();
            woken.get(&at).copied().unwrap_or(0)
        };
        let before = woken(self);
        if words.get(&at).copied().unwrap_or(0) != expected {
            return;
        }
        while woken(self) == before {
            words = self.wakes.wait(words).unwrap();
        }
    }

    /// Passes fast, so that nobody looks out for long.
    fn now_ns(&self) -> u64 {
        self.clock.fetch_add(15_000, Ordering::Relaxed)
    }

    /// Wakes all: a wake for no reason is allowed, a missing one is not.
    fn wake(&self, at: usize, _: u32) {
        let _words = self.words.lock().unwrap();
        *self.woken.lock().unwrap().entry(at).or_default() += 1;
        self.wakes.notify_all();
    }
}

/// Guests and an owner's threads, and what was done.
#[derive(Default)]
struct World {
    memory: Memory,
    inbox: Inbox,
    run: AtomicU32,
    is_holding: bool,
}

impl World {
    /// Keeps a call of the first slot from ending until one of the second has begun.
    fn hold(&self, slot: Slot) {
        match slot.0 {
            0 if self.is_holding => {
                while self.memory.load(BEGUN) == 0 {
                    self.memory.sleep(BEGUN, 0, None);
                }
            }
            1 => {
                self.memory.store(BEGUN, 1);
                self.memory.wake(BEGUN, u32::MAX);
            }
            _ => {}
        }
    }
}

/// A word that is no part of the protocol.
const BEGUN: usize = 4_096;
const CALLS: u32 = 3;
/// The bit of a slot that no guest has.
const END: u32 = 1 << 31;

/// A guest's thread: calls one after the other, each answered in some pieces.
fn guest(world: &World, slot: Slot, pieces: u32) {
    let memory = &world.memory;
    let mut lookout = Lookout::default();
    for _ in 0..CALLS {
        let mut before = memory.load(slot.answers());
        memory.store(slot.length(), pieces);
        submit(memory, slot);
        for piece in 1..=pieces {
            let answers =
                wait_for_answer(memory, slot, before, &mut lookout, FOREVER, || true).unwrap();
            assert_eq!(answers & 1 == 1, piece == pieces);
            assert_eq!(memory.load(slot.piece()), piece, "a piece of another call");
            before = answers;
            if piece < pieces {
                take_piece(memory, slot, piece);
            }
        }
    }
}

/// An owner's thread: runs calls until all were run.
fn owner(world: &World, calls: u32) {
    let memory = &world.memory;
    let mut lookout = Lookout::default();
    let mut promise = None;
    while world.run.load(Ordering::SeqCst) < calls {
        let taken = world
            .inbox
            .wait(memory, promise.take(), &mut lookout, Some(FOREVER));
        let slot = match taken {
            Taken::Nothing => continue,
            _ if world.run.load(Ordering::SeqCst) == calls => {
                end(memory);
                continue;
            }
            Taken::Call(slot) => slot,
            Taken::Broken => panic!("no rule was broken"),
        };
        world.hold(slot);
        let pieces = memory.load(slot.length());
        for piece in 1..pieces {
            memory.store(slot.piece(), piece);
            world.inbox.hand_over(memory, slot, false);
            let inbox = &world.inbox;
            assert!(inbox.wait_until_taken(memory, slot, piece, FOREVER, || true));
        }
        memory.store(slot.piece(), pieces);
        let is_over = world.run.fetch_add(1, Ordering::SeqCst) + 1 == calls;
        promise = match is_over {
            true => None,
            false => world.inbox.promise(memory),
        };
        world.inbox.hand_over(memory, slot, true);
        if is_over {
            end(memory);
        }
    }
}

/// Wakes an owner's thread that has nothing to wait for any more, which wakes the next.
fn end(memory: &Memory) {
    memory.set(PENDING, END);
    memory.wake(PENDING, u32::MAX);
}

fn in_any_order(scheduler: impl Scheduler + 'static, guests: &'static [u32], owners: u32) {
    run(scheduler, guests, owners, false);
}

fn run(scheduler: impl Scheduler + 'static, guests: &'static [u32], owners: u32, is_holding: bool) {
    let mut config = shuttle::Config::new();
    config.max_steps = shuttle::MaxSteps::FailAfter(200_000);
    shuttle::Runner::new(scheduler, config).run(move || {
        let world = Arc::new(World {
            is_holding,
            ..World::default()
        });
        let calls = CALLS * guests.len() as u32;
        let mut threads = Vec::new();
        for (number, pieces) in guests.iter().enumerate() {
            let world = Arc::clone(&world);
            let slot = Slot(number as u32);
            threads.push(shuttle::thread::spawn(move || guest(&world, slot, *pieces)));
        }
        for _ in 0..owners {
            let world = Arc::clone(&world);
            threads.push(shuttle::thread::spawn(move || owner(&world, calls)));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(world.run.load(Ordering::SeqCst), calls);
    });
}

#[test]
fn one_guest_and_one_thread_of_the_owner() {
    in_any_order(RandomScheduler::new(3_000), &[1], 1);
    in_any_order(PctScheduler::new(3, 3_000), &[2], 1);
}

#[test]
fn several_guests_and_several_threads_of_the_owner() {
    in_any_order(RandomScheduler::new(3_000), &[1, 2, 1], 2);
    in_any_order(PctScheduler::new(4, 3_000), &[1, 1, 3], 2);
    in_any_order(RandomScheduler::new(1_000), &[1, 1], 3);
}

#[test]
fn a_call_that_lasts_keeps_no_other_from_being_taken() {
    run(RandomScheduler::new(3_000), &[1, 1], 2, true);
    run(PctScheduler::new(4, 3_000), &[1, 1], 2, true);
}
