//! What a forked child must not take over from its parent.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};
use nearfield_model::Result;

#[cfg(feature = "shm")]
use nearfield_shm::fork::generation;

/// Tells processes apart where nothing watches for forks.
#[cfg(not(feature = "shm"))]
fn generation() -> u64 {
    u64::from(std::process::id())
}

/// A value of which a forked child makes its own. What it finds of its parent's it neither
/// touches nor drops: threads that are not in the child may have left it half changed.
#[derive(Debug)]
pub(crate) struct PerProcess<T>(ArcSwapOption<Own<T>>);

/// A value, and the process that it belongs to.
#[derive(Debug)]
pub(crate) struct Own<T> {
    generation: u64,
    /// `None` only while it is being dropped.
    value: Option<T>,
}

impl<T> PerProcess<T> {
    /// No value yet.
    pub(crate) const fn new() -> Self {
        PerProcess(ArcSwapOption::const_empty())
    }

    /// A value of this process.
    pub(crate) fn of(value: T) -> Self {
        let all = PerProcess::new();
        all.0.store(Some(Own::now(value)));
        all
    }

    /// Runs `work` on the value of this process, which `make` makes if there is none.
    ///
    /// # Errors
    /// Those of `make` and `work`.
    pub(crate) fn with<R>(
        &self,
        make: impl Fn() -> Result<T>,
        work: impl FnOnce(&T) -> Result<R>,
    ) -> Result<R> {
        loop {
            let present = self.0.load();
            if let Some(value) = present.as_deref().and_then(Own::get) {
                return work(value);
            }
            self.replace(&present, make()?);
        }
    }

    fn replace(&self, present: &Guard<Option<Arc<Own<T>>>>, value: T) {
        let before = self.0.compare_and_swap(present, Some(Own::now(value)));
        let swapped = match (&**present, &*before) {
            (Some(ours), Some(found)) => Arc::ptr_eq(ours, found),
            (None, None) => true,
            _ => false,
        };
        if swapped {
            // The parent's: its drop would look at it.
            std::mem::forget(Guard::into_inner(before));
        }
    }
}

impl<T> Own<T> {
    fn now(value: T) -> Arc<Self> {
        Arc::new(Own {
            generation: generation(),
            value: Some(value),
        })
    }

    /// The value, in the process that made it.
    pub(crate) fn get(&self) -> Option<&T> {
        self.value
            .as_ref()
            .filter(|_| self.generation == generation())
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if self.generation != generation() {
            std::mem::forget(self.value.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_kept() {
        let all = PerProcess::new();
        for _ in 0..3 {
            let made = all.with(|| Ok(vec![1]), |value| Ok(value.as_ptr()));
            let again = all.with(|| Ok(vec![2]), |value| Ok(value.as_ptr()));
            assert_eq!(made.unwrap(), again.unwrap());
        }
    }

    #[test]
    fn another_process_s_value_is_neither_used_nor_dropped() {
        let dropped = Arc::new(());
        let foreign = Own {
            generation: generation().wrapping_add(1),
            value: Some(Arc::clone(&dropped)),
        };
        let all = PerProcess(ArcSwapOption::from_pointee(foreign));
        let ours = Arc::new(());
        all.with(
            || Ok(Arc::clone(&ours)),
            |value| {
                assert!(Arc::ptr_eq(value, &ours));
                Ok(())
            },
        )
        .unwrap();
        drop(all);
        assert_eq!(Arc::strong_count(&dropped), 2, "leaked");
        assert_eq!(Arc::strong_count(&ours), 1, "dropped");
    }
}
