//! Locks that a caller does not wait for beyond his deadline.

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use nearfield_model::{Context, Result};

/// How long a caller with a deadline waits between two looks at a lock.
pub(crate) const LOCK_STEP: Duration = Duration::from_millis(5);

/// Takes a lock for a caller who does not wait beyond his deadline; `wait` passes some time.
pub(crate) fn lock_for<'a, T>(
    context: &Context,
    lock: &'a Mutex<T>,
    wait: &dyn Fn(),
) -> Result<MutexGuard<'a, T>> {
    loop {
        match lock.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => context.check()?,
        }
        wait();
    }
}
