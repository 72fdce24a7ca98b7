//! Descriptors that forked children do not keep.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::fork::{Registration, close_in_child, generation};

/// A descriptor that a forked child closes, and does not close again when this is dropped there.
#[derive(Debug)]
pub(crate) struct Descriptor {
    fd: Arc<OwnedFd>,
    registration: Option<Registration>,
    generation: u64,
}

impl Descriptor {
    pub(crate) fn new(fd: impl Into<OwnedFd>) -> Self {
        let fd = fd.into();
        Descriptor {
            registration: Some(close_in_child(fd.as_raw_fd())),
            fd: Arc::new(fd),
            generation: generation(),
        }
    }

    /// Whether this is the process that opened it.
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == generation()
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // Given up first, so that no child closes a number that others were given.
        drop(self.registration.take());
        if !self.is_ours() {
            // The number is closed already and may be another's: it is never closed here.
            std::mem::forget(Arc::clone(&self.fd));
        }
    }
}
