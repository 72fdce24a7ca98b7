//! How calls are handed over in shared memory, and answers back: a slot per call, a bit per slot,
//! and words at which either side sleeps.
//!
//! ```text
//! guest                                      owner
//! write the request, set the slot's bit ───► look for a bit, clear it, read the request
//! nobody looks and somebody sleeps? wake
//!                                            run the call
//! look at `answers`, or sleep there ◄─────── write a piece, change `answers`; wake who waits
//! take the piece, raise `taken` ───────────► the next piece, until the last
//! ```
//!
//! Whoever is about to sleep says so and then looks once more; whoever has handed something over
//! looks afterwards who sleeps. All of these words are sequentially consistent, so one of the two
//! sees the other. Nothing that stands in the words is trusted: a side that breaks the rules sleeps too
//! long or is woken for nothing, and the owner hangs up on a guest that hands a slot over twice.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::time::Duration;

use crate::layout::{ABANDONED, LOOKING, PENDING, SLEEPERS, SLOTS, Slot};
use crate::time::now_ns;
use crate::wait::Lookout;

/// Words that two processes share, each named by its place.
pub(crate) trait Words {
    /// Reads a word.
    fn load(&self, at: usize) -> u32;
    /// Writes a word.
    fn store(&self, at: usize, value: u32);
    /// Adds to a word, around its end if need be.
    fn add(&self, at: usize, value: u32);
    /// Sets bits, and tells what was before.
    fn set(&self, at: usize, bits: u32) -> u32;
    /// Clears bits, and tells what was before.
    fn clear(&self, at: usize, bits: u32) -> u32;
    /// Sleeps until somebody wakes those who sleep at the word, or at once if it is not as expected; may
    /// wake for no reason.
    fn sleep(&self, at: usize, expected: u32, timeout: Option<Duration>);
    /// Wakes those who sleep at a word, at most so many.
    fn wake(&self, at: usize, count: u32);
    /// The clock by which it is looked out.
    fn now_ns(&self) -> u64 {
        now_ns()
    }
}

/// What an owner's thread finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// A call to run.
    Call(Slot),
    /// Nothing, for as long as it waited.
    Nothing,
    /// The guest broke the rules.
    Broken,
}

/// A slot as its owner remembers it.
#[derive(Debug, Default)]
struct Busy {
    is_busy: AtomicBool,
    /// The number of the last piece that was handed over.
    pieces: AtomicU32,
}

/// The owner's side. Its threads share it.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    slots: [Busy; SLOTS],
    /// The slot after the one that was taken last: so each has its turn.
    turn: AtomicU32,
    /// Whether a thread looks out, or has promised to.
    is_looking: AtomicBool,
}

/// A thread's promise to look for calls soon, so that the guest need not wake another.
#[derive(Debug)]
pub(crate) struct Promise(());

impl Inbox {
    /// Takes a call, if one waits.
    fn take(&self, words: &impl Words) -> Taken {
        loop {
            let pending = words.load(PENDING);
            if pending == 0 {
                return Taken::Nothing;
            }
            let turn = self.turn.load(Ordering::Relaxed) % u32::BITS;
            let number = (turn + pending.rotate_right(turn).trailing_zeros()) % u32::BITS;
            let Some(slot) = Slot::of(number) else {
                return Taken::Broken;
            };
            if words.clear(PENDING, slot.bit()) & slot.bit() == 0 {
                // Another thread was faster.
                continue;
            }
            self.turn.store(number + 1, Ordering::Relaxed);
            let busy = &self.slots[number as usize];
            return match busy.is_busy.swap(true, Ordering::SeqCst) {
                false => Taken::Call(slot),
                true => Taken::Broken,
            };
        }
    }

    /// Promises to look, if no other thread does.
    pub(crate) fn promise(&self, words: &impl Words) -> Option<Promise> {
        if self.is_looking.swap(true, Ordering::SeqCst) {
            return None;
        }
        words.store(LOOKING, 1);
        Some(Promise(()))
    }

