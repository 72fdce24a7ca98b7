//! Buffers that were used and are used again, so that their memory is not mapped anew per call.

use std::sync::{Mutex, PoisonError};

/// Buffers kept, at most.
const BUFFERS_MAX: usize = 16;
/// Bytes of a buffer that is kept, at most.
const BUFFER_BYTES_MAX: usize = 8 << 20;

/// A stock of empty buffers.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(super) fn put(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() > BUFFER_BYTES_MAX {
            return;
        }
        buffer.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < BUFFERS_MAX {
            kept.push(buffer);
        }
    }
}
