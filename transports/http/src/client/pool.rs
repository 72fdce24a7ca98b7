//! Connections that wait for their next call, and how many there may be.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nearfield_model::Result;

use super::connection::Connection;
use super::patience::Patience;

/// The connections of a client.
pub(super) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
    connections_max: usize,
    idle_timeout: Duration,
}

#[derive(Default)]
struct State {
    /// The one used last stands last.
    idle: Vec<(Connection, Instant)>,
    /// Idle ones and those in use.
    open: usize,
    /// Calls that wait for one.
    waiting: usize,
}

/// The right to one connection; given back when dropped.
pub(super) struct Lease<'p> {
    pool: &'p Pool,
    /// The connection, if one was waiting.
    pub(super) connection: Option<Connection>,
}

impl Pool {
    pub(super) fn new(connections_max: usize, idle_timeout: Duration) -> Self {
        Pool {
            state: Mutex::default(),
            freed: Condvar::new(),
            connections_max: connections_max.max(1),
            idle_timeout,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a waiting connection, or the right to make one; waits if all are in use.
    pub(super) fn take(&self, patience: &Patience<'_>) -> Result<Lease<'_>> {
        let mut state = self.state();
        loop {
            if let Some((connection, since)) = state.idle.pop() {
                // Looked at outside of the lock.
                drop(state);
                if since.elapsed() < self.idle_timeout && connection.is_quiet() {
                    return Ok(Lease {
                        pool: self,
                        connection: Some(connection),
                    });
                }
                drop(connection);
                state = self.state();
                state.open -= 1;
                continue;
            }
            if state.open < self.connections_max {
                state.open += 1;
                return Ok(Lease {
                    pool: self,
                    connection: None,
                });
            }
            state.waiting += 1;
            let waited = self.freed.wait_timeout(state, patience.stretch());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
            patience.check()?;
        }
    }
}

impl Lease<'_> {
    /// Keeps the connection for the next call.
    pub(super) fn keep(mut self, connection: Connection) {
        self.connection = Some(connection);
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.pool.state();
        match self.connection.take() {
            Some(connection) => state.idle.push((connection, now)),
            None => state.open -= 1,
        }
        // The oldest stand first; the calls that need many at once may be long over.
        let expired = state.idle.first().is_some_and(|(_, since)| {
            now.saturating_duration_since(*since) > self.pool.idle_timeout
        });
        let closed = expired.then(|| {
            state.open -= 1;
            state.idle.remove(0)
        });
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            // A call of the system, even if nobody waits.
            self.pool.freed.notify_one();
        }
        drop(closed);
    }
}