    /// Waits for a call: looks out if that is worth it, then sleeps for `timeout` at most.
    pub(crate) fn wait(
        &self,
        words: &impl Words,
        promise: Option<Promise>,
        lookout: &mut Lookout,
        timeout: Option<Duration>,
    ) -> Taken {
        if let Some(Promise(())) = promise.or_else(|| self.promise(words)) {
            let seen = lookout.look_by(
                || words.now_ns(),
                || match self.take(words) {
                    Taken::Nothing => None,
                    taken => Some(taken),
                },
            );
            words.store(LOOKING, 0);
            self.is_looking.store(false, Ordering::SeqCst);
            if let Some(taken) = seen {
                pass_on(words);
                return taken;
            }
        }
        words.add(SLEEPERS, 1);
        let mut taken = self.take(words);
        if taken == Taken::Nothing {
            words.sleep(PENDING, 0, timeout);
            taken = self.take(words);
        }
        words.add(SLEEPERS, 1_u32.wrapping_neg());
        if taken != Taken::Nothing {
            pass_on(words);
        }
        taken
    }

    /// Hands a piece of a response over. After the last one the slot is the guest's again.
    pub(crate) fn hand_over(&self, words: &impl Words, slot: Slot, is_last: bool) {
        let busy = &self.slots[slot.0 as usize];
        let piece = busy.pieces.load(Ordering::Relaxed).wrapping_add(1);
        busy.pieces.store(piece, Ordering::Relaxed);
        if is_last {
            busy.is_busy.store(false, Ordering::SeqCst);
        }
        words.store(slot.answers(), answers(piece, is_last));
        if words.load(slot.waiting()) != 0 {
            words.wake(slot.answers(), 1);
        }
    }

    /// Waits until the guest took a number of pieces; false if it wants no more, or if `go_on` says
    /// no when asked.
    pub(crate) fn wait_until_taken(
        &self,
        words: &impl Words,
        slot: Slot,
        pieces: u32,
        tick: Duration,
        mut go_on: impl FnMut() -> bool,
    ) -> bool {
        words.store(slot.offering(), 1);
        let is_taken = loop {
            let taken = words.load(slot.taken());
            if taken == ABANDONED {
                break false;
            }
            if taken == pieces {
                break true;
            }
            if !go_on() {
                break false;
            }
            words.sleep(slot.taken(), taken, Some(tick));
        };
        words.store(slot.offering(), 0);
        is_taken
    }
}

/// Wakes another thread for what came while the one that goes to work now still looked: that woke
/// nobody.
fn pass_on(words: &impl Words) {
    if words.load(PENDING) != 0 {
        words.wake(PENDING, 1);
    }
}

fn answers(piece: u32, is_last: bool) -> u32 {
    piece << 1 | u32::from(is_last)
}

/// Hands a call over whose request lies in its slot's place. A guest's thread has the slot alone.
pub(crate) fn submit(words: &impl Words, slot: Slot) {
    words.store(slot.taken(), 0);
    words.set(PENDING, slot.bit());
    if words.load(LOOKING) == 0 && words.load(SLEEPERS) != 0 {
        words.wake(PENDING, 1);
    }
}

/// Waits until `answers` is no more what it was; gives what it is, or nothing if `go_on` says no when
/// asked.
pub(crate) fn wait_for_answer(
    words: &impl Words,
    slot: Slot,
    before: u32,
    lookout: &mut Lookout,
    tick: Duration,
    mut go_on: impl FnMut() -> bool,
) -> Option<u32> {
    let look = || Some(words.load(slot.answers())).filter(|answers| *answers != before);
    if let Some(answers) = lookout.look_by(|| words.now_ns(), look) {
        return Some(answers);
    }
    words.store(slot.waiting(), 1);
    let answered = loop {
        if let Some(answers) = look() {
            break Some(answers);
        }
        if !go_on() {
            break None;
        }
        words.sleep(slot.answers(), before, Some(tick));
    };
    words.store(slot.waiting(), 0);
    answered
}

/// Says that a piece was taken, and that the next one may come.
pub(crate) fn take_piece(words: &impl Words, slot: Slot, pieces: u32) {
    words.store(slot.taken(), pieces);
    if words.load(slot.offering()) != 0 {
        words.wake(slot.taken(), 1);
    }
}

/// Says that nobody waits for the response any more.
pub(crate) fn abandon(words: &impl Words, slot: Slot) {
    take_piece(words, slot, ABANDONED);
    // What the caller writes from here on is not seen by who does not see the word.
    fence(Ordering::SeqCst);
}

/// Whether the guest wants no answer.
pub(crate) fn is_abandoned(words: &impl Words, slot: Slot) -> bool {
    // All that was copied was read before this look.
    fence(Ordering::SeqCst);
    words.load(slot.taken()) == ABANDONED
}

/// Whether `answers`, which was `before` when the call was handed over, says that the owner is done.
pub(crate) fn is_last(answers: u32, before: u32) -> bool {
    answers != before && answers & 1 == 1
}
