//! Where calls that block run, so that they never stall the runtime: on the thread that read the
//! request as long as others are left for everybody else, otherwise on a thread of their own.
//! `docs/decisions/0012-where-calls-run.md` says why.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the runtime's threads that are inside a call.
#[derive(Debug)]
pub(crate) struct Turns {
    inside: AtomicUsize,
    inside_max: usize,
}

impl Turns {
    /// Of `threads` of the runtime all but one may be inside a call.
    pub(crate) fn new(threads: usize) -> Self {
        Turns {
            inside: AtomicUsize::new(0),
            inside_max: threads.saturating_sub(1),
        }
    }

    /// Runs work that may block. `shared` says that the caller's connection serves other
    /// requests meanwhile, which must not wait for this one.
    pub(crate) fn run<T>(&self, shared: bool, work: impl FnOnce() -> T) -> T {
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        let inside = Inside(&self.inside);
        if !shared && before < self.inside_max {
            return work();
        }
        drop(inside);
        tokio::task::block_in_place(work)
    }
}

struct Inside<'a>(&'a AtomicUsize);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
