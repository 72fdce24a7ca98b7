//! The memory budget: what collections take, and what requests under way may add to it, stays
//! within a bound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nearfield_model::{Error, ErrorKind, Result};

/// Memory is counted anew once requests have added this share of the bound by estimate.
const COUNT_SHARE: u64 = 32;
/// A result may take this share of the bound even where less is left.
const RESULT_SHARE: u64 = 16;
/// A result may take so much in any case.
const RESULT_BYTES_MIN: u64 = 1 << 20;

/// A bound on memory. Requests reserve what they may add; what they do add is an estimate until
/// memory is counted, which happens now and then and before any request is refused.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: u64,
    /// What was taken at the last count.
    counted: AtomicU64,
    /// What requests have added since, by estimate.
    added: AtomicU64,
    /// What requests under way may add.
    reserved: AtomicU64,
    /// Held while memory is counted.
    counting: Mutex<()>,
}

impl Budget {
    /// A budget of `bytes_max` bytes.
    pub(crate) fn new(bytes_max: u64) -> Budget {
        Budget {
            bytes_max,
            counted: AtomicU64::new(0),
            // Nothing is known before the first count.
            added: AtomicU64::new(bytes_max),
            reserved: AtomicU64::new(0),
            counting: Mutex::new(()),
        }
    }

    /// Reserves `bytes` for a request that adds to memory. `count` tells what is taken.
    ///
    /// # Errors
    /// `OutOfMemory` if they are not left.
    pub(crate) fn reserve(&self, bytes: u64, count: impl FnOnce() -> u64) -> Result<Reserved<'_>> {
        let others = self.reserved.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Reserved {
            budget: self,
            bytes,
        };
        if self.added.load(Ordering::Relaxed) <= self.bytes_max / COUNT_SHARE
            && self.taken() + others + bytes <= self.bytes_max
        {
            return Ok(reserved);
        }
        self.count(count);
        let taken = self.taken() + others;
        if taken + bytes <= self.bytes_max {
            return Ok(reserved);
        }
        Err(Error::new(
            ErrorKind::OutOfMemory,
            format!(
                "{taken} of the {} bytes of the memory budget are taken, and this request needs \
                 about {bytes} more; raise the budget, delete points and compact, or index fewer \
                 metadata fields",
                self.bytes_max
            ),
        ))
    }

    /// Reserves `bytes` for the result of a search. Small results are reserved in any case.
    ///
    /// # Errors
    /// `OutOfMemory` for a large one if they are not left.
    pub(crate) fn reserve_result(
        &self,
        bytes: u64,
        count: impl FnOnce() -> u64,
    ) -> Result<Reserved<'_>> {
        if bytes <= RESULT_BYTES_MIN.max(self.bytes_max / RESULT_SHARE) {
            self.reserved.fetch_add(bytes, Ordering::Relaxed);
            return Ok(Reserved {
                budget: self,
                bytes,
            });
        }
        self.reserve(bytes, count).map_err(|_| {
            Error::new(
                ErrorKind::OutOfMemory,
                format!(
                    "the result would take about {bytes} bytes, and {} of the {} bytes of the \
                     memory budget are taken; ask for fewer hits or query vectors at once, leave \
                     vectors and metadata out, or raise the budget",
                    self.taken() + self.reserved.load(Ordering::Relaxed),
                    self.bytes_max
                ),
            )
        })
    }

    fn taken(&self) -> u64 {
        self.counted.load(Ordering::Relaxed) + self.added.load(Ordering::Relaxed)
    }

    /// What is added while it counts may count twice until the next time.
    fn count(&self, count: impl FnOnce() -> u64) {
        let _counting = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.added.load(Ordering::Relaxed);
        self.counted.store(count(), Ordering::Relaxed);
        self.added.fetch_sub(before, Ordering::Relaxed);
    }
}

/// Bytes that are reserved for a request, until this is dropped.
#[derive(Debug)]
pub(crate) struct Reserved<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Reserved<'_> {
    /// The request is done, and about `bytes` of memory stay with what it wrote.
    pub(crate) fn keep(self, bytes: u64) {
        self.budget.added.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.budget
            .reserved
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_kept_and_counted_stays_within_the_bound() {
        let budget = Budget::new(3_200);
        let first = budget.reserve(1_000, || 500).unwrap();
        let second = budget.reserve(1_700, || panic!("counted again")).unwrap();
        let error = budget.reserve(1, || 500).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert!(
            error.message().contains("3200 of the 3200 bytes"),
            "{error}"
        );
        drop(second);
        first.keep(100);
        // 600 are taken; a count is due once more than 100 were added.
        drop(budget.reserve(2_600, || panic!("counted again")).unwrap());
        assert!(budget.reserve(2_601, || 600).is_err());
        // Estimates were too high: less is taken than was thought.
        drop(budget.reserve(3_000, || 200).unwrap());
        budget.reserve(1, || panic!()).unwrap().keep(101);
        assert!(budget.reserve(2_000, || 3_000).is_err());
    }

    #[test]
    fn small_results_are_never_refused() {
        let budget = Budget::new(4 << 20);
        drop(budget.reserve(1, || 9 << 20).unwrap_err());
        let small = budget.reserve_result(1 << 20, || panic!()).unwrap();
        let error = budget.reserve_result((1 << 20) + 1, || 9 << 20);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert!(error.message().contains("the result"), "{error}");
        drop(small);
        drop(budget.reserve_result(2 << 20, || 1 << 20).unwrap());
    }
}
