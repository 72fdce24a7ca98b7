//! A service that notes how long each call was behind it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use nearfield_model::{Context, Request, Reserved, Response, Result, Service};

/// Notes calls of a service, and writes them to a file when it is dropped: a line per call, its
/// verb and its nanoseconds.
pub(crate) struct Timed {
    inner: Arc<dyn Service>,
    calls: Mutex<Vec<(&'static str, u128)>>,
    file: PathBuf,
}

impl Timed {
    pub(crate) fn new(inner: Arc<dyn Service>, file: PathBuf) -> Self {
        Timed {
            inner,
            calls: Mutex::default(),
            file,
        }
    }
}

impl Service for Timed {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        let verb = request.verb();
        let start = Instant::now();
        let answer = self.inner.call(context, request);
        let nanoseconds = start.elapsed().as_nanos();
        // A list is whole after every step.
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push((verb, nanoseconds));
        answer
    }

    fn reserve(&self, components: usize) -> Result<Box<dyn Reserved>> {
        self.inner.reserve(components)
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let calls = self.calls.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::with_capacity(calls.len() * 16);
        for (verb, nanoseconds) in calls {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{verb} {nanoseconds}");
        }
        // Whoever measures finds that the file is missing.
        let _ = std::fs::write(&self.file, text);
    }
}
