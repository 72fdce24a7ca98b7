//! Who writes, and the numbers of its writes: a retry under the same number is applied once.

use std::sync::atomic::{AtomicU64, Ordering};

use nearfield_model::{Error, RequestId, Result};

use crate::per_process::PerProcess;

/// Gives out request ids. A forked child gives out ids of another client than its parent, so
/// that no write of the one is taken for a retry of the other's.
#[derive(Debug)]
pub(crate) struct Writer(PerProcess<Numbers>);

#[derive(Debug)]
struct Numbers {
    client: [u8; 16],
    next: AtomicU64,
}

impl Writer {
    /// A writer that nobody else is.
    ///
    /// # Errors
    /// `Internal` if the operating system gives no random bytes.
    pub(crate) fn new() -> Result<Self> {
        Ok(Writer(PerProcess::of(Numbers::new()?)))
    }

    /// An id that was not given out before.
    ///
    /// # Errors
    /// As [`new`](Self::new), after a fork.
    pub(crate) fn next(&self) -> Result<RequestId> {
        self.0.with(Numbers::new, |numbers| {
            Ok(RequestId {
                client: numbers.client,
                number: numbers.next.fetch_add(1, Ordering::Relaxed),
            })
        })
    }
}

impl Numbers {
    fn new() -> Result<Self> {
        let mut client = [0; 16];
        getrandom::fill(&mut client)
            .map_err(|error| Error::internal(format!("no random bytes: {error}")))?;
        Ok(Numbers {
            client,
            next: AtomicU64::new(1),
        })
    }
}
