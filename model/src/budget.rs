//! The bytes of all requests and answers under way, bounded over all doors of a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// Bytes that may be held, and those that are.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
    used: AtomicUsize,
}

impl Budget {
    /// Allows `bytes_max` bytes at once.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Budget {
            bytes_max,
            used: AtomicUsize::new(0),
        })
    }

    /// The bytes that are held.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// A share of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// A share of nothing so far.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Share {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Takes `bytes` more.
    ///
    /// # Errors
    /// `Overloaded` if that would go beyond the budget; the share stays as it was.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.budget.bytes_max {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!(
                    "bodies under way hold {before} of {} bytes; retry in a moment",
                    self.budget.bytes_max
                ),
            ));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_comes_back() {
        let budget = Budget::new(10);
        let (mut first, mut second) = (Share::new(&budget), Share::new(&budget));
        first.grow(7).unwrap();
        assert_eq!(second.grow(4).unwrap_err().kind(), ErrorKind::Overloaded);
        second.grow(3).unwrap();
        drop(first);
        assert_eq!(budget.used(), 3);
        second.grow(7).unwrap();
    }
}
