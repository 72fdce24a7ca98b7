//! The bytes that requests may take together, so that memory stays bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nearfield_model::{Error, ErrorKind, Result};

/// Bytes that are left.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// Bytes taken from a [`Budget`]; they go back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    left: Arc<AtomicUsize>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Budget(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Takes `bytes`.
    ///
    /// # Errors
    /// `Overloaded` if fewer are left.
    pub(super) fn take(&self, bytes: usize) -> Result<Share> {
        let took = |left: usize| left.checked_sub(bytes);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, took)
            .map(|_| Share {
                left: Arc::clone(&self.0),
                bytes,
            })
            .map_err(|_| {
                Error::new(
                    ErrorKind::Overloaded,
                    "the requests under way take all the memory that they may; retry later",
                )
            })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(10);
        let first = budget.take(7).unwrap();
        assert_eq!(budget.take(4).unwrap_err().kind(), ErrorKind::Overloaded);
        let _second = budget.take(3).unwrap();
        drop(first);
        assert!(budget.take(7).is_ok());
    }
}
