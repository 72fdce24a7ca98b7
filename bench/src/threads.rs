//! Threads of one leg.

use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

/// What a thread gave; panics if it did.
pub(crate) fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
