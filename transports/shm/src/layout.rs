//! Where everything lies in the memory that a guest shares with the owner. `docs/wire.md` draws it.

use nearfield_model::limits::GUEST_REQUEST_BYTES_MAX;

/// Calls that a guest has under way at once, at most: a bit each.
pub(crate) const SLOTS: usize = 32;

/// A bit per slot whose call waits to be taken; guests set it, owners clear it. Owners sleep here.
pub(crate) const PENDING: usize = 0;
/// Whether a thread of the owner looks out for calls.
pub(crate) const LOOKING: usize = 64;
/// How many threads of the owner sleep at `PENDING`, or are about to.
pub(crate) const SLEEPERS: usize = 128;

/// The first slot's words; each slot has two cache lines.
const SLOT_WORDS: usize = 1_024;
const SLOT_WORD_BYTES: usize = 128;
/// Bytes of all words.
const WORDS_BYTES: usize = 8_192;

/// Bytes of a response that are handed over at once.
pub(crate) const RESPONSE_BYTES: usize = 1 << 20;
/// Bytes that the owner writes: the words, and room for a response per slot.
pub(crate) const OWNER_BYTES: usize = WORDS_BYTES + SLOTS * RESPONSE_BYTES;
/// Where requests lie, which the owner only reads.
pub(crate) const REQUESTS: usize = OWNER_BYTES;
/// All bytes.
pub(crate) const REGION_BYTES: usize = REQUESTS + GUEST_REQUEST_BYTES_MAX;

/// The words of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) u32);

impl Slot {
    /// The slot of a number, if there is one.
    pub(crate) fn of(number: u32) -> Option<Slot> {
        ((number as usize) < SLOTS).then_some(Slot(number))
    }

    /// Its bit in `PENDING`.
    pub(crate) fn bit(self) -> u32 {
        1 << self.0
    }

    fn words(self) -> usize {
        SLOT_WORDS + self.0 as usize * SLOT_WORD_BYTES
    }

    /// Where the request begins, from the start of the requests; a guest's word of 8 bytes.
    pub(crate) fn offset(self) -> usize {
        self.words()
    }

    /// Bytes of the request; a guest's word.
    pub(crate) fn length(self) -> usize {
        self.words() + 8
    }

    /// Whether a thread of the guest sleeps at `answers`; a guest's word.
    pub(crate) fn waiting(self) -> usize {
        self.words() + 12
    }

    /// Pieces of the response that were taken, or [`ABANDONED`]; a guest's word, at which the owner
    /// sleeps.
    pub(crate) fn taken(self) -> usize {
        self.words() + 16
    }

    /// Pieces of responses that were handed over, doubled, plus one if it was a response's last;
    /// an owner's word, at which the guest sleeps.
    pub(crate) fn answers(self) -> usize {
        self.words() + 64
    }

    /// Bytes of the piece; an owner's word.
    pub(crate) fn piece(self) -> usize {
        self.words() + 68
    }

    /// Whether a thread of the owner sleeps at `taken`; an owner's word.
    pub(crate) fn offering(self) -> usize {
        self.words() + 72
    }

    /// Where pieces of the response lie.
    pub(crate) fn response(self) -> usize {
        WORDS_BYTES + self.0 as usize * RESPONSE_BYTES
    }
}

/// Nobody waits for the response any more.
pub(crate) const ABANDONED: u32 = u32::MAX;

const _: () = assert!(SLOT_WORDS + SLOTS * SLOT_WORD_BYTES <= WORDS_BYTES);
const _: () = assert!(SLOTS <= u32::BITS as usize);
