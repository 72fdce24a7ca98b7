//! Wakes a thread that polls.

use std::os::fd::{AsFd, BorrowedFd};

use nearfield_model::{Error, Result};

use crate::descriptor::Descriptor;
use crate::platform::{NO_SIGNAL, prepare};

/// A descriptor that becomes readable when it is sent to.
#[derive(Debug)]
pub(crate) struct Signal {
    read: Descriptor,
    write: Descriptor,
}

impl Signal {
    pub(crate) fn new() -> Result<Self> {
        let pair = || -> std::io::Result<Signal> {
            let (read, write) = std::os::unix::net::UnixStream::pair()?;
            prepare(&write)?;
            read.set_nonblocking(true)?;
            write.set_nonblocking(true)?;
            Ok(Signal {
                read: Descriptor::new(read),
                write: Descriptor::new(write),
            })
        };
        pair().map_err(|error| Error::internal(format!("no signal between threads: {error}")))
    }

    /// Makes it readable.
    pub(crate) fn send(&self) {
        // If it is full, it is readable.
        let _ = rustix::net::send(
            &self.write,
            &[1],
            NO_SIGNAL | rustix::net::SendFlags::DONTWAIT,
        );
    }

    /// Makes it unreadable.
    pub(crate) fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!(rustix::io::read(&self.read, &mut bytes), Ok(count) if count > 0) {}
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}
