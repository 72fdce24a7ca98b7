//! A response out of shared memory, piece by piece.

use std::io;
use std::sync::Arc;

use super::patience::Patience;
use super::watch::State;
use crate::codec::Raw;
use crate::layout::{RESPONSE_BYTES, Slot};
use crate::region::Region;
use crate::ring::{Words as _, take_piece, wait_for_answer};
use crate::wait::Lookout;

/// Reads what the owner puts into a slot.
pub(super) struct Pieces {
    region: Arc<Region>,
    state: Arc<State>,
    slot: Slot,
    lookout: Lookout,
    patience: Patience,
    /// The slot's `answers` as last seen.
    seen: u32,
    /// Pieces of this response that came.
    count: u32,
    /// The last of them: its length, and how much of it was read.
    length: usize,
    read: usize,
    is_last: bool,
}

impl Pieces {
    pub(super) fn new(region: Arc<Region>, state: Arc<State>, slot: Slot) -> Self {
        Pieces {
            region,
            state,
            slot,
            lookout: Lookout::default(),
            patience: Patience::default(),
            seen: 0,
            count: 0,
            length: 0,
            read: 0,
            is_last: false,
        }
    }

    /// Prepares for the response to a call that is about to be handed over.
    pub(super) fn begin(&mut self, patience: &Patience) {
        self.patience = patience.clone();
        self.seen = self.region.load(self.slot.answers());
        (self.count, self.length, self.read, self.is_last) = (0, 0, 0, false);
    }

    /// Whether the owner is done with the slot.
    pub(super) fn is_complete(&self) -> bool {
        self.is_last
    }

    /// The slot's `answers` as last seen.
    pub(super) fn seen(&self) -> u32 {
        self.seen
    }

    /// Waits for the next piece.
    fn next(&mut self) -> io::Result<()> {
        if self.count > 0 {
            take_piece(&*self.region, self.slot, self.count);
        }
        let _waiting = self.state.sleepers.add(&self.region, self.slot);
        let mut end = Ok(());
        let answers = wait_for_answer(
            &*self.region,
            self.slot,
            self.seen,
            &mut self.lookout,
            self.patience.tick(),
            || {
                end = match self.state.is_gone() {
                    true => Err(io::ErrorKind::ConnectionReset.into()),
                    false => self.patience.check_io(),
                };
                end.is_ok()
            },
        );
        let Some(answers) = answers else {
            return Err(end.err().unwrap_or_else(|| io::ErrorKind::TimedOut.into()));
        };
        self.seen = answers;
        self.is_last = answers & 1 == 1;
        self.count += 1;
        self.read = 0;
        self.length = self.region.load(self.slot.piece()) as usize;
        if self.length > RESPONSE_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    }
}

impl Raw for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.read == self.length {
            if self.is_last {
                return Ok(0);
            }
            self.next()?;
        }
        let count = to.len().min(self.length - self.read);
        if !self
            .region
            .read(self.slot.response() + self.read, &mut to[..count])
        {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.read += count;
        Ok(count)
    }
}
