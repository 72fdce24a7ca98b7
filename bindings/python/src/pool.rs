//! Memory for the vectors of a call, kept by each thread for its next one: fresh memory costs
//! more than what is copied into it.

use std::cell::RefCell;

/// Components that a thread keeps memory for, at most.
const KEPT_MAX: usize = 4 << 20;

thread_local! {
    static KEPT: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Components in memory of this thread's, which comes back when they are dropped.
#[derive(Debug, Default)]
pub(crate) struct Pooled(pub(crate) Vec<f32>);

impl Pooled {
    /// No components, and room for some.
    pub(crate) fn take() -> Pooled {
        let mut values = KEPT.try_with(RefCell::take).unwrap_or_default();
        values.clear();
        Pooled(values)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.0);
        if values.capacity() <= KEPT_MAX {
            // A thread that ends keeps nothing.
            let _freed = KEPT.try_with(|kept| kept.replace(values));
        }
    }
}
