//! In place of shared memory, where the platform has none that its other holder cannot shorten. All
//! goes over the socket there, and nothing of this is ever made.

use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nearfield_model::{Context, Error, ErrorKind, Request, Reserved, Response, Result};

use super::patience::Patience;
use super::watch::State;

pub(super) struct Memory(Infallible);

impl Memory {
    pub(super) fn make(_: Arc<State>) -> Result<(Memory, OwnedFd)> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "this platform has no memory to share safely; the Unix socket works here",
        ))
    }

    pub(super) fn call(
        &self,
        _: &Context,
        _: &Request<'_>,
        _: u64,
        _: &Patience,
    ) -> io::Result<Result<Response>> {
        match self.0 {}
    }

    pub(super) fn reserve(&self, _: usize) -> Result<Box<dyn Reserved>> {
        match self.0 {}
    }
}
